"""Finds exact duplicates of photos by their pixels, and near-duplicates by a model's embeddings."""

from __future__ import annotations

from collections.abc import Sequence
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


def near_duplicate_threshold(
    embeddings: npt.NDArray[np.float32], categories: Sequence[str], *, quantile: float
) -> tuple[float | None, int]:
    """Minimum cosine of a near-duplicate, from photos that cannot be near-duplicates.

    Each photo's best cosine to a photo of another category is a sample of a null distribution. Photos of one category
    resemble each other more than that without being duplicates, so the threshold is halfway from the quantile to 1,
    the cosine of a photo to itself.

    Args:
        embeddings: (photos, d); zeros for photos without an embedding, which do not count.
        categories: Of each photo.
        quantile: Of the null distribution, from 0 to 1.

    Returns:
        The threshold and the number of samples. None and 0 if all photos are of one category: they have no null
        distribution.
    """
    unit = _unit(embeddings)
    number = np.unique(np.asarray(categories, dtype=str), return_inverse=True)[1]
    valid = np.flatnonzero(unit.any(axis=1))
    if len(np.unique(number[valid])) < 2:
        return None, 0
    best = []
    for start in range(0, len(valid), _BLOCK):
        rows = valid[start : start + _BLOCK]
        cosine = unit[rows] @ unit[valid].T
        best.append(np.where(number[rows][:, None] == number[valid], -np.inf, cosine).max(axis=1))
    samples = np.concatenate(best)
    return float(1 + np.quantile(samples, quantile)) / 2, len(samples)


def find_near_duplicates(
    small: SmallPictures,
    embeddings: npt.NDArray[np.float32],
    *,
    near: float | None,
    progress: Progress | None = None,
) -> list[NearDuplicates]:
    """All pairs of duplicates, in the order of their numbers.

    Args:
        small: What ``small_pictures`` returned.
        embeddings: (photos, d); zeros for photos without an embedding.
        near: Minimum cosine for a near-duplicate; None for exact duplicates only.
        progress: Called with what is being done, the number done and the total.
    """
    unit, least = _unit(embeddings), np.inf if near is None else near
    found: list[NearDuplicates] = []
    count = len(unit)
    for start in range(0, count, _BLOCK):  # in blocks: all pairs at once need photos² numbers
        rows = slice(start, min(start + _BLOCK, count))
        cosine = unit[rows] @ unit[start:].T
        hits = cosine >= least
        hits |= differing_bits(small.hashes[rows], small.hashes[start:]) <= HASH_BITS
        hits |= differing_bits(small.mirrored[rows], small.hashes[start:]) <= HASH_BITS
        for i, j in zip(*np.nonzero(np.triu(hits, 1)), strict=True):
            a, b = start + int(i), start + int(j)
            if small.read[a] and small.read[b]:
                pair = _judge(small, a, b, float(cosine[i, j]), least)
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


def _unit(embeddings: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.asarray(embeddings / np.maximum(lengths, 1e-12), dtype=np.float32)
