"""The base class of the faiss engines: ids, filters, scores and files."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

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
        return cls(read_file(path, cls.name, dimension, distance, cls._is_ours), dimension, distance)

    @classmethod
    def _is_ours(cls, inner: Any) -> bool:
        raise NotImplementedError

    def save(self, path: Path) -> None:
        write_file(self._inner, path)

    def __len__(self) -> int:
        return int(self._inner.ntotal)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        for some, block in blocks(ids, vectors):
            self._inner.add_with_ids(block, some)

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
        return ids, scores_of(values, self.distance)

    def _search(self, query: Vectors, k: int, allowed: Ids | None) -> tuple[Scores, Ids]:
        raise NotImplementedError

    @staticmethod
    def _selector(ids: Ids) -> tuple[Any, Any]:
        """Return a faiss selector of ids, and the memory that it points into, which must outlive it.

        A bitmap is ten times faster than faiss's hash set. It has one bit for each photo that was ever in the library.
        """
        packed = bitmap(ids)
        return load_faiss().IDSelectorBitmap(packed), packed


def faiss_metric(distance: Distance) -> int:
    """Return faiss's constant for a distance."""
    faiss = load_faiss()
    return int(faiss.METRIC_INNER_PRODUCT if distance == "cosine" else faiss.METRIC_L2)


def bitmap(numbers: Ids) -> npt.NDArray[np.uint8]:
    """Return a bitmap of numbers, as faiss takes it."""
    bits = np.zeros(8 * math.ceil((int(numbers.max(initial=0)) + 1) / 8), np.bool_)
    bits[numbers] = True
    return np.packbits(bits, bitorder="little")


def blocks(ids: Ids, vectors: Vectors) -> Iterator[tuple[Ids, npt.NDArray[np.float32]]]:
    """Yield ids and vectors in blocks, as faiss takes them."""
    for start in range(0, len(ids), _BLOCK):
        block = np.ascontiguousarray(vectors[start : start + _BLOCK], dtype=np.float32)
        yield np.ascontiguousarray(ids[start : start + _BLOCK], dtype=np.int64), block


def scores_of(values: Scores, distance: Distance) -> Scores:
    """Return scores for faiss's values: products, or squared distances."""
    return values if distance == "cosine" else -np.sqrt(np.maximum(values, 0.0))


def read_file(path: Path, name: str, dimension: int, distance: Distance, is_ours: Callable[[Any], bool]) -> Any:
    """Read an index of faiss.

    Raises:
        ValueError: The file is not an index of this engine, dimension and distance.
    """
    try:
        inner = load_faiss().read_index(str(path))
    except RuntimeError as error:
        raise ValueError(f"{path}: faiss cannot read it ({error})") from error
    if inner.d != dimension or inner.metric_type != faiss_metric(distance) or not is_ours(inner):
        raise ValueError(f"{path}: not an {name} index with {dimension} dimensions and distance {distance}")
    return inner


def write_file(inner: Any, path: Path) -> None:
    """Write an index of faiss."""
    try:
        load_faiss().write_index(inner, str(path))
    except RuntimeError as error:  # faiss raises nothing more specific for a full disk
        raise OSError(f"{path}: faiss cannot write it ({error})") from error
