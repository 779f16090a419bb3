"""Turns signals, duplicates and ink into findings.

A threshold on a model's scores is a quantile of the audited set's own scores, since other models and sets have other
scores. The fractions are those of the official lists of the Sketchy Database (docs/audit.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchseek.audit.findings import Finding
from sketchseek.audit.ink import Ink
from sketchseek.audit.near_duplicates import NearDuplicates
from sketchseek.audit.ranking import Ranking
from sketchseek.audit.signals import Signals
from sketchseek.datasets.records import Photo, Sketch

FRACTIONS = {"mislabeled": 0.012, "mispaired": 0.036, "ambiguous": 0.083, "outlier": 0.014}
"""By kind of finding, the fraction of sketches that exceed the threshold. The official lists ``error``, ``pose``,
``ambiguous`` and ``context`` have these fractions of the release's 75,471 sketches."""


@dataclass(frozen=True)
class Limits:
    """Settings of all checks.

    Attributes:
        fractions: By kind, the fraction of sketches that exceed the threshold. Fewer are found: those whose own photo
            comes first are left out.
        null_quantile: See ``near_duplicate_threshold``.
        blank_length: Maximum length of the lines of a blank sketch, in side lengths of the raster that the sketch
            fills.
        border_contacts: Minimum number of places where ink touches the border of a cropped sketch.
    """

    fractions: Mapping[str, float] = field(default_factory=lambda: dict(FRACTIONS))
    null_quantile: float = 0.99
    blank_length: float = 1.2
    border_contacts: int = 2


@dataclass(frozen=True)
class Threshold:
    """A threshold that an audit used.

    Attributes:
        value: Scores above it are findings; None if it could not be determined, so that nothing is found.
        quantile: The quantile of the set's scores that it is, or is derived from; None for a fixed threshold.
        of: Number of scores that the quantile is taken of.
    """

    value: float | None
    quantile: float | None = None
    of: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        value = None if self.value is None else round(self.value, 4)
        return asdict(self) | {"value": value}


def quantile_thresholds(suspicion: Mapping[str, npt.NDArray[np.float64]], limits: Limits) -> dict[str, Threshold]:
    """By kind, the score that the kind's fraction of the assessed sketches exceeds."""
    found = {}
    for kind, fraction in limits.fractions.items():
        scores = suspicion[kind][np.isfinite(suspicion[kind])]
        value = float(np.quantile(scores, 1 - fraction)) if len(scores) else None
        found[kind] = Threshold(value, round(1 - fraction, 6), len(scores))
    return found


def check_ink(sketches: Sequence[Sketch], inks: Sequence[Ink], limits: Limits) -> list[Finding]:
    """Find blank and cropped sketches; unreadable ones are skipped."""
    found = []
    for sketch, ink in zip(sketches, inks, strict=True):
        if ink.problem:
            continue
        if ink.length < limits.blank_length:
            facts = {"length": round(ink.length, 3)}
            found.append(Finding("blank", sketch.key, sketch.category, -ink.length, facts))
        if ink.contacts >= limits.border_contacts:
            facts = {"contacts": ink.contacts, "border_fraction": round(ink.contact, 4)}
            found.append(Finding("cropped", sketch.key, sketch.category, ink.contacts + ink.contact, facts))
    return found


def check_sketches(
    sketches: Sequence[Sketch],
    photos: Sequence[Photo],
    ranking: Ranking,
    signals: Signals,
    thresholds: Mapping[str, Threshold],
    categories: Sequence[str],
) -> list[Finding]:
    """Find mislabeled, mispaired, ambiguous and outlying sketches. One sketch can be several of these.

    Args:
        sketches, photos: In the order of the ranking's rows and photo numbers.
        ranking: Of the photos, for each sketch.
        signals: Of each sketch.
        thresholds: By kind, as from ``quantile_thresholds``.
        categories: Names by number.
    """
    found = []
    for kind, scores in signals.suspicion().items():
        least = thresholds[kind].value
        # The model finds the photo of a faithful sketch first, so a clean set has few findings whatever the quantile.
        hits = (scores > least) & signals.beaten if least is not None else np.zeros(len(sketches), dtype=bool)
        for i in np.flatnonzero(hits).tolist():
            facts: dict[str, Any] = {"rank": int(ranking.rank[i])} if ranking.rank[i] else {}
            facts |= {"lag": round(float(signals.lag[i]), 3), "disagreement": round(float(signals.disagreement[i]), 3)}
            if ranking.rival[i] >= 0 and ranking.category_margin[i] > 0:
                facts["taken_for"] = categories[ranking.rival[i]]
            others = tuple(photos[j].key for j in ranking.first[i])
            found.append(Finding(kind, sketches[i].key, sketches[i].category, float(scores[i]), facts, others))
    return found


def check_near_duplicates(
    photos: Sequence[Photo], duplicates: Sequence[NearDuplicates], test: frozenset[str] | None
) -> list[Finding]:
    """Turn pairs of duplicates into findings.

    Args:
        photos: What the pairs' numbers refer to.
        duplicates: Pairs.
        test: Keys of the test photos, in an audit of the test split. Pairs with one test photo are
            ``cross_split_duplicate``; pairs within the training split are skipped. None where all photos are one
            subset.
    """
    found = []
    for pair in duplicates:
        first, second = photos[pair.first], photos[pair.second]
        kind = "near_duplicate" if pair.kind == "near" else "exact_duplicate"
        if test is not None:
            if first.key not in test and second.key not in test:
                continue
            if (first.key in test) != (second.key in test):
                kind = "cross_split_duplicate"
                first, second = (first, second) if first.key in test else (second, first)
        facts = {
            "duplicates": pair.kind,
            "cosine": round(pair.cosine, 4),
            "correlation": round(pair.correlation, 4),
            "same_category": first.category == second.category,
        }
        score = pair.cosine + (0.0 if pair.kind == "near" else 1.0)
        found.append(Finding(kind, first.key, first.category, score, facts, (second.key,)))
    return found
