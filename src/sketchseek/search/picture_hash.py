"""A perceptual hash: pictures of one photo at other sizes and qualities have nearly the same, other pictures do not.

It is pHash with 256 bits: the signs, relative to their median, of the lowest frequencies of the gray picture. Its two
matrix products are all that a library such as imagehash would add, together with SciPy and PyWavelets.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

Hashes = npt.NDArray[np.uint8]

HASH = 32
"""Length of a hash, in bytes."""

_SIDE = 32
_FREQUENCIES = 16

_FLAT = 4.0
"""Standard deviation of gray, from 0 to 255, below which a picture has no hash: noise would decide its bits."""

_ONES = np.array([value.bit_count() for value in range(256)], np.uint8)


def picture_hash(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return the hash of a picture, empty if it is nearly of one color.

    Args:
        pixels: (height, width, 3) uint8, RGB, such as ``read_photo`` returns. Sides above 64 give nearly the same hash.
    """
    small = Image.fromarray(pixels).convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    gray = np.asarray(small, np.float64)
    if gray.std() < _FLAT:
        return b""
    low = (_cosines() @ gray @ _cosines().T).reshape(-1)
    return np.packbits(low > np.median(low[1:])).tobytes()


def differing_bits(hashes: Hashes, one: Hashes) -> npt.NDArray[np.int64]:
    """Return in how many of 256 bits hashes, (n, 32), differ from another one, (32,): (n,)."""
    differing: npt.NDArray[np.int64] = _ONES[hashes ^ one].sum(axis=1, dtype=np.int64)
    return differing


@cache
def _cosines() -> npt.NDArray[np.float64]:
    """Return the first rows of the discrete cosine transform (DCT-II), orthonormal: (16, 32)."""
    at = np.pi * (np.arange(_SIDE) + 0.5) / _SIDE
    rows: npt.NDArray[np.float64] = np.cos(np.arange(_FREQUENCIES)[:, None] * at[None]) * np.sqrt(2 / _SIDE)
    rows[0] /= np.sqrt(2)
    return rows
