"""Ranks all photos for each sketch, in blocks.

Scores are z-scores: similarities minus their mean over all photos, in standard deviations. So a margin means the same
for all sketches and for either distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketchseek.evaluation.metrics import similarity
from sketchseek.models.package import Distance

HELD = 8_000_000
"""Maximum number of similarities in memory."""

FIRST = 5
"""Number of nearest photos that are kept."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ranking:
    """Results of all sketches; every array has one row per sketch.

    Attributes:
        rank: Rank of its own photo, from 1, ties against it; 0 if it has none.
        own: Score of its own photo; NaN if it has none.
        first: (sketches, ≤ FIRST) numbers of the nearest photos apart from its own, nearest first.
        scores: Their scores.
        category_margin: Score of the best photo of another category minus the best of its own; −inf if there is no
            other category, +inf if its own has no photos.
        rival: Number of that other category.
        category_best, category_mean: Best and mean score of the photos of its own category; NaN if there are none.
    """

    rank: Ints
    own: Floats
    first: Ints
    scores: Floats
    category_margin: Floats
    rival: Ints
    category_best: Floats
    category_mean: Floats


def rank(
    sketches: npt.NDArray[np.float32],
    photos: npt.NDArray[np.float32],
    own: Ints,
    sketch_category: Ints,
    photo_category: Ints,
    *,
    distance: Distance = "cosine",
) -> Ranking:
    """Rank all photos for each sketch.

    Args:
        sketches, photos: (n, d) and (m, d); m is at least 1.
        own: (n,) number of each sketch's photo, −1 if it has none.
        sketch_category, photo_category: (n,) and (m,) numbers of categories.
        distance: Of the embeddings.
    """
    count, gallery = len(sketches), len(photos)
    order = np.argsort(photo_category, kind="stable")
    categories, starts = np.unique(photo_category[order], return_index=True)
    kept = min(FIRST, max(0, gallery - 1))
    out = Ranking(
        np.zeros(count, dtype=np.int64),
        np.full(count, np.nan),
        np.zeros((count, kept), dtype=np.int64),
        np.zeros((count, kept)),
        np.full(count, -np.inf),
        np.full(count, -1, dtype=np.int64),
        np.full(count, np.nan),
        np.full(count, np.nan),
    )
    sizes = np.diff([*starts, gallery])
    step = max(1, HELD // gallery)
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        scores = similarity(sketches[part].astype(np.float32), photos, distance).astype(np.float64)
        spread = scores.std(axis=1, keepdims=True)
        scores = (scores - scores.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-12)
        by_category = scores[:, order]
        best = np.maximum.reduceat(by_category, starts, axis=1)
        mean = np.add.reduceat(by_category, starts, axis=1) / sizes
        is_own = categories[None, :] == sketch_category[part, None]
        photographed = start + np.flatnonzero(is_own.any(axis=1))
        out.category_best[photographed], out.category_mean[photographed] = best[is_own], mean[is_own]
        own_best = np.where(is_own, best, -np.inf).max(axis=1)
        others = np.where(is_own, -np.inf, best)
        if len(categories) > 1 or not is_own.all():
            out.rival[part] = categories[others.argmax(axis=1)]
            out.category_margin[part] = others.max(axis=1) - own_best
        rows = np.flatnonzero(own[part] >= 0)
        mine = own[part][rows]
        out.own[start + rows] = scores[rows, mine]
        out.rank[start + rows] = (scores[rows] >= scores[rows, mine][:, None]).sum(axis=1)
        scores[rows, mine] = -np.inf
        nearest = np.argpartition(-scores, kept - 1, axis=1)[:, :kept] if kept else out.first[part]
        sorted_there = np.argsort(-np.take_along_axis(scores, nearest, axis=1), axis=1, kind="stable")
        nearest = np.take_along_axis(nearest, sorted_there, axis=1)
        out.first[part] = nearest
        out.scores[part] = np.take_along_axis(scores, nearest, axis=1)
    return out
