"""OpenCV, imported on first use and limited to one thread."""

from __future__ import annotations

import functools
from typing import Any

from sketchseek.errors import MissingExtraError


@functools.cache
def load_opencv() -> Any:
    """The module ``cv2``.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError(
            "Pseudo-sketches need OpenCV.", remedy="Install it: pip install opencv-python-headless"
        ) from error
    cv2.setNumThreads(1)
    return cv2
