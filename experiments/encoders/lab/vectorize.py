"""Skeletons of pictures to polylines, and sketches packed small.

A picture of a sketch becomes a skeleton in the product's 256-pixel working square, and ``polylines_of`` makes polylines
of it whose points are neighboring pixels. The polylines hold the whole skeleton, so the product's raster can be made of
them again, and they can be cut, shaken and redrawn as strokes.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image

from sketchseek.sketches.bitmap import _THICKEST_LINE, WORK, _centered, _redraw, find_ink
from sketchseek.sketches.strokes import Raster
from sketchseek.sketches.thinning import hollow, thin
from sketchseek.training.polylines import Polylines


def skeleton_of(image: Image.Image) -> npt.NDArray[np.bool_]:
    """The lines of a picture of a sketch, one pixel wide, in the product's working square."""
    return thin(hollow(_centered(find_ink(image)), _THICKEST_LINE))


def raster_of_skeleton_lines(lines: Polylines, size: int) -> Raster:
    """The product's raster of a picture whose skeleton these polylines are."""
    skeleton = np.zeros((WORK, WORK), dtype=np.bool_)
    points = np.concatenate(lines).astype(np.int64)
    skeleton[points[:, 1], points[:, 0]] = True
    return _redraw(skeleton, size)


def pack_lines(lines: Polylines) -> bytes:
    """Polylines whose coordinates are within 0 and 255, compressed: lengths, then steps."""
    lengths = np.array([len(line) for line in lines], dtype=np.uint16)
    points = np.concatenate(lines).round().clip(0, 255).astype(np.int16)
    steps = np.diff(points, axis=0, prepend=np.zeros((1, 2), dtype=np.int16)).astype(np.int16).astype(np.uint8)
    head = np.array([len(lengths)], dtype=np.uint16).tobytes() + lengths.tobytes()
    return zlib.compress(head + steps[:, 0].tobytes() + steps[:, 1].tobytes(), 9)


def unpack_lines(data: bytes) -> Polylines:
    """What ``pack_lines`` packed."""
    raw = zlib.decompress(data)
    count = int(np.frombuffer(raw, dtype=np.uint16, count=1)[0])
    lengths = np.frombuffer(raw, dtype=np.uint16, count=count, offset=2).astype(np.int64)
    total = int(lengths.sum())
    steps = np.frombuffer(raw, dtype=np.uint8, count=2 * total, offset=2 + 2 * count).reshape(2, total).T
    points = np.cumsum(steps, axis=0, dtype=np.int64).astype(np.uint8)  # steps wrap at 256
    return [part.astype(np.float64) for part in np.split(points, np.cumsum(lengths)[:-1])]
