"""From rankings, duplicates and ink to findings.

All thresholds are here and in ``sketchseek.audit.near_duplicates``. They were chosen by eye on the training part of The Sketchy
Database with the model ``small`` (docs/audit.md), never on a test part.
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
    """When something is a finding; margins are in standard deviations (``sketchseek.audit.ranking``).

    Attributes:
        duplicate_cosine: Cosine of embeddings from which on two photos are near duplicates.
        blank_length: Length of lines, in sides of the raster that the sketch fills, below which it is nearly blank.
        border_contacts: Places where ink touches the border from which on a sketch is cropped.
        elsewhere_margin: How far another photo of the category must be before the sketch's own.
        object_margin: How far another category's best photo must be before the own category's best.
        near: How near the nearest photo others must be to count as about as near.
        ambiguous_categories: How many categories must be that near, where there are several.
        ambiguous_share: Share of all photos that must be that near, where there is one category.
        hidden_score: All of a photo's sketches must give it less than this, where there are several categories.
        hidden_share: All of a photo's sketches must rank it behind this share of all photos, where there is one.
        hidden_sketches: How many sketches a photo must have to be judged by them.
    """

    duplicate_cosine: float = NEAR
    blank_length: float = 1.2
    border_contacts: int = 2
    elsewhere_margin: float = 1.0
    object_margin: float = 1.3
    near: float = 0.5
    ambiguous_categories: int = 9
    ambiguous_share: float = 0.1
    hidden_score: float = 2.5
    hidden_share: float = 0.25
    hidden_sketches: int = 3

    def to_dict(self) -> dict[str, float]:
        """Ready for JSON."""
        return asdict(self)


def check_ink(sketches: Sequence[Sketch], inks: Sequence[Ink], limits: Thresholds) -> list[Finding]:
    """Blank and cropped sketches; one that cannot be read is neither."""
    found = []
    for sketch, ink in zip(sketches, inks, strict=True):
        if ink.problem:
            continue
        if ink.length < limits.blank_length:
            facts = {"length": round(ink.length, 3)}
            found.append(Finding("blank", sketch.key, sketch.category, -ink.length, facts))
        if ink.contacts >= limits.border_contacts:
            facts = {"contacts": ink.contacts, "border_share": round(ink.contact, 4)}
            found.append(Finding("cropped", sketch.key, sketch.category, ink.contacts + ink.contact, facts))
    return found


def check_sketches(
    sketches: Sequence[Sketch],
    photos: Sequence[Photo],
    ranking: Ranking,
    categories: Sequence[str],
    hidden: frozenset[str],
    limits: Thresholds,
) -> list[Finding]:
    """Sketches of wrong objects, nearer to another photo, or ambiguous.

    Args:
        sketches, photos: What the ranking is of.
        ranking: Of them.
        categories: Names by number.
        hidden: Keys of photos whose subject is hidden: their sketches are not to blame for missing them.
        limits: When something is a finding.
    """
    several = len({photo.category for photo in photos}) > 1
    found = []
    for i, sketch in enumerate(sketches):
        others = tuple(photos[j].key for j in ranking.first[i])
        wrong = False
        facts = {"rank": int(ranking.rank[i])} if ranking.rank[i] else {}
        margin = float(ranking.category_margin[i])
        if several and np.isfinite(margin) and margin >= limits.object_margin and sketch.photo not in hidden:
            wrong = True
            seen = {**facts, "margin": round(margin, 3), "taken_for": categories[ranking.rival[i]]}
            found.append(Finding("wrong_object", sketch.key, sketch.category, margin, seen, others))
        if ranking.rank[i] > 1 and not wrong and sketch.photo not in hidden and len(others):
            ahead = float(ranking.scores[i, 0] - ranking.own[i])
            if ahead >= limits.elsewhere_margin and photos[ranking.first[i, 0]].category == sketch.category:
                seen = {**facts, "margin": round(ahead, 3)}
                found.append(Finding("elsewhere", sketch.key, sketch.category, ahead, seen, others))
        near_categories, near_photos = int(ranking.near_categories[i]), int(ranking.near_photos[i])
        seen = {**facts, "near_categories": near_categories, "near_photos": near_photos}
        if several and near_categories >= limits.ambiguous_categories:
            found.append(Finding("ambiguous", sketch.key, sketch.category, float(near_categories), seen, others))
        elif not several and near_photos >= max(2.0, limits.ambiguous_share * len(photos)):
            found.append(Finding("ambiguous", sketch.key, sketch.category, float(near_photos), seen, others))
    return found


def check_photos(
    sketches: Sequence[Sketch], photos: Sequence[Photo], ranking: Ranking, limits: Thresholds
) -> list[Finding]:
    """Photos that all their sketches miss by far; ``others`` are keys of those sketches."""
    drawn: dict[str, list[int]] = defaultdict(list)
    for i, sketch in enumerate(sketches):
        if ranking.rank[i]:
            drawn[sketch.photo or ""].append(i)
    several = len({photo.category for photo in photos}) > 1
    found = []
    for photo in photos:
        rows = drawn.get(photo.key, [])
        if len(rows) < limits.hidden_sketches:
            continue
        best, ranks = float(ranking.own[rows].max()), ranking.rank[rows]
        missed = best < limits.hidden_score if several else ranks.min() > limits.hidden_share * len(photos)
        if missed and ranks.min() > 1:
            facts = {"drawings": len(rows), "best_rank": int(ranks.min()), "median_rank": float(np.median(ranks))}
            sketch_keys = tuple(sketches[i].key for i in rows)
            found.append(Finding("hidden_subject", photo.key, photo.category, -best, facts, sketch_keys))
    return found


def check_near_duplicates(
    photos: Sequence[Photo], duplicates: Sequence[NearDuplicates], test: frozenset[str] | None
) -> list[Finding]:
    """NearDuplicates as findings.

    Args:
        photos: What the duplicates' numbers are of.
        duplicates: Pairs.
        test: Keys of the test part: only pairs with one photo there and one not there are ``across_parts``, and pairs
            within the training part are none of this audit's business. None where all photos are one part.
    """
    found = []
    for pair in duplicates:
        first, second = photos[pair.first], photos[pair.second]
        kind = "near_twins" if pair.kind == "near" else "same_picture"
        if test is not None:
            if first.key not in test and second.key not in test:
                continue
            if (first.key in test) != (second.key in test):
                kind = "across_parts"
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
