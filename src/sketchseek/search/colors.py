"""Colors of photos: a small signature per photo, and how well it fits a palette.

A signature says how much of a photo is near each of 64 anchors, which are spread evenly over RGB. Nearness is measured
in CIE Lab, where distances are closer to what people see. The middle of the photo counts more than its border.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import ImageColor

from sketchseek.errors import InputError

SIGNATURE = 64
"""Length of a signature, in bytes."""

MAX_COLORS = 8
"""Maximum number of colors in a palette."""

_SIDE = 32
_SPREAD = 20.0
"""Standard deviation of nearness, in units of Lab: about the distance of neighboring anchors."""

Pixels = npt.NDArray[np.uint8]
Signatures = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class PaletteColor:
    """A color that is searched.

    Attributes:
        color: ``#rrggbb``, ``#rgb`` or a CSS color name.
        weight: How much of it there is, relative to the palette's other colors; above 0.

    Raises:
        InputError: It is no color, or the weight is not above 0.
    """

    color: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        self.rgb()
        if not 0 < self.weight <= 1000:
            raise InputError(f"the weight of color {self.color} is {self.weight}; it must be above 0, at most 1000.")

    def rgb(self) -> tuple[int, int, int]:
        """Return red, green and blue from 0 to 255."""
        if not re.fullmatch(r"#[0-9a-fA-F]{3}|#[0-9a-fA-F]{6}|[a-zA-Z]{3,30}", self.color):
            raise InputError(f"{self.color[:40]!r} is not a color.", remedy="Write it as #rrggbb, or by its CSS name.")
        try:
            red, green, blue = ImageColor.getrgb(self.color)[:3]
        except ValueError as error:
            raise InputError(f"{self.color!r} is not a color.", remedy="Write it as #rrggbb.") from error
        return red, green, blue


def signature_of(pixels: Pixels) -> bytes:
    """Return the signature of a photo.

    Args:
        pixels: (height, width, 3) uint8, RGB, such as ``Encoder.read_photo`` returns.
    """
    at = (np.arange(_SIDE) + 0.5) / _SIDE
    rows, columns = ((at * side).astype(int) for side in pixels.shape[:2])
    grid = pixels[rows][:, columns].reshape(-1, 3).astype(np.int64) >> 4
    middle = np.exp(-((2 * at[:, None] - 1) ** 2 + (2 * at[None] - 1) ** 2)).reshape(-1)
    amounts = np.bincount(grid @ np.array([256, 16, 1]), weights=middle / middle.sum(), minlength=4096) @ _table()
    # The root makes a small spot of color count nearly as much as a large one.
    strength = np.sqrt(amounts)
    rounded: Signatures = np.round(255 * strength / np.linalg.norm(strength)).astype(np.uint8)
    return rounded.tobytes()


def palette_scores(signatures: Signatures, palette: Sequence[PaletteColor]) -> npt.NDArray[np.float32]:
    """Return how well photos fit a palette.

    Args:
        signatures: (n, 64) uint8.
        palette: The colors.

    Returns:
        (n,) float32, from 0 to 1.
    """
    near = _near(_lab(np.array([color.rgb() for color in palette], np.float64)))
    weights = np.array([color.weight for color in palette])
    strength = np.sqrt(weights / weights.sum() @ near)
    query = (strength / np.linalg.norm(strength) / 255).astype(np.float32)
    scores: npt.NDArray[np.float32] = signatures.astype(np.float32) @ query
    return scores


@cache
def _table() -> npt.NDArray[np.float64]:
    """Return how colors of four bits a channel divide among the anchors: (4096, 64). Computed once: it takes 10 ms."""
    steps = np.arange(16) * 16 + 7.5
    return _near(_lab(np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)))


def _lab(rgb: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Convert sRGB from 0 to 255, (n, 3), to CIE Lab with white point D65, (n, 3)."""
    c = rgb / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T / _WHITE
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def _near(lab: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return how colors, (n, 3), divide among the anchors: (n, 64), rows sum to 1."""
    squares = ((lab[:, None] - _ANCHORS[None]) ** 2).sum(axis=2)
    # The nearest anchor's distance is taken off, so that colors far from every anchor count as much as others.
    nearness = np.exp(-(squares - squares.min(axis=1, keepdims=True)) / (2 * _SPREAD**2))
    shares: npt.NDArray[np.float64] = nearness / nearness.sum(axis=1, keepdims=True)
    return shares


_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])
_ANCHORS = _lab(np.stack(np.meshgrid(*[[0.0, 85.0, 170.0, 255.0]] * 3, indexing="ij"), axis=-1).reshape(-1, 3))
