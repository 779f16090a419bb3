"""A slow engine in plain NumPy, which the other engines are tested against."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from sketchseek.models.package import Distance
from sketchseek.search.index.protocol import Ids, Scores, VectorIndex, Vectors


class ReferenceIndex:
    """Computes every score in float64 and sorts. Implements ``VectorIndex``."""

    name: ClassVar[str] = "reference"
    oversampling: ClassVar[int] = 1

    def __init__(self, dimension: int, distance: Distance) -> None:
        self.dimension = dimension
        self.distance: Distance = distance
        self._ids = np.empty(0, np.int64)
        self._vectors = np.empty((0, dimension), np.float64)

    @classmethod
    def create(cls, dimension: int, distance: Distance, *, sample: Vectors, count: int) -> VectorIndex:
        return cls(dimension, distance)

    @classmethod
    def load(cls, path: Path, dimension: int, distance: Distance) -> VectorIndex:
        index = cls(dimension, distance)
        with np.load(path, allow_pickle=False) as file:
            index._ids, index._vectors = file["ids"], file["vectors"]
            if str(file["distance"]) != distance or index._vectors.shape != (len(index._ids), dimension):
                raise ValueError("another distance or dimension")
        return index

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, ids=self._ids, vectors=self._vectors, distance=np.array(self.distance))

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        self._ids = np.concatenate([self._ids, ids])
        self._vectors = np.concatenate([self._vectors, vectors.astype(np.float64)])

    def remove(self, ids: Ids) -> int:
        keep = ~np.isin(self._ids, ids)
        self._ids, self._vectors = self._ids[keep], self._vectors[keep]
        return int((~keep).sum())

    def search(self, vectors: Vectors, k: int, allowed: Ids | None = None) -> tuple[Ids, Scores]:
        keep = np.ones(len(self), np.bool_) if allowed is None else np.isin(self._ids, allowed)
        ids, held = self._ids[keep], self._vectors[keep]
        query = vectors.astype(np.float64)
        distances = np.linalg.norm(query[:, None] - held[None], axis=2)
        scores = query @ held.T if self.distance == "cosine" else -distances
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return ids[order], np.take_along_axis(scores, order, axis=1).astype(np.float32)
