"""What every vector engine does."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from sketchseek.models.package import Distance

Ids = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32] | npt.NDArray[np.float16]
Scores = npt.NDArray[np.float32]


class VectorIndex(Protocol):
    """Vectors under ids, searchable.

    Scores are higher the better: the inner product where the distance is ``cosine``, minus the distance where it is
    ``euclidean``.

    Attributes:
        name: Of the engine.
        oversampling: How many times as many as are params to ask for, and to score again by their true vectors, for a
            recall of about 0.99; 1 where the index holds the true vectors.
        distance, dimension: Of the vectors.
    """

    name: ClassVar[str]
    oversampling: ClassVar[int]
    distance: Distance
    dimension: int

    @classmethod
    def create(cls, dimension: int, distance: Distance, *, sample: Vectors, count: int) -> VectorIndex:
        """An empty index.

        Args:
            dimension: Length of a vector.
            distance: ``cosine`` or ``euclidean``.
            sample: (m, dimension), vectors like those that will be added; engines that learn a partition learn it here.
            count: How many vectors are to be expected.
        """

    @classmethod
    def load(cls, path: Path, dimension: int, distance: Distance) -> VectorIndex:
        """Read what ``save`` wrote.

        Raises:
            ValueError: The file is no index of this engine, dimension and distance.
        """

    def save(self, path: Path) -> None:
        """Write to a file, in place: writing aside and renaming is the caller's."""

    def __len__(self) -> int: ...

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add vectors, (m, dimension), under ids, (m,), that the index does not hold."""

    def remove(self, ids: Ids) -> int:
        """Remove ids; those that the index does not hold are passed over. Returns how many were removed."""

    def search(self, vectors: Vectors, k: int, allowed: Ids | None = None) -> tuple[Ids, Scores]:
        """The nearest of the allowed vectors, best first.

        Args:
            vectors: (m, dimension).
            k: How many to find for each; at least 1.
            allowed: Ids to search among, without repeats; ``None`` for all.

        Returns:
            Ids and scores, each (m, n): n is k, or the number of allowed ids in the index where that is fewer.
        """
