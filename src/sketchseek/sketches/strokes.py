"""Rasterize strokes; defines the raster."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from sketchseek.errors import EmptySketchError, SketchError

RASTER_VERSION = 1
"""Increased when the raster of a sketch changes; encoders must then be trained again."""

FILL = 0.88
"""Fraction of the raster's side that the longer side of the ink's bounding box fills."""

LINE = 1 / 64
"""Line width as a fraction of the raster's side."""

MAX_POINTS = 200_000
MAX_STROKES = 20_000

_DENSE = 10_000  # points; from here on, invisible detail is skipped to keep this fast

_LONGEST = 4_000  # maximum total length of all strokes, in multiples of the sketch's longer side

_FORM = 'Strokes are [[[x…],[y…]],…] or {"drawing": …}.'

Strokes = Sequence[Sequence[Sequence[float]]]
"""A list of strokes, each ``[[x…], [y…]]`` (further lists, such as times, are ignored): the Quick, Draw! form."""

Raster = npt.NDArray[np.uint8]
"""(size, size) uint8, 255 paper and 0 ink."""

Polylines = list[npt.NDArray[np.float64]]
"""Checked strokes, each (points, 2) float64: x, y."""


def rasterize_strokes(strokes: Strokes, size: int) -> Raster:
    """Draw strokes, y growing downwards, in any unit. See ``rasterize_sketch``."""
    return draw_polylines(check_strokes(strokes), size)


def parse_strokes(text: str) -> Strokes:
    """Parse JSON strokes: a list, an object with the key ``drawing`` or ``strokes``, or the first line of .ndjson.

    Raises:
        SketchError: It is not JSON or has no strokes.
    """
    try:
        try:
            value = json.loads(text.split("\n", 1)[0])  # .ndjson
        except json.JSONDecodeError:
            value = json.loads(text)
    except RecursionError as error:
        raise SketchError("JSON nested too deeply.", remedy=_FORM) from error
    except ValueError as error:
        raise SketchError(f"not valid JSON ({error}).", remedy=_FORM) from error
    if isinstance(value, dict):
        value = value.get("drawing", value.get("strokes"))
    if not isinstance(value, list):
        raise SketchError("JSON without strokes.", remedy=_FORM)
    return value


def check_strokes(strokes: Strokes) -> Polylines:
    """Check strokes and convert them to arrays; strokes without points are dropped.

    Raises:
        SketchError: They are not lists of finite numbers within ±1e9, x and y of one length, or are too many.
    """
    lines: Polylines = []
    total = 0
    try:
        for number, stroke in enumerate(strokes, start=1):
            x, y = _coordinates(stroke[0], number), _coordinates(stroke[1], number)
            if len(x) != len(y):
                raise SketchError(f"stroke {number} has {len(x)} x but {len(y)} y coordinates.", remedy=_FORM)
            total += len(x)
            if number > MAX_STROKES:
                raise SketchError(f"more than {MAX_STROKES:,} strokes.", remedy="Simplify the sketch.")
            if total > MAX_POINTS:
                raise SketchError(f"more than {MAX_POINTS:,} points.", remedy="Simplify the sketch.")
            if len(x):
                lines.append(np.stack([x, y], axis=1))
    except (TypeError, IndexError, KeyError) as error:
        raise SketchError("these are not strokes.", remedy=_FORM) from error
    check_polylines(lines)
    return lines


def check_polylines(lines: Polylines) -> None:
    """Raise SketchError if a coordinate is not finite or beyond ±1e9."""
    if any(not np.isfinite(line).all() for line in lines):
        raise SketchError("a coordinate is not a finite number.")
    if any(np.abs(line).max() > 1e9 for line in lines):
        raise SketchError("a coordinate is beyond ±1e9.")


def _coordinates(values: Sequence[float], number: int) -> npt.NDArray[np.float64]:
    if len(values) > MAX_POINTS:
        raise SketchError(f"more than {MAX_POINTS:,} points.", remedy="Simplify the sketch.")
    try:
        array = np.asarray(values)
        if array.dtype.kind == "O" and all(type(value) in (int, float) for value in values):
            array = array.astype(np.float64)  # whole numbers beyond 64 bits
    except (ValueError, OverflowError) as error:
        raise SketchError(f"stroke {number} is not made of numbers.", remedy=_FORM) from error
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iuf"):
        raise SketchError(f"stroke {number} is not made of numbers.", remedy=_FORM)
    return array.astype(np.float64) if array.size else np.zeros(0)


def placed_polylines(lines: Polylines) -> Polylines:
    """Return checked strokes where the raster has them, in units of its side, from the top left."""
    points = np.concatenate(lines)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max())
    factor = FILL / extent if extent > 1e-200 else 0.0
    return [(line - (low + high) / 2) * factor + 0.5 for line in lines]


def draw_polylines(lines: Polylines, size: int) -> Raster:
    """Draw checked strokes, scaled and centered, with round line ends.

    Raises:
        EmptySketchError: There are none.
        SketchError: They are so long that the raster would be black.
    """
    if not lines:
        raise EmptySketchError("the sketch has no ink.", remedy="Draw at least one line.")
    points = np.concatenate(lines)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max())
    scale = 4
    side = size * scale
    factor = FILL * side / extent if extent > 1e-200 else 0.0  # else a dot
    canvas = Image.new("L", (side, side), 255)
    draw = ImageDraw.Draw(canvas)
    width = max(1, round(LINE * side))
    if sum(float(np.abs(np.diff(line, axis=0)).sum()) for line in lines) > _LONGEST * extent > 0:
        raise SketchError("so much ink that nothing but black would be left.", remedy="Simplify the sketch.")
    dense = len(points) > _DENSE
    joint = None if dense else "curve"
    dots: set[tuple[int, int]] = set()
    for line in lines:
        placed = (line - (low + high) / 2) * factor + side / 2
        if dense:
            pixels = np.floor(placed)
            placed = placed[np.append(True, (pixels[1:] != pixels[:-1]).any(axis=1))]
        draw.line([(float(x), float(y)) for x, y in placed], fill=0, width=width, joint=joint)
        for x, y in (placed[0], placed[-1]):  # round ends; a lone point becomes a dot
            if dense and (int(x) // 4, int(y) // 4) in dots:
                continue
            dots.add((int(x) // 4, int(y) // 4))
            r = width / 2
            draw.ellipse((x - r, y - r, x + r, y + r), fill=0)
    return np.asarray(canvas.reduce(scale))
