"""From which score on a drawing's best result is likely what was meant: what an honest "nothing fits well" rests on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sketchseek.artefact import Metric
from sketchseek.evaluation.metrics import Vectors, similarity

_BLOCK = 256  # drawings that are compared at once


def fit_threshold(
    drawings: Vectors,
    photos: Vectors,
    drawn: npt.NDArray[np.int64],
    shown: npt.NDArray[np.int64],
    metric: Metric = "cosine",
) -> tuple[float, float]:
    """The score that tells best a gallery that holds the drawn thing from one that does not.

    Each drawing asks twice: all photos, and all but those of its category. The threshold has the largest share of best
    scores on its right side, both cases weighing alike. The best score grows with a gallery, so where a gallery is far
    larger than this one, the threshold is reached too easily.

    Args:
        drawings: (n, d) embeddings.
        photos: (m, d).
        drawn, shown: (n,) and (m,) categories.
        metric: How they are compared; distances count as scores with their sign turned.

    Returns:
        The threshold, and the share on the right side: 0.5 is worth nothing.

    Raises:
        ValueError: No drawing has both a photo of its category and one of another.
    """
    present, absent = [], []
    for start in range(0, len(drawings), _BLOCK):
        scores = similarity(drawings[start : start + _BLOCK], photos, metric)
        own = drawn[start : start + len(scores), None] == shown[None, :]
        asked = own.any(axis=1) & ~own.all(axis=1)
        present.append(scores.max(axis=1)[asked])
        absent.append(np.where(own, -np.inf, scores).max(axis=1)[asked])
    there, not_there = np.concatenate(present), np.concatenate(absent)
    if not len(there):
        raise ValueError("no drawing has photos both of its category and of another")
    levels = np.unique(np.concatenate([there, not_there]))
    hits = 1 - np.searchsorted(np.sort(there), levels) / len(there)
    rejections = np.searchsorted(np.sort(not_there), levels) / len(not_there)
    right = (hits + rejections) / 2
    best = int(np.argmax(right))
    return float(levels[best]), float(right[best])
