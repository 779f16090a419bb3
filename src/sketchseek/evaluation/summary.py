"""From what each query scored to the named metrics of a report, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketchseek.evaluation.intervals import Interval, bootstrap_interval
from sketchseek.evaluation.metrics import QueryScores, Vectors, score_queries
from sketchseek.models.package import Distance

RECALLS = (1, 5, 10)
PRECISIONS = (10, 100, 200)


@dataclass(frozen=True)
class MetricValue:
    """A figure over queries.

    Attributes:
        name: As in reports.
        values: (queries,) what each query adds.
        statistic: From values to the figure; the mean by default.
    """

    name: str
    values: npt.NDArray[np.float64]
    statistic: Callable[[npt.NDArray[np.float64]], float] | None = None

    @property
    def value(self) -> float:
        """The figure; 0 for no queries."""
        if not len(self.values):
            return 0.0
        return float(np.mean(self.values)) if self.statistic is None else self.statistic(self.values)

    def interval(self, clusters: npt.NDArray[np.int64] | None = None) -> Interval:
        """Its 95 % bootstrap interval."""
        return bootstrap_interval(self.values, statistic=self.statistic, clusters=clusters)


def exact_metrics(scores: QueryScores, gallery: int) -> list[MetricValue]:
    """``recall@1``, ``@5``, ``@10`` and ``median_rank``, where one photo is relevant to a query."""
    # A query whose photo is nowhere ranks just behind the whole gallery.
    ranks = np.minimum(scores.rank, gallery + 1)
    return [*_recalls(scores), MetricValue("median_rank", ranks, _median)]


def category_metrics(scores: QueryScores) -> list[MetricValue]:
    """``recall@k`` (any relevant photo), ``mAP``, ``mAP@200``, ``P@10``, ``P@100``, ``P@200``.

    ``scores`` must have the cut-offs in ``PRECISIONS``. ``mAP@200`` is the literature's, over what was found.
    """
    return [
        *_recalls(scores),
        MetricValue("mAP", scores.average_precision),
        MetricValue("mAP@200", scores.average_precision_found[200]),
        *(MetricValue(f"P@{k}", scores.precision[k]) for k in PRECISIONS),
    ]


def branch_metrics(scores: QueryScores) -> list[MetricValue]:
    """How well the rankings of exact-photo retrieval find the category; ``scores`` are by category, at 1 and 10."""
    return [
        MetricValue("category_P@1", scores.precision[1]),
        MetricValue("category_P@10", scores.precision[10]),
        MetricValue("category_mAP", scores.average_precision),
    ]


def exact_recall(
    sketches: Vectors, photos: Vectors, params: npt.ArrayLike, *, distance: Distance = "cosine"
) -> dict[str, float]:
    """Figures of exact-photo retrieval from embeddings alone, for use while a model trains.

    Args:
        sketches: (queries, d).
        photos: (gallery, d).
        params: (queries,) the row in ``photos`` of each sketch's own photo.
        distance: How embeddings are compared.
    """
    scores = score_queries(sketches, photos, params, np.arange(len(photos)), distance=distance)
    return values_of(exact_metrics(scores, len(photos)))


def values_of(metrics: Sequence[MetricValue]) -> dict[str, float]:
    """Figures by name."""
    return {figure.name: figure.value for figure in metrics}


def intervals_of(metrics: Sequence[MetricValue], clusters: npt.NDArray[np.int64] | None) -> dict[str, Interval]:
    """Intervals by name."""
    return {figure.name: figure.interval(clusters) for figure in metrics}


def _recalls(scores: QueryScores) -> list[MetricValue]:
    return [MetricValue(f"recall@{k}", (scores.rank <= k).astype(np.float64)) for k in RECALLS]


def _median(values: npt.NDArray[np.float64]) -> float:
    return float(np.median(values))
