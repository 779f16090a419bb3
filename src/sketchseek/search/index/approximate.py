"""Approximate search: visits the nearest cells of a partition, with INT8 vectors."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from sketchseek.models.package import Distance
from sketchseek.search.index.engine import FaissIndex, faiss_metric, load_faiss, use_threads
from sketchseek.search.index.protocol import Ids, Scores, Vectors

MAX_CELLS = 16_384
SAMPLE_PER_CELL = 40
"""Number of training vectors per cell of the partition; faiss recommends 39 to 256."""

RANGE_MARGIN = 0.1
"""Margin at both ends of each component's range, for vectors that are added later."""


class ApproximateIndex(FaissIndex):
    """faiss's inverted file with scalar quantization (IVF, SQ8)."""

    name: ClassVar[str] = "approximate"
    oversampling: ClassVar[int] = 4

    @classmethod
    def create(cls, dimension: int, distance: Distance, *, sample: Vectors, count: int) -> ApproximateIndex:
        faiss = load_faiss()
        cells = cells_for(min(count, len(sample) * 16))
        coarse = faiss.IndexFlat(dimension, faiss_metric(distance))
        inner = faiss.IndexIVFScalarQuantizer(
            coarse, dimension, cells, faiss.ScalarQuantizer.QT_8bit, faiss_metric(distance)
        )
        inner.sq.rangestat_arg = RANGE_MARGIN
        inner.cp.min_points_per_centroid = 1
        inner.cp.max_points_per_centroid = SAMPLE_PER_CELL
        if distance == "cosine":
            inner.cp.spherical = True
        use_threads(len(sample))
        inner.train(np.ascontiguousarray(sample, dtype=np.float32))
        return cls(inner, dimension, distance)

    @classmethod
    def _is_ours(cls, inner: Any) -> bool:
        return isinstance(inner, load_faiss().IndexIVFScalarQuantizer)

    def _search(self, query: Vectors, k: int, allowed: Ids | None) -> tuple[Scores, Ids]:
        cells = int(self._inner.nlist)
        selector, kept = (None, None) if allowed is None else self._selector(allowed)
        # If few photos are allowed, the nearest are spread over more cells.
        factor = 1.0 if allowed is None else len(self) / max(len(allowed), 1)
        values, ids = self._probe(query, k, min(cells, math.ceil(probes_for(cells) * factor)), selector)
        if (ids < 0).any():
            values, ids = self._probe(query, k, cells, selector)
        del kept
        return values, ids

    def _probe(self, query: Vectors, k: int, probes: int, selector: Any) -> tuple[Scores, Ids]:
        parameters = load_faiss().SearchParametersIVF(nprobe=probes, sel=selector)
        values, ids = self._inner.search(query, k, params=parameters)
        return values, ids


def cells_for(count: int) -> int:
    """Return the number of cells for a number of vectors, by faiss's rule: 4 √n."""
    return max(1, min(MAX_CELLS, round(4 * math.sqrt(count)), count))


def probes_for(cells: int) -> int:
    """Return the number of cells that a search visits, for a recall of about 0.99 (see docs/engines.md)."""
    return min(cells, max(16, math.ceil(cells / 16)))
