"""Line sketches extracted from photos: sketches for photos that nobody drew.

A photo is flattened (bilateral filter), its edges are found in the strongest of the three channels of Lab (Canny 1986,
with thresholds relative to the photo's own gradients), and short or marginal pieces are dropped, so that outlines of
the subject are left more often than texture. People draw what matters and bend it; these lines do neither, so they
teach an encoder where the parts of a photo are, not how people draw.

A second method, ``hed_strokes``, takes learned edges (``sketchseek.training.hed``) in place of Canny's. It needs
converted weights, is slower, and gives strokes, which can be corrupted like those of people.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from sketchseek.datasets.records import Sketch, StrokeTuple
from sketchseek.errors import EmptySketchError
from sketchseek.images import read_photo
from sketchseek.sketches import SketchSource
from sketchseek.training.edge_lines import edge_lines
from sketchseek.training.hed import SIDE as HED_SIDE
from sketchseek.training.hed import Hed, edge_maps
from sketchseek.training.opencv import load_opencv
from sketchseek.training.polylines import simplify_polyline

SIDE = 224
"""Pixels of the square that edges are looked for in."""

_STRONG = 0.93
"""Quantile of the gradients above which an edge begins; it goes on down to 0.4 of that."""

_SHORTEST = 14
"""Pixels that a piece must extend over."""


HED_THRESHOLD = 0.6
"""Edge probability that a line of ``hed_strokes`` reaches at one point at least."""

_TOLERANCE = 1.0
"""Pixels of ``HED_SIDE`` by which simplified strokes of ``hed_strokes`` may leave their lines."""


def sketch_source(sketch: Sketch, hed: Hed | None = None) -> SketchSource:
    """What ``sketchseek.sketches.rasterize_sketch`` takes of a sketch, one that is to be extracted from its photo too.

    Args:
        sketch: The sketch.
        hed: Extract with this network (``hed_strokes``); with Canny's edges (``line_sketch``) by default.

    Raises:
        EmptySketchError, MissingExtraError, ImageError: As ``line_sketch``.
    """
    if not sketch.traced or sketch.path is None:
        return sketch.source
    return line_sketch(sketch.path) if hed is None else hed_strokes(sketch.path, hed)


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


def hed_strokes(photo: Path, hed: Hed, threshold: float = HED_THRESHOLD) -> StrokeTuple:
    """Extract strokes from a photo by learned edges, longest first.

    Args:
        photo: Its file.
        hed: As ``sketchseek.training.hed.load_hed`` gives it.
        threshold: Edge probability that a line reaches at one point at least; lower ones give more lines.

    Returns:
        Strokes ``((x…), (y…))`` in pixels of a square of ``HED_SIDE``.

    Raises:
        EmptySketchError: No line stands out.
        MissingExtraError: OpenCV is not installed.
        ImageError: The photo cannot be read.
    """
    device = str(hed.mean.device)
    lines = edge_lines(edge_maps(hed, read_photo(photo, HED_SIDE)[None], device=device)[0], threshold)
    if not lines:
        raise EmptySketchError(f"{photo}: no line stands out in it.", remedy="Leave the photo out.")
    simple = [simplify_polyline(line, _TOLERANCE) for line in lines]
    return tuple((tuple(line[:, 0].tolist()), tuple(line[:, 1].tolist())) for line in simple)


def trace(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Find the lines of a photo.

    Args:
        pixels: (h, w, 3) uint8 RGB.

    Returns:
        (h, w) bool, true on lines.
    """
    cv2 = load_opencv()
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
