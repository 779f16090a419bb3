"""Line sketches extracted from photos: sketches for photos that nobody drew.

A photo is flattened (bilateral filter), its edges are found in the strongest of the three channels of Lab (Canny 1986,
with thresholds relative to the photo's own gradients), and short or marginal pieces are dropped, so that outlines of
the subject are left more often than texture. People draw what matters and bend it; these lines do neither, so they
teach an encoder where the parts of a photo are, not how people draw.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from sketchseek.datasets.records import Sketch
from sketchseek.errors import EmptySketchError, MissingExtraError
from sketchseek.images import read_photo
from sketchseek.sketches import SketchSource

SIDE = 224
"""Pixels of the square that edges are looked for in."""

_STRONG = 0.93
"""Quantile of the gradients above which an edge begins; it goes on down to 0.4 of that."""

_SHORTEST = 14
"""Pixels that a piece must extend over."""


def sketch_source(sketch: Sketch) -> SketchSource:
    """What ``sketchseek.sketches.rasterize_sketch`` takes of a sketch, one that is to be extracted from its photo too.

    Raises:
        EmptySketchError, MissingExtraError, ImageError: As ``line_sketch``.
    """
    return line_sketch(sketch.path) if sketch.traced and sketch.path else sketch.source


def line_sketch(photo: Path) -> Image.Image:
    """Extract a line sketch from a photo.

    Args:
        photo: Its file.

    Returns:
        (SIDE, SIDE) grayscale picture, black lines one pixel wide on white.

    Raises:
        EmptySketchError: No line stands out.
        MissingExtraError: OpenCV is not installed.
        ImageError: The photo cannot be read.
    """
    lines = trace(read_photo(photo, SIDE))
    if not lines.any():
        raise EmptySketchError(f"{photo}: no line stands out in it.", remedy="Leave the photo out.")
    return Image.fromarray(np.where(lines, 0, 255).astype(np.uint8))


def trace(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Find the lines of a photo.

    Args:
        pixels: (h, w, 3) uint8 RGB.

    Returns:
        (h, w) bool, true on lines.
    """
    cv2 = _opencv()
    flat = cv2.bilateralFilter(cv2.bilateralFilter(pixels, 7, 60, 7), 7, 60, 7)
    lab = cv2.GaussianBlur(cv2.cvtColor(flat, cv2.COLOR_RGB2LAB), (0, 0), 1.6).astype(np.float32)
    across, down = cv2.Sobel(lab, cv2.CV_32F, 1, 0), cv2.Sobel(lab, cv2.CV_32F, 0, 1)
    strength = np.hypot(across, down)
    channel = strength.argmax(axis=2)[..., None]
    across, down = (np.take_along_axis(a, channel, axis=2)[..., 0].astype(np.int16) for a in (across, down))
    strong = 1.2 * float(np.quantile(strength.max(axis=2), _STRONG))
    edges = cv2.Canny(across, down, 0.4 * strong, strong, L2gradient=True)
    return _keep_long_pieces(edges, cv2)


def _keep_long_pieces(edges: npt.NDArray[np.uint8], cv2: Any) -> npt.NDArray[np.bool_]:
    """Drop pieces that are short, and pieces at the border unless they reach across half of the picture."""
    height, width = edges.shape
    _, label, boxes, _ = cv2.connectedComponentsWithStats(edges, connectivity=8)
    left, top, wide, high, area = boxes.T
    extent = np.maximum(wide, high)
    at_border = (left == 0) | (top == 0) | (left + wide == width) | (top + high == height)
    good = (area >= _SHORTEST) & (extent >= _SHORTEST) & (~at_border | (extent >= max(height, width) / 2))
    good[0] = False  # the ground
    kept: npt.NDArray[np.bool_] = good[label]
    return kept


@functools.cache
def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError(
            "line sketches need OpenCV.", remedy="Install it: pip install opencv-python-headless"
        ) from error
    cv2.setNumThreads(1)
    return cv2
