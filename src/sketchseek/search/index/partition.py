"""Vectors in a partition of cells, with two codes each: a short one to find candidates, INT8 to score them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchseek.models.package import Distance
from sketchseek.search.index.engine import bitmap, faiss_metric, load_faiss, use_threads
from sketchseek.search.index.protocol import Ids, Scores, Vectors

MAX_CELLS = 2_600
SAMPLE_PER_CELL = 40
"""Number of training vectors per cell of the partition; faiss recommends 39 to 256."""

RANGE_MARGIN = 0.1
"""Margin at both ends of each component's range, for vectors that are added later."""

CANDIDATES = 1500
"""Number of candidates that short codes find besides ten for each result; their INT8 codes choose among them."""

SCANNED = 200_000
"""Maximum size of a subset whose INT8 codes are copied and searched one after the other."""

ONE_BY_ONE = 11
"""faiss's number for the search that takes one query and one cell after the other: twice as fast for one query."""

GONE = -1

Bits = npt.NDArray[np.uint8]
Positions = npt.NDArray[np.int64]


class Subset:
    """Some positions of a partition, prepared for searches among them.

    Args:
        positions: The positions, (n,).
        others: Ids that the partition does not hold.
        scanned: Index of their INT8 codes alone, if they are few.
        bits: Bitmap of the positions otherwise.
    """

    def __init__(self, positions: Positions, others: Ids, *, scanned: Any = None, bits: Bits | None = None) -> None:
        self.positions = positions
        self.others = others
        self.scanned = scanned
        self.bits = bits


