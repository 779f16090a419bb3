"""Retrieval metrics, computed in blocks: memory does not grow with queries × gallery.

All metrics follow from the ranks of the relevant photos of a query. **Ties are broken against the query**: an
irrelevant photo ranks before a relevant one with the same score, so an encoder that maps all inputs to one point scores
0, not chance. Scores that differ by less than ``TIE`` of their scale count as equal, since matrix products round the
same pair of embeddings differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketchseek.models.package import Distance

RELEVANT = 4_000_000
"""Maximum number of scores of relevant photos in memory; it limits the number of queries that are ranked at once."""

TIE = 1e-6
"""Scores are equal below this difference, as a fraction of the largest score that the norms of the embeddings allow."""

Floats = npt.NDArray[np.float64]
Embeddings = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class QueryScores:
    """Scores of each query; every array has shape (queries,).

    Attributes:
        rank: Rank, from 1, of the first relevant photo; infinite if the gallery has none.
        average_precision: Mean precision at the ranks of the relevant photos; 0 if there are none.
        precision: By k, the number of relevant photos among the first k, divided by k even if the gallery is smaller.
        average_precision_at: By k, the sum of the precisions at the relevant photos among the first k, divided by the
            number of relevant photos or k, whichever is smaller.
        average_precision_found: By k, the same sum divided by the number of relevant photos among the first k. The
            zero-shot SBIR literature computes mAP@200 in this way (torchmetrics' ``retrieval_average_precision``).
    """

    rank: Floats
    average_precision: Floats
    precision: dict[int, Floats]
    average_precision_at: dict[int, Floats]
    average_precision_found: dict[int, Floats]

    def spread(self, places: npt.NDArray[np.int64], count: int) -> QueryScores:
        """Scores of ``count`` queries: these at ``places``, and the worst scores for all others."""

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
    queries: Embeddings,
    gallery: Embeddings,
    query_labels: npt.ArrayLike,
    gallery_labels: npt.ArrayLike,
    *,
    ks: Sequence[int] = (),
    distance: Distance = "cosine",
    query_block: int = 256,
    gallery_block: int = 16_384,
) -> QueryScores:
    """Rank the gallery for each query and score the ranking.

    A photo is relevant to a query if their labels are equal. In instance-level retrieval each photo has its own label.

    Args:
        queries: (queries, d).
        gallery: (gallery, d); may be a memory map of any float type, read one block at a time.
        query_labels: (queries,) integers.
        gallery_labels: (gallery,) integers.
        ks: Cutoffs of the metrics that have one.
        distance: ``cosine`` is the inner product (embeddings have unit norm), ``euclidean`` the Euclidean distance.
        query_block, gallery_block: Block sizes of the matrix product; they do not change the result.

    Raises:
        ValueError: Shapes do not match, a k is below 1, or an embedding is not finite.
    """
    labels = np.asarray(query_labels, dtype=np.int64)
    photo_labels = np.asarray(gallery_labels, dtype=np.int64)
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise ValueError(f"queries {queries.shape} and gallery {gallery.shape} must be (n, d) with one d")
    if labels.shape != queries.shape[:1] or photo_labels.shape != gallery.shape[:1]:
        raise ValueError(f"labels {labels.shape}, {photo_labels.shape} must have one entry for each embedding")
    if any(k < 1 for k in ks):
        raise ValueError(f"cutoffs {list(ks)} must be at least 1")
    count = len(queries)
    scores = QueryScores(
        np.full(count, np.inf),
        np.zeros(count),
        {k: np.zeros(count) for k in ks},
        {k: np.zeros(count) for k in ks},
        {k: np.zeros(count) for k in ks},
    )
    ranker = _Ranker(gallery, photo_labels, distance, gallery_block)
    by_label = np.argsort(labels, kind="stable")  # queries of one label share their relevant photos
    step = max(1, min(query_block, RELEVANT // max(1, ranker.max_relevant)))
    for start in range(0, count, step):
        rows = by_label[start : start + step]
        for row, ranks in zip(rows, ranker.ranks(queries[rows], labels[rows]), strict=True):
            _reduce(scores, int(row), ranks)
    return scores


def nearest(
    queries: Embeddings,
    gallery: Embeddings,
    k: int,
    *,
    distance: Distance = "cosine",
    query_block: int = 256,
    gallery_block: int = 16_384,
) -> npt.NDArray[np.int64]:
    """Indices of the k nearest photos of each query, best first; ties go to the first in the gallery.

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


class _Ranker:
    """Ranks the relevant photos of one block of queries at a time."""

    def __init__(self, gallery: Embeddings, labels: Labels, distance: Distance, block: int) -> None:
        self._gallery = gallery
        self._distance = distance
        self._block = block
        self._order = np.argsort(labels, kind="stable")
        self._sorted = labels[self._order]
        self.max_relevant = int(np.unique(labels, return_counts=True)[1].max(initial=0))
        """Largest number of photos with one label."""
        self._longest = max((float(_squares(shelf).max()) for _, shelf in _blocks(gallery, block)), default=0.0)

    def ranks(self, queries: Embeddings, labels: Labels) -> list[Floats]:
        """Ascending ranks, from 1, of each query's relevant photos."""
        block = _finite(queries)
        groups = [(np.flatnonzero(labels == label), self._relevant(label)) for label in np.unique(labels)]
        tie = (TIE * self._scale(block)).astype(np.float32)
        # Lowest score with which another photo ranks before a relevant one, ascending for searchsorted.
        thresholds = [np.zeros(0, dtype=np.float32)] * len(block)
        for rows, where in groups:
            if len(where):
                found = np.sort(self._scores(block[rows], where), axis=1) - tie[rows, None]
                for row, threshold in zip(rows.tolist(), found, strict=True):
                    thresholds[row] = threshold
        before = [np.zeros(len(threshold), dtype=np.int64) for threshold in thresholds]
        for first, shelf in _blocks(self._gallery, self._block):
            scores = similarity(block, shelf, self._distance)
            for rows, where in groups:
                here = where[np.searchsorted(where, first) : np.searchsorted(where, first + len(shelf))] - first
                scores[np.ix_(rows, here)] = -np.inf
            for row, threshold in enumerate(thresholds):
                before[row] += _passing(scores[row], threshold)
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


def _passing(scores: npt.NDArray[np.float32], thresholds: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Return for each threshold, ascending, how many scores reach it."""
    if len(thresholds) < 2:  # by far the most common case, and faster so
        return np.array([np.count_nonzero(scores >= threshold) for threshold in thresholds], dtype=np.int64)
    passed = np.bincount(np.searchsorted(thresholds, scores, side="right"), minlength=len(thresholds) + 1)
    return passed[::-1].cumsum()[-2::-1]


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
    """(queries, gallery) inner products, or negative squared distances: larger is nearer."""
    product: npt.NDArray[np.float32] = queries @ gallery.T
    if distance == "euclidean":
        product *= 2.0
        product -= _squares(queries).astype(np.float32)[:, None]
        product -= _squares(gallery).astype(np.float32)
    return product


def _squares(embeddings: npt.NDArray[np.float32]) -> Floats:
    return np.asarray(np.einsum("nd,nd->n", embeddings, embeddings, dtype=np.float64))


def _blocks(gallery: Embeddings, size: int) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    for start in range(0, len(gallery), size):
        yield start, _finite(gallery[start : start + size])


def _finite(embeddings: Embeddings) -> npt.NDArray[np.float32]:
    block = np.asarray(embeddings, dtype=np.float32)
    if not np.isfinite(block).all():  # comparisons with NaN are false: it would rank first
        raise ValueError("an embedding is not finite")
    return block
