"""Skeletons of pictures to polylines, and sketches packed small.

A picture of a sketch becomes a skeleton in the product's 256-pixel working square, and the skeleton becomes polylines
whose points are neighboring pixels. The polylines hold the whole skeleton, so the product's raster can be made of them
again, and they can be cut, shaken and redrawn as strokes.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image

from sketchseek.sketches.bitmap import _THICKEST_LINE, WORK, _centered, _redraw, find_ink
from sketchseek.sketches.strokes import Raster
from sketchseek.sketches.thinning import hollow, thin

Lines = list[npt.NDArray[np.float64]]
"""Polylines, each (points, 2): x, y."""

_STEPS = ((0, -1), (1, 0), (0, 1), (-1, 0), (1, -1), (1, 1), (-1, 1), (-1, -1))  # straight ones first


def skeleton_of(image: Image.Image) -> npt.NDArray[np.bool_]:
    """The lines of a picture of a sketch, one pixel wide, in the product's working square."""
    return thin(hollow(_centered(find_ink(image)), _THICKEST_LINE))


def trace_lines(skeleton: npt.NDArray[np.bool_]) -> Lines:
    """Walk along a skeleton: polylines from ends and crossings, straight through crossings where that is possible."""
    rows, columns = np.nonzero(skeleton)
    left = set(zip(columns.tolist(), rows.tolist(), strict=True))

    def around(x: int, y: int) -> list[tuple[int, int]]:
        return [(x + dx, y + dy) for dx, dy in _STEPS if (x + dx, y + dy) in left]

    degree = {pixel: len(around(*pixel)) for pixel in left}
    ends = sorted((p for p, d in degree.items() if d == 1), key=lambda p: (p[1], p[0]))
    lines: Lines = []
    for start in [*ends, *sorted(left, key=lambda p: (p[1], p[0]))]:
        if start not in left:
            continue
        line = [start]
        left.discard(start)
        direction = (0, 0)
        while True:
            x, y = line[-1]
            near = around(x, y)
            if not near:
                break
            ahead = max(near, key=lambda p: (p[0] - x) * direction[0] + (p[1] - y) * direction[1])
            line.append(ahead)
            left.discard(ahead)
            back = line[max(0, len(line) - 5)]
            direction = (ahead[0] - back[0], ahead[1] - back[1])
        lines.append(np.array(line, dtype=np.float64))
    return lines


def join_lines(lines: Lines, gap: float = 2.5) -> Lines:
    """Join polylines whose ends touch, longest first, so that a stroke is what a hand would draw in one go."""
    pool = sorted(lines, key=len, reverse=True)
    ends = np.array([[line[0], line[-1]] for line in pool])
    free = np.ones(len(pool), dtype=np.bool_)
    joined: Lines = []
    for number, line in enumerate(pool):
        if not free[number]:
            continue
        free[number] = False
        open_ends = [True, False]
        while open_ends:
            at_end = open_ends[0]
            tip = line[-1] if at_end else line[0]
            away = np.abs(ends - tip).max(axis=2)
            away[~free] = np.inf
            nearest = int(away.argmin())
            if away.flat[nearest] > gap:
                open_ends.pop(0)
                continue
            other, which = pool[nearest // 2], nearest % 2
            free[nearest // 2] = False
            if at_end:
                line = np.concatenate([line, other if which == 0 else other[::-1]])
            else:
                line = np.concatenate([other[::-1] if which == 0 else other, line])
        joined.append(line)
    return joined


def raster_of_skeleton_lines(lines: Lines, size: int) -> Raster:
    """The product's raster of a picture whose skeleton these polylines are."""
    skeleton = np.zeros((WORK, WORK), dtype=np.bool_)
    points = np.concatenate(lines).astype(np.int64)
    skeleton[points[:, 1], points[:, 0]] = True
    return _redraw(skeleton, size)


def pack_lines(lines: Lines) -> bytes:
    """Polylines whose coordinates are within 0 and 255, compressed: lengths, then steps."""
    lengths = np.array([len(line) for line in lines], dtype=np.uint16)
    points = np.concatenate(lines).round().clip(0, 255).astype(np.int16)
    steps = np.diff(points, axis=0, prepend=np.zeros((1, 2), dtype=np.int16)).astype(np.int16).astype(np.uint8)
    head = np.array([len(lengths)], dtype=np.uint16).tobytes() + lengths.tobytes()
    return zlib.compress(head + steps[:, 0].tobytes() + steps[:, 1].tobytes(), 9)


def unpack_lines(data: bytes) -> Lines:
    """What ``pack_lines`` packed."""
    raw = zlib.decompress(data)
    count = int(np.frombuffer(raw, dtype=np.uint16, count=1)[0])
    lengths = np.frombuffer(raw, dtype=np.uint16, count=count, offset=2).astype(np.int64)
    total = int(lengths.sum())
    steps = np.frombuffer(raw, dtype=np.uint8, count=2 * total, offset=2 + 2 * count).reshape(2, total).T
    points = np.cumsum(steps, axis=0, dtype=np.int64).astype(np.uint8)  # steps wrap at 256
    return [part.astype(np.float64) for part in np.split(points, np.cumsum(lengths)[:-1])]