class Partition:
    """A partition of vectors. Each has a position: its number in the order of adding. Removed ones only leave a mark.

    Args:
        store: faiss's index: a map of ids over a refined inverted file.
        parts: What it consists of, to be kept as long as it.
    """

    def __init__(self, store: Any, parts: tuple[Any, ...] = ()) -> None:
        faiss = load_faiss()
        self.store = store
        self._parts = parts
        self._refined = faiss.downcast_index(store.index)
        self._cells = faiss.downcast_index(self._refined.base_index)
        self._cells.implem = ONE_BY_ONE
        self._codes = faiss.downcast_index(self._refined.refine_index)
        self.metric = int(store.metric_type)
        self._positions: npt.NDArray[np.int32] | None = None
        self._held: Bits | None = None
        self._gone = int((self._ids() < 0).sum())

    @classmethod
    def create(cls, dimension: int, distance: Distance, sample: Vectors, count: int) -> Partition:
        """Learn an empty partition for ``count`` vectors from a sample."""
        faiss = load_faiss()
        metric = faiss_metric(distance)
        cells = min(cells_for(count), len(sample))
        learned = np.ascontiguousarray(sample, dtype=np.float32)
        coarse = faiss.IndexFlat(dimension, metric)
        inner = faiss.IndexIVFPQFastScan(coarse, dimension, cells, dimension // (1 + (dimension % 2 == 0)), 4, metric)
        inner.by_residual = True
        inner.cp.min_points_per_centroid = inner.pq.cp.min_points_per_centroid = 1
        inner.cp.max_points_per_centroid = SAMPLE_PER_CELL
        inner.cp.spherical = distance == "cosine"
        codes = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_8bit, metric)
        codes.sq.rangestat_arg = RANGE_MARGIN
        use_threads(len(learned))
        inner.train(learned)
        codes.train(learned)
        refined = faiss.IndexRefine(inner, codes)
        return cls(faiss.IndexIDMap(refined), (coarse, inner, codes, refined))

    @staticmethod
    def is_one(store: Any) -> bool:
        """Return whether a faiss index is what ``store`` is."""
        faiss = load_faiss()
        if not isinstance(store, faiss.IndexIDMap):
            return False
        refined = faiss.downcast_index(store.index)
        if not isinstance(refined, faiss.IndexRefine):
            return False
        cells, codes = faiss.downcast_index(refined.base_index), faiss.downcast_index(refined.refine_index)
        return isinstance(cells, faiss.IndexIVFPQFastScan) and isinstance(codes, faiss.IndexScalarQuantizer)

    def __len__(self) -> int:
        return self.size - self._gone

    @property
    def size(self) -> int:
        """Number of positions, those of removed vectors included."""
        return int(self.store.ntotal)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add vectors. Slow: each is compared with all cells."""
        use_threads(len(ids))
        self.store.add_with_ids(
            np.ascontiguousarray(vectors, dtype=np.float32), np.ascontiguousarray(ids, dtype=np.int64)
        )
        self._positions = self._held = None

    def remove(self, ids: Ids) -> int:
        """Remove ids, each named once; ignores unknown ones. Returns the number removed."""
        positions, _ = self._find(ids)
        if len(positions) == 0:
            return 0
        held = self._bits()
        np.bitwise_and.at(held, positions >> 3, np.uint8(255) ^ (np.uint8(1) << (positions & 7).astype(np.uint8)))
        self._all_positions()[self._ids()[positions]] = GONE
        self._ids()[positions] = GONE
        self._gone += len(positions)
        return len(positions)

    def subset(self, ids: Ids) -> Subset:
        """Prepare searches among some ids."""
        positions, others = self._find(ids)
        if len(positions) > min(SCANNED, self.size // 8):
            packed = bitmap(positions)
            return Subset(positions, others, bits=packed)
        faiss = load_faiss()
        scanned = faiss.IndexScalarQuantizer(self._codes.d, faiss.ScalarQuantizer.QT_8bit, self.metric)
        scanned.sq, scanned.is_trained = self._codes.sq, True
        codes = faiss.rev_swig_ptr(self._codes.codes.data(), self.size * self._codes.code_size)
        chosen = codes.reshape(self.size, -1)[positions] if self.size else codes
        faiss.copy_array_to_vector(chosen.reshape(-1), scanned.codes)
        scanned.ntotal = len(positions)
        return Subset(positions, others, scanned=scanned)

    def search(self, query: Vectors, k: int, subset: Subset | None = None) -> tuple[Ids, Scores]:
        """Find the nearest vectors, of all or of a subset: ids and scores by INT8 codes, (m, n) each, best first."""
        k = min(k, len(self) if subset is None else len(subset.positions))
        if k == 0:
            return np.empty((len(query), 0), np.int64), np.empty((len(query), 0), np.float32)
        if subset is not None and subset.scanned is not None:
            values, places = subset.scanned.search(query, k)
            positions = subset.positions[places]
        else:
            values, positions = self._search(query, k, subset)
        return self._ids()[positions], values

    def _search(self, query: Vectors, k: int, subset: Subset | None) -> tuple[Scores, Positions]:
        faiss = load_faiss()
        bits = subset.bits if subset is not None else self._bits() if self._gone else None
        selector = None if bits is None else faiss.IDSelectorBitmap(bits)
        # If few photos are allowed, the nearest are spread over more cells.
        factor = 1.0 if subset is None else self.size / len(subset.positions)
        cells = int(self._cells.nlist)
        probed = faiss.SearchParametersIVF(nprobe=min(cells, math.ceil(probes_for(cells) * factor)), sel=selector)
        asked = faiss.IndexRefineSearchParameters(k_factor=10 + CANDIDATES / k, base_index_params=probed)
        values, positions = self._refined.search(query, k, params=asked)
        if (positions < 0).any():
            values, positions = self._codes.search(query, k, params=faiss.SearchParameters(sel=selector))
        return values, positions

    # --- positions ----------

    def _ids(self) -> Ids:
        """The id at each position, (size,), in faiss's own memory; ``GONE`` where one was removed."""
        if self.size == 0:
            return np.empty(0, np.int64)
        ids: Ids = load_faiss().rev_swig_ptr(self.store.id_map.data(), self.size)
        return ids

    def _bits(self) -> Bits:
        """Bitmap of the positions whose vectors were not removed."""
        if self._held is None:
            self._held = bitmap(np.flatnonzero(self._ids() >= 0))
        return self._held

    def _all_positions(self) -> npt.NDArray[np.int32]:
        """The position of each id up to the highest one, ``GONE`` where there is none."""
        if self._positions is None:
            ids = self._ids()
            self._positions = np.full(int(ids.max(initial=0)) + 1, GONE, np.int32)
            held = np.flatnonzero(ids >= 0)
            self._positions[ids[held]] = held
        return self._positions

    def _find(self, ids: Ids) -> tuple[Positions, Ids]:
        """Return the positions of ids, ascending, and the ids that have none."""
        known = self._all_positions()
        positions = np.full(len(ids), GONE, np.int64)
        inside = (ids >= 0) & (ids < len(known))
        positions[inside] = known[ids[inside]]
        return np.sort(positions[positions >= 0]), ids[positions < 0]


def cells_for(count: int) -> int:
    """Return the number of cells for a number of vectors. More make building slow, and searches no better."""
    return max(1, min(MAX_CELLS, round(1.5 * math.sqrt(count)), count))


def probes_for(cells: int) -> int:
    """Return the number of cells that a search visits, for a recall of about 0.99 (see docs/engines.md)."""
    return min(cells, max(16, math.ceil(cells / 6)))
