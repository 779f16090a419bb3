"""The match threshold: if the best score of a query is below it, search reports "no close match"."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sketchseek.evaluation.metrics import Embeddings, similarity
from sketchseek.models.package import Distance

FIRST = 5
"""A query succeeds if its category is among this many results, about the first row of the page."""
MIN_PRECISION = 2 / 3
"""Minimum precision of the warning: below it, a model has no match threshold."""

_BLOCK = 256  # sketches per matrix product


def match_threshold(
    sketches: Embeddings,
    photos: Embeddings,
    sketch_categories: npt.NDArray[np.int64],
    photo_categories: npt.NDArray[np.int64],
    distance: Distance = "cosine",
    *,
    wrong_refusals: float = 0.05,
) -> tuple[float, float]:
    """The threshold for the best score of a query, and the precision of the warning below it.

    The threshold is a quantile of the best scores of successful queries: those with a photo of their category among
    the first five results. The best score grows with the size of the gallery. In a much larger gallery than this one
    the warning is therefore missed more often, but not given wrongly more often.

    Args:
        sketches: (n, d) embeddings.
        photos: (m, d).
        sketch_categories: (n,); sketches whose category has no photo do not count.
        photo_categories: (m,).
        distance: Distance between embeddings; the score of a Euclidean distance is its negative.
        wrong_refusals: Fraction of successful queries below the threshold, which get a false warning.

    Returns:
        The threshold, and the fraction of the queries below it that fail although the gallery has their category. This
        is a lower bound of the precision: if the gallery lacks the category, the warning is always right.

    Raises:
        ValueError: No query succeeds.
    """
    best, found = [], []
    for start in range(0, len(sketches), _BLOCK):
        scores = similarity(sketches[start : start + _BLOCK], photos, distance)
        if distance == "euclidean":
            scores = -np.sqrt(np.maximum(-scores, 0))
        own = sketch_categories[start : start + len(scores), None] == photo_categories[None, :]
        asked = own.any(axis=1)
        own, scores = own[asked], scores[asked]
        first = np.argpartition(-scores, min(FIRST, scores.shape[1]) - 1, axis=1)[:, :FIRST]
        best.append(scores.max(axis=1))
        found.append(np.take_along_axis(own, first, axis=1).any(axis=1))
    score, finds = np.concatenate(best), np.concatenate(found)
    if not finds.any():
        raise ValueError("no query succeeds: none has its category among the first results")
    threshold = float(np.quantile(score[finds], wrong_refusals))
    below = score < threshold
    return threshold, float(np.mean(~finds[below])) if below.any() else 0.0


def threshold_for_manifest(threshold: float, precision: float) -> float | None:
    """The threshold for a manifest's ``scores.match_threshold``; None if the warning is too often wrong."""
    return round(threshold, 4) if precision >= MIN_PRECISION else None
