"""Retrieval metrics, computed block by block: memory does not grow with queries × gallery.

Everything follows from the ranks of a query's relevant photos. **Ties are broken against the query**: a photo that is
not relevant and scores as high as a relevant one stands before it. Scores that differ by less than ``TIE`` of their
scale count as equal, since a matrix product gives the same two vectors different last bits in different places; so an
encoder that maps everything to one point scores nothing, not chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketchseek.models.package import Distance

RELEVANT = 4_000_000
"""How many scores of relevant photos are held at once: queries with very many are ranked a few at a time."""

TIE = 1e-6
"""Difference below which two scores are equal, as a share of the largest score that the vectors' lengths allow."""

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class QueryScores:
    """What each query scored; every array has shape (queries,).

    Attributes:
        rank: Rank, from 1, of the first relevant photo; infinite where none is in the gallery.
        average_precision: Mean, over the relevant photos, of the precision at their ranks; 0 where there are none.
        precision: By k, how many of the first k photos are relevant, over k, even where the gallery is smaller.
        average_precision_at: By k, as ``average_precision``, over the relevant photos among the first k only,
            divided by the number of relevant photos or k, whichever is smaller.
        average_precision_found: By k, the same sum divided by how many were found among the first k, which is how
            the zero-shot SBIR literature's mAP@200 is computed (torchmetrics' ``retrieval_average_precision``).
    """

    rank: Floats
    average_precision: Floats
    precision: dict[int, Floats]
    average_precision_at: dict[int, Floats]
    average_precision_found: dict[int, Floats]

    def spread(self, places: npt.NDArray[np.int64], count: int) -> QueryScores:
        """The scores of ``count`` queries of which these are at ``places``; the others found nothing."""

        def put(values: Floats, nothing: float) -> Floats:
            out = np.full(count, nothing)
            out[places] = values
            return out

        return QueryScores(
            put(self.rank, np.inf),
            put(self.average_precision, 0.0),
            {k: put(values, 0.0) for k, values in self.precision.items()},
            {k: put(values, 0.0) for k, values in self.average_precision_at.items()},
            {k: put(values, 0.0) for k, values in self.average_precision_found.items()},
        )


