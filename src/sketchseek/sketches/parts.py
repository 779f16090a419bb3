"""Finding two separate objects in one sketch.

Strokes, or connected ink in a picture, belong together if their bounding boxes are less than ``GAP`` of the sketch
apart. A sketch shows two objects if that leaves two groups, each with ``LEAST`` of the ink. 1.8 % of Quick, Draw!'s
drawings of one thing are taken for two (``experiments/regions/measure.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from sketchseek.images import ImageSource
from sketchseek.sketches import SketchSource, picture_of, sketch_lines
from sketchseek.sketches.bitmap import find_ink

GAP = 1 / 10
"""Smallest distance of two objects, as a fraction of the longer side of the sketch."""

LEAST = 1 / 6
"""Smallest fraction of the ink that an object has."""

_GRID = 48
"""Cells along the longer side of a picture, in which connected ink is found."""

MAX_ELEMENTS = 400
"""Sketches of more strokes, or with more separate pieces of ink, are not divided: a limit on time."""

Boxes = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SketchPart:
    """One of two objects.

    Attributes:
        sketch: It alone: strokes, or a picture.
        middle: Where its middle lies in the sketch, x and y from 0 to 1.
    """

    sketch: SketchSource
    middle: tuple[float, float]


def sketch_parts(source: SketchSource) -> tuple[SketchPart, ...]:
    """Return the two objects of a sketch, or () if it does not show two.

    Args:
        source: See ``rasterize_sketch``.

    Raises:
        EmptySketchError: There is no ink.
        SketchError: It cannot be read.
    """
    lines = sketch_lines(source)
    if lines is None:
        return _parts_of_picture(picture_of(cast(ImageSource, source)))
    if len(lines) > MAX_ELEMENTS:
        return ()
    boxes = np.array([[*line.min(axis=0), *line.max(axis=0)] for line in lines])
    ink = np.array([float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum()) + 1e-3 for line in lines])
    groups = two_groups(boxes, ink)
    return tuple(
        SketchPart([line.T.tolist() for line, one in zip(lines, groups, strict=True) if one == group], middle)
        for group, middle in enumerate(_middles(boxes, groups))
    )


def two_groups(boxes: Boxes, ink: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Divide elements of a sketch into two groups that lie apart.

    Args:
        boxes: Left, top, right and bottom of each, (n, 4).
        ink: How much ink each has, (n,).

    Returns:
        0 or 1 for each, (n,); () if there are not two groups.
    """
    side = float((boxes[:, 2:].max(axis=0) - boxes[:, :2].min(axis=0)).max())
    group = np.arange(len(boxes))
    for row, box in enumerate(boxes):
        gaps = np.maximum(boxes[:row, :2] - box[2:], box[:2] - boxes[:row, 2:]).max(axis=1)
        for near in np.flatnonzero(gaps < side * GAP):
            group[group == group[near]] = group[row]
    names, groups = np.unique(group, return_inverse=True)
    amounts = np.bincount(groups, weights=ink)
    found: npt.NDArray[np.int64] = groups.astype(np.int64)
    return found if len(names) == 2 and amounts.min() >= ink.sum() * LEAST else np.zeros(0, np.int64)


def _middles(boxes: Boxes, groups: npt.NDArray[np.int64]) -> Sequence[tuple[float, float]]:
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    middles = []
    for group in np.unique(groups):
        some = boxes[groups == group]
        middle = (some[:, :2].min(axis=0) + some[:, 2:].max(axis=0)) / 2
        x, y = (middle - low) / np.maximum(high - low, 1e-12)
        middles.append((float(x), float(y)))
    return middles


def _parts_of_picture(image: Image.Image) -> tuple[SketchPart, ...]:
    ink = find_ink(image)
    rows, columns = np.nonzero(ink)
    if not len(rows):
        return ()
    top, left = rows.min(), columns.min()
    cell = max(np.ptp(rows), np.ptp(columns)) / _GRID + 1e-9
    cells = np.stack([(columns - left) // cell, (rows - top) // cell], axis=1).astype(np.int64)
    pieces = _connected(cells)
    count = int(pieces.max()) + 1
    if count > MAX_ELEMENTS:
        return ()
    points = np.stack([columns, rows], axis=1)
    boxes = np.array(
        [[*points[pieces == one].min(axis=0), *points[pieces == one].max(axis=0)] for one in range(count)], np.float64
    )
    groups = two_groups(boxes, np.bincount(pieces).astype(np.float64))
    if not len(groups):
        return ()
    found = []
    for group, middle in enumerate(_middles(boxes, groups)):
        alone = np.full(ink.shape, 255, np.uint8)
        some = groups[pieces] == group
        alone[rows[some], columns[some]] = 0
        found.append(SketchPart(Image.fromarray(alone), middle))
    return tuple(found)


def _connected(cells: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the connected piece that each pixel belongs to, given its cell, (n, 2); cells touch at corners, too."""
    unique, place = np.unique(cells, axis=0, return_inverse=True)
    known = {(int(x), int(y)): number for number, (x, y) in enumerate(unique)}
    piece = np.full(len(unique), -1)
    count = 0
    for start in range(len(unique)):
        if piece[start] >= 0:
            continue
        waiting = [start]
        while waiting:
            number = waiting.pop()
            if piece[number] >= 0:
                continue
            piece[number] = count
            x, y = unique[number]
            around = (known.get((int(x) + dx, int(y) + dy)) for dx in (-1, 0, 1) for dy in (-1, 0, 1))
            waiting += [other for other in around if other is not None and piece[other] < 0]
        count += 1
    return np.asarray(piece[place.reshape(-1)], np.int64)
