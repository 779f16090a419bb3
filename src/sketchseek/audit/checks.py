"""Turns rankings, duplicates and ink into findings.

All thresholds are here and in ``sketchseek.audit.near_duplicates``. They were chosen by eye on the training split of
the Sketchy Database with the model ``small`` (docs/audit.md), never on a test split.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from sketchseek.audit.findings import Finding
from sketchseek.audit.ink import Ink
from sketchseek.audit.near_duplicates import NEAR, NearDuplicates
from sketchseek.audit.ranking import Ranking
from sketchseek.datasets.records import Photo, Sketch


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of all checks. Scores and margins are in standard deviations (``sketchseek.audit.ranking``).

    Attributes:
        duplicate_cosine: Minimum cosine of two photos' embeddings for a near-duplicate.
        blank_length: Maximum length of the lines of a blank sketch, in side lengths of the raster that the sketch
            fills.
        border_contacts: Minimum number of places where ink touches the border of a cropped sketch.
        mispaired_margin: Minimum margin of another photo of the category over the sketch's own photo.
        mislabeled_margin: Minimum margin of the best photo of another category over the best of the sketch's own.
        near: Maximum distance to the best score for a photo to count as near.
        ambiguous_categories: Minimum number of near categories, for data sets of several categories.
        ambiguous_fraction: Minimum fraction of near photos, for data sets of one category.
        occluded_score: All sketches give an occluded photo less than this, for data sets of several categories.
        occluded_fraction: All sketches rank an occluded photo behind this fraction of all photos, for data sets of one
            category.
        occluded_sketches: Minimum number of sketches of a photo for this check.
    """

    duplicate_cosine: float = NEAR
    blank_length: float = 1.2
    border_contacts: int = 2
    mispaired_margin: float = 1.0
    mislabeled_margin: float = 1.3
    near: float = 0.5
    ambiguous_categories: int = 9
    ambiguous_fraction: float = 0.1
    occluded_score: float = 2.5
    occluded_fraction: float = 0.25
    occluded_sketches: int = 3

    def to_dict(self) -> dict[str, float]:
        """Ready for JSON."""
        return asdict(self)


def check_ink(sketches: Sequence[Sketch], inks: Sequence[Ink], limits: Thresholds) -> list[Finding]:
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
    categories: Sequence[str],
    occluded: frozenset[str],
    limits: Thresholds,
) -> list[Finding]:
    """Find mislabeled, mispaired and ambiguous sketches.

    Args:
        sketches, photos: In the order of the ranking's rows and photo numbers.
        ranking: Of the photos, for each sketch.
        categories: Names by number.
        occluded: Keys of occluded photos. Their sketches are neither mislabeled nor mispaired.
        limits: Thresholds.
    """
    several = len({photo.category for photo in photos}) > 1
    found = []
    for i, sketch in enumerate(sketches):
        others = tuple(photos[j].key for j in ranking.first[i])
        facts = {"rank": int(ranking.rank[i])} if ranking.rank[i] else {}
        margin = float(ranking.category_margin[i])
        ahead = float(ranking.scores[i, 0] - ranking.own[i]) if len(others) and ranking.rank[i] > 1 else -np.inf
        if sketch.photo in occluded:
            pass
        elif several and np.isfinite(margin) and margin >= limits.mislabeled_margin:
            seen = {**facts, "margin": round(margin, 3), "taken_for": categories[ranking.rival[i]]}
            found.append(Finding("mislabeled", sketch.key, sketch.category, margin, seen, others))
        elif ahead >= limits.mispaired_margin and photos[ranking.first[i, 0]].category == sketch.category:
            seen = {**facts, "margin": round(ahead, 3)}
            found.append(Finding("mispaired", sketch.key, sketch.category, ahead, seen, others))
        near_categories, near_photos = int(ranking.near_categories[i]), int(ranking.near_photos[i])
        near = near_categories if several else near_photos
        needed = limits.ambiguous_categories if several else max(2.0, limits.ambiguous_fraction * len(photos))
        if near >= needed:
            seen = {**facts, "near_categories": near_categories, "near_photos": near_photos}
            found.append(Finding("ambiguous", sketch.key, sketch.category, float(near), seen, others))
    return found


def check_photos(
    sketches: Sequence[Sketch], photos: Sequence[Photo], ranking: Ranking, limits: Thresholds
) -> list[Finding]:
    """Find occluded photos: all their sketches miss them by far. ``others`` are the keys of these sketches."""
    drawn: dict[str, list[int]] = defaultdict(list)
    for i, sketch in enumerate(sketches):
        if ranking.rank[i]:
            drawn[sketch.photo or ""].append(i)
    several = len({photo.category for photo in photos}) > 1
    found = []
    for photo in photos:
        rows = drawn.get(photo.key, [])
        if len(rows) < limits.occluded_sketches:
            continue
        best, ranks = float(ranking.own[rows].max()), ranking.rank[rows]
        missed = best < limits.occluded_score if several else ranks.min() > limits.occluded_fraction * len(photos)
        if missed and ranks.min() > 1:
            facts = {"sketches": len(rows), "best_rank": int(ranks.min()), "median_rank": float(np.median(ranks))}
            sketch_keys = tuple(sketches[i].key for i in rows)
            found.append(Finding("occluded", photo.key, photo.category, -best, facts, sketch_keys))
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
