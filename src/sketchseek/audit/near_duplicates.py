"""Finds exact duplicates of photos by their pixels, and near-duplicates by a model's embeddings."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from sketchseek.datasets.records import Photo
from sketchseek.errors import InputError
from sketchseek.images import read_photo

HASH_BITS = 10
"""Maximum number of differing bits, of 64, between two difference hashes for pixels to be compared."""

SAME_PIXELS = 0.97
"""Minimum correlation of two thumbnails for an exact duplicate; re-encoded copies reach 0.99."""

NEAR = 0.94
"""Minimum cosine of two photos' embeddings for a near-duplicate. Chosen by eye on Sketchy's training split with the
model ``small`` (docs/audit.md). Other models need other values."""

_SMALL = 32
_BLOCK = 512

DuplicateKind = Literal["same", "mirrored", "near"]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class NearDuplicates:
    """A pair of photos that are duplicates.

    Attributes:
        first, second: Numbers of the photos, the smaller first.
        kind: ``same`` or ``mirrored`` pixels, or ``near`` by embeddings alone.
        cosine: Of the embeddings.
        correlation: Of the thumbnails; of one and the other's mirror image if ``kind`` is ``mirrored``.
    """

    first: int
    second: int
    kind: DuplicateKind
    cosine: float
    correlation: float


@dataclass(frozen=True)
class SmallPictures:
    """Thumbnails of all photos.

    Attributes:
        pixels: (photos, 32, 32, 3) uint8.
        hashes, mirrored: (photos, 8) uint8, difference hashes of the photos and of their mirror images.
        read: (photos,) false for unreadable photos.
    """

    pixels: npt.NDArray[np.uint8]
    hashes: npt.NDArray[np.uint8]
    mirrored: npt.NDArray[np.uint8]
    read: npt.NDArray[np.bool_]


def small_pictures(photos: Sequence[Photo], progress: Progress | None = None) -> SmallPictures:
    """Read thumbnails of all photos, on several threads."""
    pixels = np.zeros((len(photos), _SMALL, _SMALL, 3), dtype=np.uint8)
    read = np.ones(len(photos), dtype=np.bool_)

    def fill(i: int) -> None:
        try:
            pixels[i] = read_photo(photos[i].path, _SMALL)
        except InputError:
            read[i] = False

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for done, _ in enumerate(pool.map(fill, range(len(photos))), 1):
            if progress is not None and (done % 64 == 0 or done == len(photos)):
                progress("small pictures", done, len(photos))
    hashes = [(difference_hash(picture), difference_hash(picture[:, ::-1])) for picture in pixels]
    both = np.array(hashes, dtype=np.uint8).reshape(len(photos), 2, 8)
    return SmallPictures(pixels, both[:, 0], both[:, 1], read)


def difference_hash(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(8,) uint8 difference hash (dHash): for each of 8 × 8 cells, whether it is lighter than its right neighbor."""
    gray = Image.fromarray(picture).convert("L").resize((9, 8), Image.Resampling.BOX)
    cells = np.asarray(gray, dtype=np.int16)
    return np.packbits((cells[:, :-1] > cells[:, 1:]).reshape(-1))


def find_near_duplicates(
    small: SmallPictures,
    embeddings: npt.NDArray[np.float32],
    *,
    near: float = NEAR,
    progress: Progress | None = None,
) -> list[NearDuplicates]:
    """All pairs of duplicates, in the order of their numbers.

    Args:
        small: What ``small_pictures`` returned.
        embeddings: (photos, d); zeros for photos without an embedding.
        near: Minimum cosine for a near-duplicate.
        progress: Called with what is being done, the number done and the total.
    """
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit = embeddings / np.maximum(lengths, 1e-12)
    found: list[NearDuplicates] = []
    count = len(unit)
    for start in range(0, count, _BLOCK):  # in blocks: all pairs at once need photos² numbers
        rows = slice(start, min(start + _BLOCK, count))
        cosine = unit[rows] @ unit[start:].T
        hits = cosine >= near
        hits |= _differing(small.hashes[rows], small.hashes[start:]) <= HASH_BITS
        hits |= _differing(small.mirrored[rows], small.hashes[start:]) <= HASH_BITS
        for i, j in zip(*np.nonzero(np.triu(hits, 1)), strict=True):
            a, b = start + int(i), start + int(j)
            if small.read[a] and small.read[b]:
                pair = _judge(small, a, b, float(cosine[i, j]), near)
                found += [pair] if pair is not None else []
        if progress is not None:
            progress("duplicates", rows.stop, count)
    return found


def _judge(small: SmallPictures, a: int, b: int, cosine: float, near: float) -> NearDuplicates | None:
    straight = _correlation(small.pixels[a], small.pixels[b])
    turned = _correlation(small.pixels[a][:, ::-1], small.pixels[b])
    if max(straight, turned) >= SAME_PIXELS:
        return NearDuplicates(a, b, "same" if straight >= turned else "mirrored", cosine, max(straight, turned))
    return NearDuplicates(a, b, "near", cosine, straight) if cosine >= near else None


def _correlation(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> float:
    """Correlation of two thumbnails; 0 if one has no contrast, since it matches any other of its brightness."""
    a, b = first.astype(np.float64).reshape(-1), second.astype(np.float64).reshape(-1)
    if min(a.std(), b.std()) < 4.0:
        return 0.0
    return float(((a - a.mean()) * (b - b.mean())).mean() / (a.std() * b.std()))


_COUNTS = np.array([bin(byte).count("1") for byte in range(256)], dtype=np.uint8)


def _differing(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """(first, second) number of differing bits of two hashes."""
    total = np.zeros((len(first), len(second)), dtype=np.uint16)
    for byte in range(first.shape[1]):
        total += _COUNTS[first[:, byte, None] ^ second[None, :, byte]]
    return total
