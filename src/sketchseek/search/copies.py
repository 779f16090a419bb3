"""Grouping results that are copies of one photo: the same file, or the same picture saved again.

Copies are told by their perceptual hashes, or by their embeddings where a photo has no hash. Results are taken in
order: each joins the first group whose best photo it is a copy of, or begins a new one. So a group's place depends only
on results before it, and pages of groups fit together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sketchseek.models.package import Distance
from sketchseek.search.picture_hash import HASH, differing_bits
from sketchseek.search.results import PhotoCopy, SearchResult

Embedding = npt.NDArray[np.float32]

BITS = 13
"""Most bits of 256 in which the hashes of two copies differ, measured by ``experiments/copies/measure.py``."""

SAME = 0.98
"""Smallest cosine of the embeddings of two copies, where one of them has no hash.

With the bundled model ``small``, of 600 photos of Caltech-101 (300 pixels wide) no two come above 0.972. Copies that
are smaller than the encoder's input (260 pixels) or strongly compressed are not told.
"""

Look = tuple[Embedding, bytes]
"""A photo's embedding and its hash, which may be empty."""

MARGIN = 50
"""Results that are looked at beyond those asked for: more are fetched if there are so many copies."""


def grouped(
    search: Callable[[int], Sequence[SearchResult]],
    look_of: Callable[[int], Look | None],
    k: int,
    offset: int,
    distance: Distance,
) -> list[SearchResult]:
    """Search for groups of copies.

    Args:
        search: Returns as many results as it is asked for, best first, or as there are.
        look_of: Returns a photo's embedding and hash, or None if the photo was removed meanwhile.
        k: Maximum number of groups.
        offset: Number of best groups to skip.
        distance: How embeddings are compared.

    Returns:
        The best photo of each group, with its place among the groups as rank and the other photos as ``copies``.
    """
    end = offset + k
    asked = end + MARGIN
    while True:
        found = search(asked)
        groups = _group(found, look_of, distance)
        if len(groups) > end or len(found) < asked:
            break
        asked *= 2
    return [
        replace(first, rank=rank, copies=tuple(PhotoCopy(one.id, one.path) for one in others))
        for rank, (first, *others) in enumerate(groups[offset:end], start=offset + 1)
    ]


def _group(
    results: Sequence[SearchResult], look_of: Callable[[int], Look | None], distance: Distance
) -> list[list[SearchResult]]:
    groups: list[list[SearchResult]] = []
    firsts: _Firsts | None = None
    for result in results:
        look = look_of(result.id)
        if look is None:
            continue
        if firsts is None:
            firsts = _Firsts(len(results), len(look[0]), distance)
        place = firsts.copy_of(look)
        if place is None:
            firsts.add(look)
            groups.append([result])
        else:
            groups[place].append(result)
    return groups


class _Firsts:
    """The best photos of the groups so far.

    Args:
        room: Maximum number of groups.
        dimensions: Length of an embedding.
        distance: How embeddings are compared.
    """

    def __init__(self, room: int, dimensions: int, distance: Distance) -> None:
        self._distance = distance
        self._embeddings = np.empty((room, dimensions), np.float32)
        self._hashes = np.zeros((room, HASH), np.uint8)
        self._has_hash = np.zeros(room, np.bool_)
        self._count = 0

    def add(self, look: Look) -> None:
        """Add the best photo of a new group."""
        embedding, bits = look
        self._embeddings[self._count] = self._unit(embedding)
        if len(bits) == HASH:
            self._hashes[self._count] = np.frombuffer(bits, np.uint8)
            self._has_hash[self._count] = True
        self._count += 1

    def copy_of(self, look: Look) -> int | None:
        """Return the first group whose best photo this is a copy of, or None."""
        embedding, bits = look
        same = self._alike(self._unit(embedding))
        if len(bits) == HASH:
            close = differing_bits(self._hashes[: self._count], np.frombuffer(bits, np.uint8)) <= BITS
            same = np.where(self._has_hash[: self._count], close, same)
        return int(np.argmax(same)) if same.any() else None

    def _alike(self, embedding: Embedding) -> npt.NDArray[np.bool_]:
        """Return which of the photos have nearly this embedding."""
        embeddings = self._embeddings[: self._count]
        if self._distance == "cosine":
            alike: npt.NDArray[np.bool_] = embeddings @ embedding >= SAME
            return alike
        # The distance of two unit vectors with this cosine, in relation to the length of the embedding.
        limit = (2 - 2 * SAME) ** 0.5 * float(np.linalg.norm(embedding))
        near: npt.NDArray[np.bool_] = np.linalg.norm(embeddings - embedding, axis=1) <= limit
        return near

    def _unit(self, embedding: Embedding) -> Embedding:
        if self._distance != "cosine":
            return embedding
        return embedding / np.float32(max(float(np.linalg.norm(embedding)), 1e-12))
