"""Ranking photos by the two objects of a sketch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketchseek.models.package import Distance
from sketchseek.search.color_ranking import ranking_of
from sketchseek.search.feedback import mean_of_examples
from sketchseek.search.found import FUSED
from sketchseek.search.fusion import Ranking, ranks_of
from sketchseek.search.index.protocol import Ids, Scores
from sketchseek.search.regions import layout_scores

PARTS_WEIGHT = 4.0
"""Weight of the ranking by parts where that by the whole sketch has 1; see ``experiments/regions/measure.py``."""

CANDIDATES = 300
"""Photos nearest to the mean of the objects, and to each of them, whose halves are compared: a limit on time."""

Floats = npt.NDArray[np.float32]

NearestTo = Callable[[Floats, int], tuple[Ids, Scores]]
"""Returns ids and scores of the k photos nearest to an embedding, (d,)."""

Halves = Callable[[Ids], tuple[Floats, Floats]]
"""Returns the embeddings of photos, (n, d), and those of their halves, (n, 4, d)."""


@dataclass(frozen=True, eq=False)
class EmbeddedParts:
    """The two objects of a sketch.

    Attributes:
        embeddings: (2, d).
        middles: Where the middle of each lies in the sketch, x and y from 0 to 1.
    """

    embeddings: Floats
    middles: tuple[tuple[float, float], ...]


def part_ranking(
    parts: EmbeddedParts, nearest: NearestTo, halves: Halves | None, asked: int, distance: Distance
) -> Ranking:
    """Rank photos by the two objects of a sketch.

    Args:
        parts: The objects.
        nearest: Searches the photos that may be returned.
        halves: Reads halves of photos; None if the library has none: then the mean of the objects is searched.
        asked: Number of results.
        distance: How embeddings are compared.
    """
    count = len(parts.embeddings)
    mean, _ = mean_of_examples(parts.embeddings, [1.0] * count, [False] * count, distance=distance)
    k = max(asked, FUSED if halves is None else CANDIDATES)
    ids, scores = nearest(mean, k)
    if halves is None or not len(ids):
        return Ranking(ids, ranks_of(scores), PARTS_WEIGHT)
    candidates = np.unique(np.concatenate([ids, *(nearest(part, k)[0] for part in parts.embeddings)]))
    photos, regions = halves(candidates)
    found = layout_scores(parts.embeddings, parts.middles, photos, regions, distance)
    return ranking_of(candidates, found, PARTS_WEIGHT, len(candidates))
