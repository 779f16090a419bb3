"""Approximate search: visits the nearest cells of a partition, and all vectors that were added since it was made."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from sketchseek.models.package import Distance
from sketchseek.search.index.engine import blocks, read_file, scores_of, use_threads, write_file
from sketchseek.search.index.exact import ExactIndex
from sketchseek.search.index.partition import Partition, Subset
from sketchseek.search.index.protocol import Ids, Scores, VectorIndex, Vectors
from sketchseek.search.recent_cache import RecentCache

SUBSETS = 8
"""Maximum number of subsets that are kept prepared."""


class ApproximateIndex(VectorIndex):
    """A partition, and beside it an exhaustive index of recent vectors. Saving moves these into the partition."""

    name: ClassVar[str] = "approximate"
    oversampling: ClassVar[int] = 2

    def __init__(self, partition: Partition, dimension: int, distance: Distance, *, room: int = 0) -> None:
        self.dimension = dimension
        self.distance: Distance = distance
        self._partition = partition
        self._room = room  # number of vectors that the partition takes before others count as recent
        self._recent = self._no_vectors()
        self._subsets: RecentCache[int, tuple[Ids, Subset]] = RecentCache(SUBSETS)

    @classmethod
    def create(cls, dimension: int, distance: Distance, *, sample: Vectors, count: int) -> ApproximateIndex:
        return cls(Partition.create(dimension, distance, sample, count), dimension, distance, room=count)

    @classmethod
    def load(cls, path: Path, dimension: int, distance: Distance) -> ApproximateIndex:
        return cls(Partition(read_file(path, cls.name, dimension, distance, Partition.is_one)), dimension, distance)

    def save(self, path: Path) -> None:
        if len(self._recent):
            for ids, vectors in self._recent.contents():
                self._partition.add(ids, vectors)
            self._recent = self._no_vectors()
            self._subsets.clear()
        write_file(self._partition.store, path)

    def __len__(self) -> int:
        return len(self._partition) + len(self._recent)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        taken = min(self._room, len(ids))
        self._room -= taken
        for some, their_vectors in blocks(ids[:taken], vectors[:taken]):
            self._partition.add(some, their_vectors)
        self._recent.add(ids[taken:], vectors[taken:])

    def remove(self, ids: Ids) -> int:
        if len(ids) == 0:
            return 0
        self._subsets.clear()
        return self._partition.remove(np.unique(ids)) + self._recent.remove(ids)

    def search(self, vectors: Vectors, k: int, allowed: Ids | None = None) -> tuple[Ids, Scores]:
        query = np.ascontiguousarray(vectors, dtype=np.float32)
        use_threads(len(query))
        subset = None if allowed is None else self._subset(allowed)
        ids, values = self._partition.search(query, k, subset)
        scores = scores_of(values, self.distance)
        if len(self._recent) == 0:
            return ids, scores
        recent, their_scores = self._recent.search(query, k, None if subset is None else subset.others)
        ids, scores = np.hstack([ids, recent]), np.hstack([scores, their_scores])
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(ids, best, axis=1), np.take_along_axis(scores, best, axis=1)

    def _subset(self, allowed: Ids) -> Subset:
        """Prepare a search among ids; those of the last arrays are kept, since a filter is searched again and again."""
        return self._subsets.get(id(allowed), lambda: (allowed, self._partition.subset(allowed)))[1]

    def _no_vectors(self) -> ExactIndex:
        nothing = np.empty((0, self.dimension), np.float32)
        return ExactIndex.create(self.dimension, self.distance, sample=nothing, count=0)
