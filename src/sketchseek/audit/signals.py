"""How suspicious each sketch is, compared with the other sketches of its photo.

A photo can be hard to find for every sketch, and a category hard to draw. So a sketch is compared with its *peers*: the
other sketches of its photo, or of its category where sketches belong to no photo. docs/audit.md reports how well each
signal finds the sketches that the Sketchy release lists as invalid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketchseek.audit.ranking import Ranking
from sketchseek.datasets.records import Sketch
from sketchseek.models.package import Distance

PEERS = 2
"""Minimum number of peers; the median of fewer says nothing."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Signals:
    """Signals of all sketches; every array has one row per sketch.

    Attributes:
        own: Score of its own photo, or of the best photo of its category if it belongs to no photo; NaN if the gallery
            has no such photo. The other signals are valid where this is a number.
        lag: Median of ``own`` over its peers minus its own; over all sketches if it has too few peers.
        disagreement: How much less it resembles the mean of its peers than its peers do; 0 if it has too few.
        category_mean: Mean score of the photos of its category.
        beaten: Whether another photo scores higher than its own; without a photo, a photo of another category.
        paired: Whether it belongs to a photo.
    """

    own: Floats
    lag: Floats
    disagreement: Floats
    category_mean: Floats
    beaten: npt.NDArray[np.bool_]
    paired: npt.NDArray[np.bool_]

    @property
    def assessed(self) -> npt.NDArray[np.bool_]:
        """(sketches,) whether the gallery has what the sketch shows."""
        return np.isfinite(self.own)

    def suspicion(self) -> dict[str, Floats]:
        """By kind of finding, how suspicious each sketch is; NaN if it was not assessed.

        Where two signals count, their percentile ranks are added: each is as large as its distribution makes it, and
        neither needs a weight.
        """
        apart, unlike = self._ranks(self.disagreement), self._ranks(-self.category_mean)
        return {
            "mislabeled": np.where(self.assessed, self.lag, np.nan),
            "mispaired": np.where(self.paired, apart + self._ranks(self.category_mean - self.own), np.nan),
            "ambiguous": apart + unlike,
            "outlier": np.where(self.assessed, self.disagreement, np.nan),
        }

    def _ranks(self, values: Floats) -> Floats:
        """Percentile ranks from 0 to 1 among the assessed sketches, ties at their middle; NaN for the others."""
        ordered = np.sort(values[self.assessed])
        below, up_to = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
        return np.where(self.assessed, (below + up_to) / max(1, 2 * len(ordered)), np.nan)


def measure_signals(
    sketches: Sequence[Sketch], embeddings: npt.NDArray[np.float32], ranking: Ranking, distance: Distance
) -> Signals:
    """The signals of sketches that were ranked.

    Args:
        sketches, embeddings: In the order of the ranking's rows.
        ranking: Of the photos, for each sketch.
        distance: Of the embeddings.
    """
    paired = np.array([sketch.photo is not None for sketch in sketches], dtype=bool)
    own = np.where(paired, ranking.own, ranking.category_best)
    beaten = np.where(paired, ranking.rank > 1, (ranking.category_margin > 0) & np.isfinite(ranking.category_margin))
    assessed = np.isfinite(own)
    usual = float(np.median(own[assessed])) if assessed.any() else 0.0
    lag, disagreement = usual - own, np.zeros(len(sketches))
    groups: dict[tuple[bool, str], list[int]] = {}
    for i, sketch in enumerate(sketches):
        if assessed[i]:
            groups.setdefault((bool(paired[i]), sketch.photo or sketch.category), []).append(i)
    for rows in groups.values():
        if len(rows) > PEERS:
            lag[rows] = median_of_others(own[rows]) - own[rows]
            alike = agreement(embeddings[rows], distance)
            disagreement[rows] = median_of_others(alike) - alike
    return Signals(own, lag, disagreement, ranking.category_mean, beaten & assessed, paired)


def agreement(embeddings: npt.NDArray[np.float32], distance: Distance) -> Floats:
    """(n,) similarity of each of n > 1 embeddings to the mean of the others: cosine, or minus the squared distance."""
    rows = np.asarray(embeddings, dtype=np.float64)
    if distance == "cosine":
        rows = _unit(rows)
    others = (rows.sum(axis=0) - rows) / (len(rows) - 1)
    if distance == "cosine":
        return np.asarray((rows * _unit(others)).sum(axis=1))
    return np.asarray(-((rows - others) ** 2).sum(axis=1))


def median_of_others(values: Floats) -> Floats:
    """(n,) median of the other n − 1 ≥ 1 values, for each value."""
    order = np.argsort(values, kind="stable")
    ordered, place = values[order], np.empty(len(values), dtype=np.int64)
    place[order] = np.arange(len(values))

    def without(k: int) -> Floats:
        """The k-th smallest of the others."""
        return np.asarray(np.where(place <= k, ordered[k + 1], ordered[k]))

    others = len(values) - 1
    return (without((others - 1) // 2) + without(others // 2)) / 2


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
