"""From a map of edge probabilities to the polylines of a pseudo-sketch.

Ridges of the map are thinned, weak, short and marginal pieces are dropped, and what is left is walked along.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sketchseek.sketches.thinning import thin
from sketchseek.training.opencv import load_opencv
from sketchseek.training.polylines import Polylines, join_polylines, polylines_of

_SMOOTH = 1.2  # standard deviation in pixels of the blur before ridges are looked for
_WEAKEST = 0.4  # of the threshold: a line goes on down to that
_SHORTEST = 0.05  # of the side that a piece must extend over
_SHORTEST_AT_BORDER = 0.4  # of the side; less is something that is cut off
_FEWEST_PIXELS = 60  # less ink than that is no sketch
_FEWEST_POINTS = 6  # of a polyline
_BESIDE = 0.5  # of a polyline's points next to a longer one make it an echo of that one


def edge_lines(edges: npt.NDArray[np.uint8], threshold: float) -> Polylines:
    """Polylines of an edge map, in its pixels, longest first; none where nothing stands out.

    Args:
        edges: (side, side) uint8, 255 where an edge is certain.
        threshold: From 0 to 1; a line must be this strong at one point at least.
    """
    cv2 = load_opencv()
    side = len(edges)
    smooth = cv2.GaussianBlur(edges, (0, 0), _SMOOTH).astype(np.float32) / 255
    ridges = _ridges(smooth, cv2) & (smooth > _WEAKEST * threshold)
    count, label, boxes, _ = cv2.connectedComponentsWithStats(ridges.astype(np.uint8), connectivity=8)
    peak = np.zeros(count, dtype=np.float32)
    np.maximum.at(peak, label[ridges], smooth[ridges])
    left, top, width, height, _ = boxes.T
    extent = np.maximum(width, height)
    at_border = (left <= 2) | (top <= 2) | (left + width >= side - 2) | (top + height >= side - 2)
    kept = (peak > threshold) & (extent >= _SHORTEST * side) & (~at_border | (extent >= _SHORTEST_AT_BORDER * side))
    kept[0] = False  # the background
    mask = kept[label]
    if mask.sum() < _FEWEST_PIXELS:
        return []
    joined = [line for line in join_polylines(polylines_of(thin(mask))) if len(line) >= _FEWEST_POINTS]
    lines = _without_echoes(joined, side)
    return lines if sum(map(len, lines)) >= _FEWEST_PIXELS else []


def _without_echoes(lines: Polylines, side: int) -> Polylines:
    """Longest first, without lines that mostly run beside a longer one: thinning leaves steep steps two pixels wide."""
    covered = np.zeros((side + 2, side + 2), dtype=np.bool_)
    kept: Polylines = []
    for line in sorted(lines, key=len, reverse=True):
        x, y = line.astype(np.int64).T + 1
        if covered[y, x].mean() > _BESIDE:
            continue
        kept.append(line)
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                covered[y + dy, x + dx] = True
    return kept


def _ridges(smooth: npt.NDArray[np.float32], cv2: Any) -> npt.NDArray[np.bool_]:
    """Where a map is not lower than at both neighbors across the direction of its greatest curvature."""
    dxx = cv2.Sobel(smooth, cv2.CV_32F, 2, 0, ksize=5)
    dyy = cv2.Sobel(smooth, cv2.CV_32F, 0, 2, ksize=5)
    dxy = cv2.Sobel(smooth, cv2.CV_32F, 1, 1, ksize=5)
    # The eigenvector of the Hessian's higher eigenvalue, or the other one where that is greater in size. At a line's
    # flanks the lower eigenvalue is a faint curvature along the line, across which every point would be a ridge.
    angle = 0.5 * np.arctan2(2 * dxy, dxx - dyy)
    angle = np.where(dxx + dyy < 0, angle + np.pi / 2, angle)
    lowest = 0.5 * (dxx + dyy) - np.sqrt((0.5 * (dxx - dyy)) ** 2 + dxy**2)
    rows, columns = np.mgrid[0 : smooth.shape[0], 0 : smooth.shape[1]].astype(np.float32)
    neighbors = []
    for step in (-1.0, 1.0):
        x, y = columns + step * np.cos(angle), rows + step * np.sin(angle)
        neighbors.append(cv2.remap(smooth, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR))
    found: npt.NDArray[np.bool_] = (lowest < 0) & (smooth >= np.maximum(*neighbors) * 0.98)
    return found
