"""Pseudo-sketches: line sketches extracted from photos that have no sketches.

``line_sketch`` smooths the photo with a bilateral filter and finds edges with Canny's method (1986) in the strongest of
the three Lab channels, with thresholds relative to the photo's own gradients. It drops short pieces and pieces at the
border, so that outlines remain more often than texture. People select and deform what they draw. These lines do
neither, so they teach an encoder where things are in a photo, but not how people draw.

``hed_strokes`` uses learned edges (``sketchseek.training.hed``). It needs converted weights and is slower. It returns
strokes, which can be augmented like those of people.
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
from sketchseek.sketches import SketchSource, rasterize_sketch
from sketchseek.training.edge_lines import edge_lines
from sketchseek.training.hed import SIDE as HED_SIDE
from sketchseek.training.hed import Hed, edge_maps
from sketchseek.training.opencv import load_opencv
from sketchseek.training.polylines import simplify_polyline

SIDE = 224
"""Size in pixels to which photos are scaled before edges are detected."""

_STRONG = 0.93
"""Quantile of the gradients at which an edge starts; it continues down to 0.4 times that gradient."""

_SHORTEST = 14
"""Minimum extent of a piece in pixels."""

HED_THRESHOLD = 0.6
"""Minimum of a line's highest edge probability, for ``hed_strokes``."""

_TOLERANCE = 1.0
"""Maximum deviation of simplified strokes in ``hed_strokes``, in pixels of ``HED_SIDE``."""


def sketch_source(sketch: Sketch, hed: Hed | None = None) -> SketchSource:
    """The source of a sketch for ``sketchseek.sketches.rasterize_sketch``. Pseudo-sketches are extracted here.

    Args:
        sketch: The sketch.
        hed: Network for ``hed_strokes``; None for ``line_sketch``.

    Raises:
        EmptySketchError, MissingExtraError, ImageError: See ``line_sketch``.
    """
    if not sketch.pseudo or sketch.path is None:
        return sketch.source
    return line_sketch(sketch.path) if hed is None else hed_strokes(sketch.path, hed)


def read_training_sketch(sketch: Sketch, size: int) -> npt.NDArray[np.uint8]:
    """Raster (size, size) of a sketch or pseudo-sketch.

    Raises:
        InputError: It cannot be read, or has no ink.
    """
    return rasterize_sketch(sketch_source(sketch), size)


def line_sketch(photo: Path) -> Image.Image:
    """Extract a line sketch from a photo.

    Args:
        photo: Its file.

    Returns:
        Grayscale image (SIDE, SIDE) with black lines, one pixel wide, on white.

    Raises:
        EmptySketchError: The photo has no clear lines.
        MissingExtraError: OpenCV is not installed.
        ImageError: The photo cannot be read.
    """
    lines = find_lines(read_photo(photo, SIDE))
    if not lines.any():
        raise EmptySketchError("no lines found.", subject=photo, remedy="Exclude the photo.")
    return Image.fromarray(np.where(lines, 0, 255).astype(np.uint8))


def hed_strokes(photo: Path, hed: Hed, threshold: float = HED_THRESHOLD) -> StrokeTuple:
    """Extract strokes from a photo with learned edges, longest first.

    Args:
        photo: Its file.
        hed: The network (``sketchseek.training.hed.load_hed``).
        threshold: Minimum of a line's highest edge probability. A lower threshold gives more lines.

    Returns:
        Strokes ``((x…), (y…))``, in pixels of a square of ``HED_SIDE``.

    Raises:
        EmptySketchError: The photo has no clear lines.
        MissingExtraError: OpenCV is not installed.
        ImageError: The photo cannot be read.
    """
    device = str(hed.mean.device)
    lines = edge_lines(edge_maps(hed, read_photo(photo, HED_SIDE)[None], device=device)[0], threshold)
    if not lines:
        raise EmptySketchError("no lines found.", subject=photo, remedy="Exclude the photo.")
    simple = [simplify_polyline(line, _TOLERANCE) for line in lines]
    return tuple((tuple(line[:, 0].tolist()), tuple(line[:, 1].tolist())) for line in simple)


def find_lines(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
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
    """Drop short pieces, and pieces at the border that extend over less than half of the image."""
    height, width = edges.shape
    _, label, boxes, _ = cv2.connectedComponentsWithStats(edges, connectivity=8)
    left, top, wide, high, area = boxes.T
    extent = np.maximum(wide, high)
    at_border = (left == 0) | (top == 0) | (left + wide == width) | (top + high == height)
    good = (area >= _SHORTEST) & (extent >= _SHORTEST) & (~at_border | (extent >= max(height, width) / 2))
    good[0] = False  # the background
    kept: npt.NDArray[np.bool_] = good[label]
    return kept
