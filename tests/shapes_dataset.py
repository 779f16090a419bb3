"""The sample data set of ``sketchseek demo --sample``, for the tests."""

from sketchseek.samples.shapes_dataset import CATEGORIES, write_shapes

__all__ = ["CATEGORIES", "write_shapes"]
