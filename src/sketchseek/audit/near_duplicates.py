"""Finds exact duplicates of photos by their pixels, and near-duplicates by a model's embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from sketchseek.datasets.same_pictures import (
    HASH_BITS,
    SAME_PIXELS,
    SmallPictures,
    correlation,
    differing_bits,
)
from sketchseek.progress import Progress

NEAR = 0.94
"""Minimum cosine of two photos' embeddings for a near-duplicate. Chosen by eye on Sketchy's training split with the
model ``small`` (docs/audit.md). Other models need other values."""

_BLOCK = 512

DuplicateKind = Literal["same", "mirrored", "near"]


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
        hits |= differing_bits(small.hashes[rows], small.hashes[start:]) <= HASH_BITS
        hits |= differing_bits(small.mirrored[rows], small.hashes[start:]) <= HASH_BITS
        for i, j in zip(*np.nonzero(np.triu(hits, 1)), strict=True):
            a, b = start + int(i), start + int(j)
            if small.read[a] and small.read[b]:
                pair = _judge(small, a, b, float(cosine[i, j]), near)
                found += [pair] if pair is not None else []
        if progress is not None:
            progress("duplicates", rows.stop, count)
    return found


def _judge(small: SmallPictures, a: int, b: int, cosine: float, near: float) -> NearDuplicates | None:
    straight = correlation(small.pixels[a], small.pixels[b])
    turned = correlation(small.pixels[a][:, ::-1], small.pixels[b])
    if max(straight, turned) >= SAME_PIXELS:
        return NearDuplicates(a, b, "same" if straight >= turned else "mirrored", cosine, max(straight, turned))
    return NearDuplicates(a, b, "near", cosine, straight) if cosine >= near else None
