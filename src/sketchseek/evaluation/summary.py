"""The named metrics of a report, computed from the scores of each query, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketchseek.evaluation.intervals import Interval, bootstrap_interval
from sketchseek.evaluation.metrics import Embeddings, QueryScores, score_queries
from sketchseek.models.package import Distance

RECALLS = (1, 5, 10)
PRECISIONS = (10, 100, 200)


@dataclass(frozen=True)
class MetricValue:
    """A metric over queries.

    Attributes:
        name: Name in reports.
        values: (queries,) value of each query.
        statistic: Maps the values to the metric; the mean by default.
    """

    name: str
    values: npt.NDArray[np.float64]
    statistic: Callable[[npt.NDArray[np.float64]], float] | None = None

    @property
    def value(self) -> float:
        """The metric; 0 without queries."""
        if not len(self.values):
            return 0.0
        return float(np.mean(self.values)) if self.statistic is None else self.statistic(self.values)

    def interval(self, clusters: npt.NDArray[np.int64] | None = None) -> Interval:
        """The metric's 95 % bootstrap interval."""
        return bootstrap_interval(self.values, statistic=self.statistic, clusters=clusters)


def instance_metrics(scores: QueryScores, gallery: int) -> list[MetricValue]:
    """Metrics of instance-level retrieval: ``recall@1``, ``@5``, ``@10`` and ``median_rank``."""
    # A photo that is not in the gallery ranks right after all photos.
    ranks = np.minimum(scores.rank, gallery + 1)
    return [*_recalls(scores), MetricValue("median_rank", ranks, _median)]


def category_metrics(scores: QueryScores) -> list[MetricValue]:
    """Metrics of category-level retrieval: ``recall@k`` (any relevant photo), ``mAP``, ``mAP@200`` and ``P@k``.

    ``scores`` must have the cutoffs in ``PRECISIONS``. ``mAP@200`` is the literature's, which divides by the number of
    relevant photos among the first 200.
    """
    return [
        *_recalls(scores),
        MetricValue("mAP", scores.average_precision),
        MetricValue("mAP@200", scores.average_precision_found[200]),
        *(MetricValue(f"P@{k}", scores.precision[k]) for k in PRECISIONS),
    ]


def branch_metrics(scores: QueryScores) -> list[MetricValue]:
    """Category-level metrics of instance-level rankings; ``scores`` are by category, with cutoffs 1 and 10."""
    return [
        MetricValue("category_P@1", scores.precision[1]),
        MetricValue("category_P@10", scores.precision[10]),
        MetricValue("category_mAP", scores.average_precision),
    ]


def instance_recall(
    sketches: Embeddings, photos: Embeddings, own_photos: npt.ArrayLike, *, distance: Distance = "cosine"
) -> dict[str, float]:
    """Metrics of instance-level retrieval from embeddings, for validation during training.

    Args:
        sketches: (queries, d).
        photos: (gallery, d).
        own_photos: (queries,) row in ``photos`` of each sketch's own photo.
        distance: Distance between embeddings.
    """
    scores = score_queries(sketches, photos, own_photos, np.arange(len(photos)), distance=distance)
    return values_of(instance_metrics(scores, len(photos)))


def values_of(metrics: Sequence[MetricValue]) -> dict[str, float]:
    """Values by name."""
    return {metric.name: metric.value for metric in metrics}


def intervals_of(metrics: Sequence[MetricValue], clusters: npt.NDArray[np.int64] | None) -> dict[str, Interval]:
    """Intervals by name."""
    return {metric.name: metric.interval(clusters) for metric in metrics}


def _recalls(scores: QueryScores) -> list[MetricValue]:
    return [MetricValue(f"recall@{k}", (scores.rank <= k).astype(np.float64)) for k in RECALLS]


def _median(values: npt.NDArray[np.float64]) -> float:
    return float(np.median(values))
