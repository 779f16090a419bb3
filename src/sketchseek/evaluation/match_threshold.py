"""Below which score a sketch's results are likely not what was meant: what "nothing fits well" rests on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sketchseek.evaluation.metrics import Vectors, similarity
from sketchseek.models.package import Distance

FIRST = 5
"""Results among which what was drawn should be: about the first row of the page."""
WORTH = 2 / 3
"""How often the line must be right where it is said: with less, it would be noise."""

_BLOCK = 256  # sketches that are compared at once


def match_threshold(
    sketches: Vectors,
    photos: Vectors,
    drawn: npt.NDArray[np.int64],
    shown: npt.NDArray[np.int64],
    distance: Distance = "cosine",
    *,
    wrongly: float = 0.05,
) -> tuple[float, float]:
    """The score below which a best result likely has nothing beside it that shows what was drawn.

    It lies where few of the sketches that find their thing among the first five have a lower best score. What it is
    worth is how often it is right about the others. The best score grows with a gallery, so where a gallery is far
    larger than this one, it is reached too easily: the line is rather silent than wrong.

    Args:
        sketches: (n, d) embeddings.
        photos: (m, d).
        drawn, shown: (n,) and (m,) categories; sketches of what is not shown do not count.
        distance: How they are compared; distances count as scores with their sign turned.
        wrongly: Share of the sketches that find their thing and whose best score stays below.

    Returns:
        The threshold; and of the sketches below it, whose thing is in the gallery, the share that does not find it
        among the first five. Where the thing is not there the line is always right: this is the least it is worth.

    Raises:
        ValueError: No sketch finds its thing.
    """
    best, found = [], []
    for start in range(0, len(sketches), _BLOCK):
        scores = similarity(sketches[start : start + _BLOCK], photos, distance)
        if distance == "euclidean":
            scores = -np.sqrt(np.maximum(-scores, 0))
        own = drawn[start : start + len(scores), None] == shown[None, :]
        asked = own.any(axis=1)
        own, scores = own[asked], scores[asked]
        first = np.argpartition(-scores, min(FIRST, scores.shape[1]) - 1, axis=1)[:, :FIRST]
        best.append(scores.max(axis=1))
        found.append(np.take_along_axis(own, first, axis=1).any(axis=1))
    score, finds = np.concatenate(best), np.concatenate(found)
    if not finds.any():
        raise ValueError("no sketch finds its thing")
    threshold = float(np.quantile(score[finds], wrongly))
    below = score < threshold
    return threshold, float(np.mean(~finds[below])) if below.any() else 0.0


def worth_saying(threshold: float, right: float) -> float | None:
    """The threshold as a package carries it (``scores.fit``), if the line is right often enough."""
    return round(threshold, 4) if right >= WORTH else None
