"""Relevance feedback: a query moved towards photos that were right and away from those that were wrong.

Rocchio's formula, in the form of Manning, Raghavan and Schütze, *Introduction to Information Retrieval* (2008),
equation 9.3, after J. J. Rocchio, *Relevance feedback in information retrieval* (1971)::

    q' = alpha q + beta · mean(right) - gamma · mean(wrong)

Embeddings take the place of term vectors. The book's rule that negative weights become 0 is for terms and has no place
here: an embedding's numbers have no sign of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketchseek.errors import InputError
from sketchseek.models.package import Distance

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class RocchioWeights:
    """How much each part of the feedback weighs.

    Attributes:
        alpha: The query as it was.
        beta: The mean of what was right.
        gamma: The mean of what was wrong: little, since what is wrong says less about where to look.
    """

    alpha: float = 1.0
    beta: float = 0.75
    gamma: float = 0.15


WEIGHTS = RocchioWeights()
"""Section 9.1.1 of the book: "reasonable values might be alpha = 1, beta = 0.75, and gamma = 0.15"."""


def rocchio(
    query: Vector, right: Vector, wrong: Vector, *, distance: Distance, weights: RocchioWeights = WEIGHTS
) -> Vector:
    """Move a query by feedback.

    Args:
        query: (d,).
        right: (n, d), embeddings of photos that were right; n may be 0.
        wrong: (m, d), embeddings of photos that were wrong; m may be 0.
        distance: With ``cosine`` the query and the answer are brought to unit length. With ``euclidean`` the answer is
            divided by the weights' sum: places have no direction, so a weighted mean is what stays among the photos.
        weights: See ``RocchioWeights``.

    Returns:
        (d,) float32.

    Raises:
        InputError: The parts cancel each other out.
    """
    moved = query.astype(np.float64)
    if distance == "cosine":
        moved /= max(float(np.linalg.norm(moved)), 1e-30)
    moved *= weights.alpha
    total = weights.alpha
    for vectors, weight in ((right, weights.beta), (wrong, -weights.gamma)):
        if len(vectors):
            moved += weight * vectors.astype(np.float64).mean(axis=0)
            total += weight
    length = float(np.linalg.norm(moved)) if distance == "cosine" else total
    if length < 1e-6:
        raise InputError(
            "what is right and what is wrong cancel each other out.", remedy="Mark fewer photos, or other ones."
        )
    return (moved / length).astype(np.float32)
