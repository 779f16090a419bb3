"""The sample data set of ``sketchseek demo --sample``, for the tests, and the settings of a run on it."""

from typing import Any

from sketchseek.samples.shapes_dataset import CATEGORIES, write_shapes

__all__ = ["CATEGORIES", "SETTINGS", "write_shapes"]

SETTINGS: dict[str, Any] = {
    "name": "shapes",
    "sketch": {"backbone": "shufflenet_v2_x0_5", "size": 32},
    "photo": {"backbone": "shufflenet_v2_x0_5", "size": 32, "frozen": 1},
    "embedding": 16,
    "sources": [{"kind": "sketchy", "path": "."}],
    "batch": {"categories": 3, "photos": 4, "sketches": 2},
    "augment": {"flip": 0.5, "rotate": 10, "erase": 0.2},
    "validation": 0.25,
    "steps": 4,
    "evaluate_every": 2,
    "warmup": 1,
    "ema": 0.5,
}
