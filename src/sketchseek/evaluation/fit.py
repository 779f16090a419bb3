"""Below which score a drawing's best result is likely not what was meant: what "nothing fits well" rests on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sketchseek.artefact import Metric
from sketchseek.evaluation.metrics import Vectors, similarity

WORTH = 0.25
"""Share that a threshold must reject where the drawn thing is not there: with less, the line would be noise."""

_BLOCK = 256  # drawings that are compared at once


def fit_threshold(
    drawings: Vectors,
    photos: Vectors,
    drawn: npt.NDArray[np.int64],
    shown: npt.NDArray[np.int64],
    metric: Metric = "cosine",
    *,
    wrongly: float = 0.05,
) -> tuple[float, float]:
    """The score below which a best result likely is not what was drawn.

    Each drawing asks twice: all photos, and all but those of its category. The threshold lies where few of the first
    best scores stay below it; how many of the second do says what it is worth. The best score grows with a gallery, so
    where a gallery is far larger than this one, it is reached too easily: the line is rather silent than wrong.

    Args:
        drawings: (n, d) embeddings.
        photos: (m, d).
        drawn, shown: (n,) and (m,) categories.
        metric: How they are compared; distances count as scores with their sign turned.
        wrongly: Share of drawings whose thing is there and whose best score stays below.

    Returns:
        The threshold, and the share of best scores below it where the drawn thing is not there: ``wrongly`` is worth
        nothing.

    Raises:
        ValueError: No drawing has both a photo of its category and one of another.
    """
    present, absent = [], []
    for start in range(0, len(drawings), _BLOCK):
        scores = similarity(drawings[start : start + _BLOCK], photos, metric)
        if metric == "euclidean":
            scores = -np.sqrt(np.maximum(-scores, 0))
        own = drawn[start : start + len(scores), None] == shown[None, :]
        asked = own.any(axis=1) & ~own.all(axis=1)
        present.append(scores.max(axis=1)[asked])
        absent.append(np.where(own, -np.inf, scores).max(axis=1)[asked])
    there, not_there = np.concatenate(present), np.concatenate(absent)
    if not len(there):
        raise ValueError("no drawing has photos both of its category and of another")
    threshold = float(np.quantile(there, wrongly))
    return threshold, float(np.mean(not_there < threshold))
