"""Reduce masks of ink to lines one pixel wide: hollow filled areas, thin lines, find connected components."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Mask = npt.NDArray[np.bool_]
"""(height, width) bool, true where there is ink."""


def hollow(mask: Mask, thickest: int) -> Mask:
    """Reduce ink thicker than ``thickest`` pixels (an odd number) to its outline; lines stay as they are.

    The mask's border must be free of ink for ``thickest`` pixels.
    """
    radius = thickest // 2
    # A box blur is full where the box fits into the ink and above nothing where it touches it: erosion and dilation.
    core = _box_blur(mask, radius) == 255
    if not core.any():
        return mask
    parts = Components(core)
    core = parts.mask(parts.extent > radius)  # less is where thick lines meet
    if not core.any():
        return mask
    edge: Mask = mask & (_box_blur(core, radius - 2) == 0)
    return edge


def _box_blur(mask: Mask, radius: int) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).filter(ImageFilter.BoxBlur(radius)))


_CORNER = 0b00011100  # ink to the east, south-east and south only


def _thinning_tables() -> npt.NDArray[np.bool_]:
    """For both passes of Zhang and Suen (1984), by the eight neighbors as bits: whether the pixel may be removed."""
    tables = np.zeros((2, 256), dtype=np.bool_)
    for code in range(256):
        p = [code >> bit & 1 for bit in range(8)]  # north, then clockwise
        crossings = sum(p[i] == 0 and p[(i + 1) % 8] == 1 for i in range(8))
        if 2 <= sum(p) <= 6 and crossings == 1:
            tables[0, code] = p[0] * p[2] * p[4] == 0 and p[2] * p[4] * p[6] == 0
            tables[1, code] = p[0] * p[2] * p[6] == 0 and p[0] * p[4] * p[6] == 0
    # North-west corners wait for the second pass. The published rules do not ask for it, but raster 1 has it.
    tables[0, _CORNER] = False
    return tables


_TABLES = _thinning_tables()
_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
_BEYOND = ((-1, 2), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (2, -1))


def thin(mask: Mask) -> Mask:
    """Thin lines to one pixel by Zhang and Suen's method, visiting ink pixels only; no component disappears."""
    pad = np.pad(mask, 2)
    flat = pad.reshape(-1).view(np.uint8)
    ink = np.flatnonzero(flat)
    steps = [dy * pad.shape[1] + dx for dy, dx in _AROUND]
    beyond = [dy * pad.shape[1] + dx for dy, dx in _BEYOND]
    while True:
        before = ink.size
        for table in _TABLES:
            code = np.zeros(ink.size, dtype=np.uint8)
            for bit, step in enumerate(steps):
                code |= flat[ink + step] << np.uint8(bit)
            gone = table[code]
            corners = np.flatnonzero(code == _CORNER)
            if corners.size:  # the published rules erase a dot of 2 × 2 pixels; its north-west one stays
                gone[corners[~np.any([flat[ink[corners] + step] for step in beyond], axis=0)]] = False
            flat[ink[gone]] = 0
            ink = ink[~gone]
        if ink.size == before:
            return pad[2:-2, 2:-2]


class Components:
    """The 8-connected components of a mask.

    Args:
        mask: (height, width) bool.

    Attributes:
        count: Number of components.
        area: (count,) pixels of each.
        extent: (count,) longer side of each one's bounding box in pixels.
    """

    def __init__(self, mask: Mask) -> None:
        # Runs of ink are linked to the runs that they touch in the next row; labels then spread along the links.
        self._shape = mask.shape
        span = mask.shape[1] + 2
        edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).view(np.int8), axis=1)
        self._row, self._start = np.nonzero(edges == 1)
        self._end = np.nonzero(edges == -1)[1]
        first = np.searchsorted(self._row * span + self._end, (self._row + 1) * span + self._start, side="left")
        last = np.searchsorted(self._row * span + self._start, (self._row + 1) * span + self._end, side="right")
        joints = np.maximum(last - first, 0)
        upper = np.repeat(np.arange(joints.size), joints)
        lower = np.arange(upper.size) - np.repeat(np.cumsum(joints) - joints, joints) + np.repeat(first, joints)
        label = np.arange(joints.size)
        while True:
            smaller = np.minimum(label[upper], label[lower])
            if (label[upper] == label[lower]).all():
                break
            np.minimum.at(label, label[upper], smaller)
            np.minimum.at(label, label[lower], smaller)
            while (label[label] != label).any():
                label = label[label]
        self._part = np.unique(label, return_inverse=True)[1].reshape(-1)
        self.count = int(self._part.max(initial=-1)) + 1
        self.area = self._sum(self._end - self._start)
        self.extent = np.maximum(self._spread(self._row, self._row + 1), self._spread(self._start, self._end))

    def pixels(self, chosen: Mask) -> npt.NDArray[np.int64]:
        """(count,) pixels of each component that are also set in another mask of the same shape."""
        sums = np.concatenate([[0], np.cumsum(chosen, dtype=np.int64)])
        start = self._row * self._shape[1] + self._start
        return self._sum(sums[start + self._end - self._start] - sums[start])

    def mask(self, keep: Mask) -> Mask:
        """The mask with only those parts for which ``keep``, (count,) bool, is set."""
        steps = np.zeros((self._shape[0], self._shape[1] + 1), dtype=np.int8)
        kept = keep[self._part]
        steps[self._row[kept], self._start[kept]] += 1
        steps[self._row[kept], self._end[kept]] -= 1
        return np.cumsum(steps, axis=1, dtype=np.int8)[:, :-1] > 0

    def _sum(self, values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return np.bincount(self._part, weights=values, minlength=self.count).astype(np.int64)

    def _spread(self, low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        least = np.full(self.count, np.iinfo(np.int64).max)
        most = np.zeros(self.count, dtype=np.int64)
        np.minimum.at(least, self._part, low)
        np.maximum.at(most, self._part, high)
        spread: npt.NDArray[np.int64] = most - least
        return spread
