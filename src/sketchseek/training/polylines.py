"""Polylines of lines that are one pixel wide; polylines whose ends touch are joined."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sketchseek.training.opencv import load_opencv

Polylines = list[npt.NDArray[np.float64]]
"""Each (points, 2): x, y."""

_STEPS = ((0, -1), (1, 0), (0, 1), (-1, 0), (1, -1), (1, 1), (-1, 1), (-1, -1))  # straight ones first
_MEMORY = 5  # number of points that determine the current direction


def polylines_of(skeleton: npt.NDArray[np.bool_]) -> Polylines:
    """Polylines of neighboring pixels; every pixel is in exactly one of them.

    A polyline starts at an end, or anywhere on a closed line, and prefers to go straight at crossings.

    Args:
        skeleton: (h, w) bool, true on lines, which are one pixel wide.
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
    """Join polylines with nearby ends, longest first, so that each resembles one stroke of a person.

    Args:
        lines: Polylines with at least one point each.
        gap: Maximum distance between joined ends, in x and in y.
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
        for _ in range(2):  # extend the end, then the start
            while (found := _nearest(ends, free, line[-1], gap)) is not None:
                other, end = found
                free[other] = False
                line = np.concatenate([line, pool[other] if end == 0 else pool[other][::-1]])
            line = line[::-1]
        joined.append(line)
    return joined


def simplify_polyline(line: npt.NDArray[np.float64], tolerance: float) -> npt.NDArray[np.float64]:
    """Simplify a polyline (n, 2) so that no point moves by more than ``tolerance`` (Douglas and Peucker).

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    points = load_opencv().approxPolyDP(line.astype(np.float32).reshape(-1, 1, 2), tolerance, False)
    simple: npt.NDArray[np.float64] = points.reshape(-1, 2).astype(np.float64)
    return simple


def _nearest(
    ends: npt.NDArray[np.float64], free: npt.NDArray[np.bool_], tip: npt.NDArray[np.float64], gap: float
) -> tuple[int, int] | None:
    """Number of the free polyline with an end within ``gap`` of ``tip``, and 0 for its start or 1 for its end."""
    away = np.abs(ends - tip).max(axis=2)
    away[~free] = np.inf
    nearest = int(away.argmin())
    return divmod(nearest, 2) if away.flat[nearest] <= gap else None
