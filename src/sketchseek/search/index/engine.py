"""The base class of the faiss engines: ids, filters, scores and files."""

from __future__ import annotations

import math
import os
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from sketchseek.models.package import Distance
from sketchseek.search.index.protocol import Ids, Scores, VectorIndex, Vectors

MAX_THREADS = 8
_BLOCK = 65_536  # vectors that are converted to float32 at once


@cache
def load_faiss() -> Any:
    """Import faiss on first use, since it takes a while."""
    import faiss

    return faiss


def use_threads(queries: int) -> None:
    """Set the number of threads that faiss uses in this thread's next call.

    faiss runs one query on one thread, but wakes the others and waits for them: on a busy machine, 30 ms for a search
    of 0.5 ms. Many queries, and training, use every core. OMP_NUM_THREADS is an upper limit.
    """
    allowed = int(os.environ["OMP_NUM_THREADS"]) if os.environ.get("OMP_NUM_THREADS", "").isdigit() else MAX_THREADS
    load_faiss().omp_set_num_threads(max(1, min(queries, allowed, available_cores())))


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class FaissIndex(VectorIndex):
    """A faiss index with our ids. Subclasses define ``create``, ``_is_ours`` and ``_search``."""

    name: ClassVar[str]

    def __init__(self, inner: Any, dimension: int, distance: Distance) -> None:
        self.dimension = dimension
        self.distance: Distance = distance
        self._inner = inner

    @classmethod
    def load(cls, path: Path, dimension: int, distance: Distance) -> Self:
        faiss = load_faiss()
        try:
            inner = faiss.read_index(str(path))
        except RuntimeError as error:
            raise ValueError(f"{path}: faiss cannot read it ({error})") from error
        if inner.d != dimension or inner.metric_type != faiss_metric(distance) or not cls._is_ours(inner):
            raise ValueError(f"{path}: not an {cls.name} index with {dimension} dimensions and distance {distance}")
        return cls(inner, dimension, distance)

    @classmethod
    def _is_ours(cls, inner: Any) -> bool:
        raise NotImplementedError

    def save(self, path: Path) -> None:
        try:
            load_faiss().write_index(self._inner, str(path))
        except RuntimeError as error:  # faiss raises nothing more specific for a full disk
            raise OSError(f"{path}: faiss cannot write it ({error})") from error

    def __len__(self) -> int:
        return int(self._inner.ntotal)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        for start in range(0, len(ids), _BLOCK):
            block = np.ascontiguousarray(vectors[start : start + _BLOCK], dtype=np.float32)
            self._inner.add_with_ids(block, np.ascontiguousarray(ids[start : start + _BLOCK], dtype=np.int64))

    def remove(self, ids: Ids) -> int:
        if len(ids) == 0 or len(self) == 0:
            return 0
        selector, kept = self._selector(ids)
        removed = int(self._inner.remove_ids(selector))
        del kept
        return removed

    def search(self, vectors: Vectors, k: int, allowed: Ids | None = None) -> tuple[Ids, Scores]:
        k = min(k, len(self) if allowed is None else len(allowed))
        query = np.ascontiguousarray(vectors, dtype=np.float32)
        if k == 0 or len(self) == 0:
            return np.empty((len(query), 0), np.int64), np.empty((len(query), 0), np.float32)
        use_threads(len(query))
        values, ids = self._search(query, min(k, len(self)), allowed)
        # Allowed ids that are not in the index leave gaps at the end.
        width = int((ids >= 0).sum(axis=1).max(initial=0))
        ids, values = ids[:, :width], values[:, :width]
        scores = values if self.distance == "cosine" else -np.sqrt(np.maximum(values, 0.0))
        return ids, scores

    def _search(self, query: Vectors, k: int, allowed: Ids | None) -> tuple[Scores, Ids]:
        raise NotImplementedError

    @staticmethod
    def _selector(ids: Ids) -> tuple[Any, Any]:
        """Return a faiss selector of ids, and the memory that it points into, which must outlive it.

        A bitmap is ten times faster than faiss's hash set. It has one bit for each photo that was ever in the library.
        """
        bits = np.zeros(8 * math.ceil((int(ids.max(initial=0)) + 1) / 8), np.bool_)
        bits[ids] = True
        packed = np.packbits(bits, bitorder="little")
        return load_faiss().IDSelectorBitmap(packed), packed


def faiss_metric(distance: Distance) -> int:
    """Return faiss's constant for a distance."""
    faiss = load_faiss()
    return int(faiss.METRIC_INNER_PRODUCT if distance == "cosine" else faiss.METRIC_L2)
