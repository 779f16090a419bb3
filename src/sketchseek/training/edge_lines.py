"""Polylines of a pseudo-sketch from a map of edge probabilities.

The ridges of the map are thinned, weak and short pieces and pieces at the border are dropped, and the rest is followed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sketchseek.sketches.thinning import thin
from sketchseek.training.opencv import load_opencv
from sketchseek.training.polylines import Polylines, join_polylines, polylines_of

_SMOOTH = 1.2  # standard deviation in pixels of the blur before ridge detection
_WEAKEST = 0.4  # fraction of the threshold down to which a line continues
_SHORTEST = 0.05  # minimum extent of a piece, as a fraction of the side
_SHORTEST_AT_BORDER = 0.4  # the same for pieces at the border, which are mostly cut off
_FEWEST_PIXELS = 60  # minimum number of pixels in a pseudo-sketch
_FEWEST_POINTS = 6  # minimum number of points in a polyline
_BESIDE = 0.5  # fraction of points beside a longer polyline that make a polyline its echo


def edge_lines(edges: npt.NDArray[np.uint8], threshold: float) -> Polylines:
    """Polylines of an edge map, in pixels, longest first; an empty list if there are no clear lines.

    Args:
        edges: (side, side) uint8; 255 is a certain edge.
        threshold: Minimum of a line's highest edge probability, from 0 to 1.
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
    """Remove lines that mostly run beside a longer one, since thinning leaves steep steps two pixels wide."""
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
    """Pixels that are not lower than both neighbors along the direction of greatest curvature."""
    dxx = cv2.Sobel(smooth, cv2.CV_32F, 2, 0, ksize=5)
    dyy = cv2.Sobel(smooth, cv2.CV_32F, 0, 2, ksize=5)
    dxy = cv2.Sobel(smooth, cv2.CV_32F, 1, 1, ksize=5)
    # The direction of the Hessian's eigenvalue with the larger magnitude. Beside a line the lower eigenvalue is a weak
    # curvature along the line; in that direction every pixel would be a ridge.
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
