"""Model packages: their format, checks and installation; and the bundled models."""

DEFAULT_MODEL = "small"
"""Name of the bundled model that is used unless another is asked for."""