def score_queries(
    queries: Vectors,
    gallery: Vectors,
    query_labels: npt.ArrayLike,
    gallery_labels: npt.ArrayLike,
    *,
    ks: Sequence[int] = (),
    distance: Distance = "cosine",
    query_block: int = 256,
    gallery_block: int = 16_384,
) -> QueryScores:
    """Rank the gallery for each query and score the ranking.

    A photo is relevant to a query if their labels are equal. For exact-photo retrieval the gallery's labels are the
    photos' own numbers.

    Args:
        queries: (queries, d).
        gallery: (gallery, d); may be a memory map of any float type, of which one block at a time is read.
        query_labels: (queries,) integers.
        gallery_labels: (gallery,) integers.
        ks: Cut-offs for the metrics that have one.
        distance: ``cosine`` takes the inner product (embeddings have unit length), ``euclidean`` the distance.
        query_block, gallery_block: How many of each are multiplied at once; they do not change the result.

    Raises:
        ValueError: Shapes do not fit, a k is below 1, or an embedding is not finite.
    """
    labels = np.asarray(query_labels, dtype=np.int64)
    shelf = np.asarray(gallery_labels, dtype=np.int64)
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise ValueError(f"queries {queries.shape} and gallery {gallery.shape} must be (n, d) with one d")
    if labels.shape != queries.shape[:1] or shelf.shape != gallery.shape[:1]:
        raise ValueError(f"labels {labels.shape}, {shelf.shape} must have one entry an embedding")
    if any(k < 1 for k in ks):
        raise ValueError(f"cut-offs {list(ks)}: must be at least 1")
    count = len(queries)
    scores = QueryScores(
        np.full(count, np.inf),
        np.zeros(count),
        {k: np.zeros(count) for k in ks},
        {k: np.zeros(count) for k in ks},
        {k: np.zeros(count) for k in ks},
    )
    finder = _Finder(gallery, shelf, distance, gallery_block)
    by_label = np.argsort(labels, kind="stable")  # queries of one label share their relevant photos
    step = max(1, min(query_block, RELEVANT // max(1, finder.most)))
    for start in range(0, count, step):
        rows = by_label[start : start + step]
        for row, ranks in zip(rows, finder.ranks(queries[rows], labels[rows]), strict=True):
            _reduce(scores, int(row), ranks)
    return scores


def nearest(
    queries: Vectors,
    gallery: Vectors,
    k: int,
    *,
    distance: Distance = "cosine",
    query_block: int = 256,
    gallery_block: int = 16_384,
) -> npt.NDArray[np.int64]:
    """Numbers of the k photos that are nearest to each query, best first; of equal ones the first in the gallery.

    Args:
        queries: (queries, d).
        gallery: (gallery, d), as for ``score_queries``.

    Returns:
        (queries, min(k, gallery)).
    """
    k = min(k, len(gallery))
    out = np.zeros((len(queries), k), dtype=np.int64)
    for start in range(0, len(queries), query_block):
        block = _finite(queries[start : start + query_block])
        best = np.full((len(block), 0), -np.inf, dtype=np.float32)
        where = np.zeros((len(block), 0), dtype=np.int64)
        for first, shelf in _blocks(gallery, gallery_block):
            best = np.concatenate([best, similarity(block, shelf, distance)], axis=1)
            numbers = np.broadcast_to(np.arange(first, first + len(shelf)), (len(block), len(shelf)))
            where = np.concatenate([where, numbers], axis=1)
            order = np.argsort(-best, axis=1, kind="stable")[:, :k]
            best = np.take_along_axis(best, order, axis=1)
            where = np.take_along_axis(where, order, axis=1)
        out[start : start + query_block] = where
    return out


class _Finder:
    """Ranks of relevant photos, for one block of queries after another."""

    def __init__(self, gallery: Vectors, labels: Labels, distance: Distance, block: int) -> None:
        self._gallery = gallery
        self._distance = distance
        self._block = block
        self._order = np.argsort(labels, kind="stable")
        self._sorted = labels[self._order]
        self.most = int(np.unique(labels, return_counts=True)[1].max(initial=0))
        """The largest number of photos of one label."""
        self._longest = max((float(_squares(shelf).max()) for _, shelf in _blocks(gallery, block)), default=0.0)

    def ranks(self, queries: Vectors, labels: Labels) -> list[Floats]:
        """Ascending ranks, from 1, of each query's relevant photos."""
        block = _finite(queries)
        groups = [(np.flatnonzero(labels == label), self._relevant(label)) for label in np.unique(labels)]
        tie = (TIE * self._scale(block)).astype(np.float32)
        # The lowest score with which another photo stands before a relevant one, ascending for searchsorted.
        bars = [np.zeros(0, dtype=np.float32)] * len(block)
        for rows, where in groups:
            if len(where):
                found = np.sort(self._scores(block[rows], where), axis=1) - tie[rows, None]
                for row, bar in zip(rows.tolist(), found, strict=True):
                    bars[row] = bar
        before = [np.zeros(len(bar), dtype=np.int64) for bar in bars]
        for first, shelf in _blocks(self._gallery, self._block):
            scores = similarity(block, shelf, self._distance)
            for rows, where in groups:
                here = where[np.searchsorted(where, first) : np.searchsorted(where, first + len(shelf))] - first
                scores[np.ix_(rows, here)] = -np.inf
            for row, bar in enumerate(bars):
                if len(bar) == 1:
                    before[row] += int((scores[row] >= bar[0]).sum())
                elif len(bar):
                    passed = np.bincount(np.searchsorted(bar, scores[row], side="right"), minlength=len(bar) + 1)
                    before[row] += passed[::-1].cumsum()[-2::-1]
        return [count[::-1] + np.arange(1.0, len(count) + 1) for count in before]

    def _relevant(self, label: np.int64) -> npt.NDArray[np.int64]:
        low, high = np.searchsorted(self._sorted, label), np.searchsorted(self._sorted, label, side="right")
        return np.sort(self._order[low:high])

    def _scores(self, queries: npt.NDArray[np.float32], where: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        parts = [where[start : start + self._block] for start in range(0, len(where), self._block)]
        return np.concatenate([similarity(queries, _finite(self._gallery[p]), self._distance) for p in parts], axis=1)

    def _scale(self, queries: npt.NDArray[np.float32]) -> Floats:
        squares = _squares(queries)
        if self._distance == "euclidean":
            return squares + self._longest
        return np.sqrt(squares * self._longest)


def _reduce(scores: QueryScores, row: int, ranks: Floats) -> None:
    if not len(ranks):
        return
    precision = np.arange(1, len(ranks) + 1) / ranks
    scores.rank[row] = ranks[0]
    scores.average_precision[row] = precision.mean()
    for k in scores.precision:
        hits = int(np.searchsorted(ranks, k, side="right"))
        total = float(precision[:hits].sum())
        scores.precision[k][row] = hits / k
        scores.average_precision_at[k][row] = total / min(len(ranks), k)
        scores.average_precision_found[k][row] = total / hits if hits else 0.0


def similarity(
    queries: npt.NDArray[np.float32], gallery: npt.NDArray[np.float32], distance: Distance
) -> npt.NDArray[np.float32]:
    """(queries, gallery), larger is nearer: inner products, or negative squared distances."""
    product: npt.NDArray[np.float32] = queries @ gallery.T
    if distance == "euclidean":
        product *= 2.0
        product -= _squares(queries).astype(np.float32)[:, None]
        product -= _squares(gallery).astype(np.float32)
    return product


def _squares(vectors: npt.NDArray[np.float32]) -> Floats:
    return np.asarray(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))


def _blocks(gallery: Vectors, size: int) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    for start in range(0, len(gallery), size):
        yield start, _finite(gallery[start : start + size])


def _finite(vectors: Vectors) -> npt.NDArray[np.float32]:
    block = np.asarray(vectors, dtype=np.float32)
    if not np.isfinite(block).all():  # every comparison with NaN is false: it would rank first
        raise ValueError("an embedding is not finite")
    return block
