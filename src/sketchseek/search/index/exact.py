"""Exhaustive search of fp16 vectors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from sketchseek.models.package import Distance
from sketchseek.search.index.engine import FaissIndex, faiss_metric, load_faiss
from sketchseek.search.index.protocol import Ids, Scores, Vectors

_BLOCK = 65_536


class ExactIndex(FaissIndex):
    """faiss's exhaustive search over fp16 vectors; exact except for the rounding of the vectors."""

    name: ClassVar[str] = "exact"
    oversampling: ClassVar[int] = 1

    @classmethod
    def create(cls, dimension: int, distance: Distance, *, sample: Vectors, count: int) -> ExactIndex:
        faiss = load_faiss()
        flat = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss_metric(distance))
        return cls(faiss.IndexIDMap2(flat), dimension, distance)

    @classmethod
    def _is_ours(cls, inner: Any) -> bool:
        faiss = load_faiss()
        if not isinstance(inner, faiss.IndexIDMap2):
            return False
        flat = faiss.downcast_index(inner.index)
        return isinstance(flat, faiss.IndexScalarQuantizer) and flat.sq.qtype == faiss.ScalarQuantizer.QT_fp16

    def contents(self) -> Iterator[tuple[Ids, Vectors]]:
        """Yield ids, (m,), and vectors, (m, dimension), in blocks."""
        faiss = load_faiss()
        ids: Ids = faiss.vector_to_array(self._inner.id_map)
        flat = faiss.downcast_index(self._inner.index)
        for start in range(0, len(ids), _BLOCK):
            some = ids[start : start + _BLOCK]
            yield some, flat.reconstruct_n(start, len(some))

    def _search(self, query: Vectors, k: int, allowed: Ids | None) -> tuple[Scores, Ids]:
        if allowed is None:
            values, ids = self._inner.search(query, k)
            return values, ids
        selector, kept = self._selector(allowed)
        values, ids = self._inner.search(query, k, params=load_faiss().SearchParameters(sel=selector))
        del kept
        return values, ids
