"""Lines one pixel wide as polylines: walked along, and joined where their ends touch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sketchseek.training.opencv import load_opencv

Polylines = list[npt.NDArray[np.float64]]
"""Each (points, 2): x, y."""

_STEPS = ((0, -1), (1, 0), (0, 1), (-1, 0), (1, -1), (1, 1), (-1, 1), (-1, -1))  # straight ones first
_MEMORY = 5  # points that the direction of a walk is taken from


def polylines_of(skeleton: npt.NDArray[np.bool_]) -> Polylines:
    """Polylines of lines one pixel wide, whose points are neighboring pixels; every pixel is in one of them.

    A walk starts at an end, or anywhere on a closed line, and goes on straight through crossings where it can.

    Args:
        skeleton: (h, w) bool, true on lines.
    """
    rows, columns = np.nonzero(skeleton)
    left = set(zip(columns.tolist(), rows.tolist(), strict=True))

    def around(x: int, y: int) -> list[tuple[int, int]]:
        return [(x + dx, y + dy) for dx, dy in _STEPS if (x + dx, y + dy) in left]

    ordered = sorted(left, key=lambda pixel: (pixel[1], pixel[0]))
    ends = [pixel for pixel in ordered if len(around(*pixel)) == 1]
    lines: Polylines = []
    for start in [*ends, *ordered]:
        if start not in left:
            continue
        line = [start]
        left.discard(start)
        direction = (0, 0)
        while near := around(*line[-1]):
            x, y = line[-1]
            ahead = max(near, key=lambda p: (p[0] - x) * direction[0] + (p[1] - y) * direction[1])
            line.append(ahead)
            left.discard(ahead)
            back = line[max(0, len(line) - _MEMORY)]
            direction = (ahead[0] - back[0], ahead[1] - back[1])
        lines.append(np.array(line, dtype=np.float64))
    return lines


def join_polylines(lines: Polylines, gap: float = 2.5) -> Polylines:
    """Join polylines whose ends are near, longest first, so that each is what a hand would draw in one go.

    Args:
        lines: At least one point each.
        gap: Largest distance in x and in y of two ends that are joined.
    """
    if not lines:
        return []
    pool = sorted(lines, key=len, reverse=True)
    ends = np.array([[line[0], line[-1]] for line in pool])
    free = np.ones(len(pool), dtype=np.bool_)
    joined: Polylines = []
    for number, first in enumerate(pool):
        if not free[number]:
            continue
        free[number] = False
        line = first
        for _ in range(2):  # from its end, then, turned round, from its start
            while (found := _nearest(ends, free, line[-1], gap)) is not None:
                other, end = found
                free[other] = False
                line = np.concatenate([line, pool[other] if end == 0 else pool[other][::-1]])
            line = line[::-1]
        joined.append(line)
    return joined


def simplify_polyline(line: npt.NDArray[np.float64], tolerance: float) -> npt.NDArray[np.float64]:
    """The fewest of a polyline's points (n, 2) from which no other is farther than ``tolerance`` (Douglas and Peucker).

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    points = load_opencv().approxPolyDP(line.astype(np.float32).reshape(-1, 1, 2), tolerance, False)
    simple: npt.NDArray[np.float64] = points.reshape(-1, 2).astype(np.float64)
    return simple


def _nearest(
    ends: npt.NDArray[np.float64], free: npt.NDArray[np.bool_], tip: npt.NDArray[np.float64], gap: float
) -> tuple[int, int] | None:
    """The free polyline with an end within ``gap`` of ``tip``, and which of its ends that is."""
    away = np.abs(ends - tip).max(axis=2)
    away[~free] = np.inf
    nearest = int(away.argmin())
    return divmod(nearest, 2) if away.flat[nearest] <= gap else None
