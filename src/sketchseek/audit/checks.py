"""From rankings, twins and ink to findings.

All thresholds are here and in ``sketchseek.audit.twins``. They were chosen by eye on the training part of The Sketchy
Database with the model ``small`` (docs/audit.md), never on a test part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from sketchseek.audit.findings import Finding
from sketchseek.audit.ink import Ink
from sketchseek.audit.ranking import Ranking
from sketchseek.audit.twins import NEAR, Twins
from sketchseek.datasets.records import Drawing, Photo


@dataclass(frozen=True)
class Thresholds:
    """When something is a finding; margins are in standard deviations (``sketchseek.audit.ranking``).

    Attributes:
        twin_cosine: Cosine of embeddings from which on two photos are near twins.
        blank_length: Length of lines, in sides of the raster that the drawing fills, below which it is nearly blank.
        border_contacts: Places where ink touches the border from which on a drawing is cropped.
        elsewhere_margin: How far another photo of the category must be before the drawing's own.
        object_margin: How far another category's best photo must be before the own category's best.
        near: How near the nearest photo others must be to count as about as near.
        ambiguous_categories: How many categories must be that near, where there are several.
        ambiguous_share: Share of all photos that must be that near, where there is one category.
        hidden_score: All of a photo's drawings must give it less than this, where there are several categories.
        hidden_share: All of a photo's drawings must rank it behind this share of all photos, where there is one.
        hidden_drawings: How many drawings a photo must have to be judged by them.
    """

    twin_cosine: float = NEAR
    blank_length: float = 1.2
    border_contacts: int = 2
    elsewhere_margin: float = 1.0
    object_margin: float = 1.3
    near: float = 0.5
    ambiguous_categories: int = 9
    ambiguous_share: float = 0.1
    hidden_score: float = 2.5
    hidden_share: float = 0.25
    hidden_drawings: int = 3

    def to_dict(self) -> dict[str, float]:
        """Ready for JSON."""
        return asdict(self)


def check_ink(drawings: Sequence[Drawing], inks: Sequence[Ink], limits: Thresholds) -> list[Finding]:
    """Blank and cropped drawings; one that cannot be read is neither."""
    found = []
    for drawing, ink in zip(drawings, inks, strict=True):
        if ink.problem:
            continue
        if ink.length < limits.blank_length:
            facts = {"length": round(ink.length, 3)}
            found.append(Finding("blank", drawing.key, drawing.category, -ink.length, facts))
        if ink.contacts >= limits.border_contacts:
            facts = {"contacts": ink.contacts, "border_share": round(ink.contact, 4)}
            found.append(Finding("cropped", drawing.key, drawing.category, ink.contacts + ink.contact, facts))
    return found


def check_drawings(
    drawings: Sequence[Drawing],
    photos: Sequence[Photo],
    ranking: Ranking,
    categories: Sequence[str],
    hidden: frozenset[str],
    limits: Thresholds,
) -> list[Finding]:
    """Drawings of wrong objects, nearer to another photo, or ambiguous.

    Args:
        drawings, photos: What the ranking is of.
        ranking: Of them.
        categories: Names by number.
        hidden: Keys of photos whose subject is hidden: their drawings are not to blame for missing them.
        limits: When something is a finding.
    """
    several = len({photo.category for photo in photos}) > 1
    found = []
    for i, drawing in enumerate(drawings):
        others = tuple(photos[j].key for j in ranking.first[i])
        wrong = False
        facts = {"rank": int(ranking.rank[i])} if ranking.rank[i] else {}
        margin = float(ranking.category_margin[i])
        if several and np.isfinite(margin) and margin >= limits.object_margin and drawing.photo not in hidden:
            wrong = True
            seen = {**facts, "margin": round(margin, 3), "taken_for": categories[ranking.rival[i]]}
            found.append(Finding("wrong_object", drawing.key, drawing.category, margin, seen, others))
        if ranking.rank[i] > 1 and not wrong and drawing.photo not in hidden and len(others):
            ahead = float(ranking.scores[i, 0] - ranking.own[i])
            if ahead >= limits.elsewhere_margin and photos[ranking.first[i, 0]].category == drawing.category:
                seen = {**facts, "margin": round(ahead, 3)}
                found.append(Finding("elsewhere", drawing.key, drawing.category, ahead, seen, others))
        near_categories, near_photos = int(ranking.near_categories[i]), int(ranking.near_photos[i])
        seen = {**facts, "near_categories": near_categories, "near_photos": near_photos}
        if several and near_categories >= limits.ambiguous_categories:
            found.append(Finding("ambiguous", drawing.key, drawing.category, float(near_categories), seen, others))
        elif not several and near_photos >= max(2.0, limits.ambiguous_share * len(photos)):
            found.append(Finding("ambiguous", drawing.key, drawing.category, float(near_photos), seen, others))
    return found


def check_photos(
    drawings: Sequence[Drawing], photos: Sequence[Photo], ranking: Ranking, limits: Thresholds
) -> list[Finding]:
    """Photos that all their drawings miss by far; ``others`` are keys of those drawings."""
    drawn: dict[str, list[int]] = defaultdict(list)
    for i, drawing in enumerate(drawings):
        if ranking.rank[i]:
            drawn[drawing.photo or ""].append(i)
    several = len({photo.category for photo in photos}) > 1
    found = []
    for photo in photos:
        rows = drawn.get(photo.key, [])
        if len(rows) < limits.hidden_drawings:
            continue
        best, ranks = float(ranking.own[rows].max()), ranking.rank[rows]
        missed = best < limits.hidden_score if several else ranks.min() > limits.hidden_share * len(photos)
        if missed and ranks.min() > 1:
            facts = {"drawings": len(rows), "best_rank": int(ranks.min()), "median_rank": float(np.median(ranks))}
            sketches = tuple(drawings[i].key for i in rows)
            found.append(Finding("hidden_subject", photo.key, photo.category, -best, facts, sketches))
    return found


def check_twins(photos: Sequence[Photo], twins: Sequence[Twins], test: frozenset[str] | None) -> list[Finding]:
    """Twins as findings.

    Args:
        photos: What the twins' numbers are of.
        twins: Pairs.
        test: Keys of the test part: only pairs with one photo there and one not there are ``across_parts``, and pairs
            within the training part are none of this audit's business. None where all photos are one part.
    """
    found = []
    for pair in twins:
        first, second = photos[pair.first], photos[pair.second]
        kind = "near_twins" if pair.kind == "near" else "same_picture"
        if test is not None:
            if first.key not in test and second.key not in test:
                continue
            if (first.key in test) != (second.key in test):
                kind = "across_parts"
                first, second = (first, second) if first.key in test else (second, first)
        facts = {
            "twins": pair.kind,
            "cosine": round(pair.cosine, 4),
            "correlation": round(pair.correlation, 4),
            "same_category": first.category == second.category,
        }
        score = pair.cosine + (0.0 if pair.kind == "near" else 1.0)
        found.append(Finding(kind, first.key, first.category, score, facts, (second.key,)))
    return found
