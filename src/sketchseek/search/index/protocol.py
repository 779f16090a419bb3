"""The protocol of index engines."""

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
    """A searchable set of vectors with ids.

    Higher scores are better: the inner product if the distance is ``cosine``, the negative distance if it is
    ``euclidean``.

    Attributes:
        name: Name of the engine.
        oversampling: Factor of candidates to fetch and score again with the original vectors, for a recall of about
            0.99; 1 if the index holds the original vectors.
        distance: ``cosine`` or ``euclidean``.
        dimension: Length of a vector.
    """

    name: ClassVar[str]
    oversampling: ClassVar[int]
    distance: Distance
    dimension: int

    @classmethod
    def create(cls, dimension: int, distance: Distance, *, sample: Vectors, count: int) -> VectorIndex:
        """Create an empty index.

        Args:
            dimension: Length of a vector.
            distance: ``cosine`` or ``euclidean``.
            sample: Vectors like those that will be added, (m, dimension); engines with a partition learn it from them.
            count: Expected number of vectors.
        """

    @classmethod
    def load(cls, path: Path, dimension: int, distance: Distance) -> VectorIndex:
        """Read what ``save`` wrote.

        Raises:
            ValueError: The file is not an index of this engine, dimension and distance.
        """

    def save(self, path: Path) -> None:
        """Write to a file in place; the caller makes it atomic."""

    def __len__(self) -> int: ...

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add vectors, (m, dimension), under ids, (m,), that the index does not hold."""

    def remove(self, ids: Ids) -> int:
        """Remove ids, ignoring unknown ones. Returns the number removed."""

    def search(self, vectors: Vectors, k: int, allowed: Ids | None = None) -> tuple[Ids, Scores]:
        """Find the nearest of the allowed vectors, best first.

        Args:
            vectors: (m, dimension).
            k: Number of results for each query; at least 1.
            allowed: Ids to search among, without repeats; ``None`` for all.

        Returns:
            Ids and scores, each (m, n): n is k, or the number of allowed ids in the index if that is smaller.
        """
