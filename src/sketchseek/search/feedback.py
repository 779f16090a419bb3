"""Relevance feedback: moves a query towards photos with positive feedback and away from those with negative feedback.

This is Rocchio's formula in the form of Manning, Raghavan and Schütze, *Introduction to Information Retrieval* (2008),
equation 9.3, after J. J. Rocchio, *Relevance feedback in information retrieval* (1971)::

    q' = alpha q + beta · mean(positive) - gamma · mean(negative)

Embeddings take the place of term vectors. The book sets negative weights to 0; that rule is for terms, not for
embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketchseek.errors import InputError
from sketchseek.models.package import Distance

Embedding = npt.NDArray[np.float32]


@dataclass(frozen=True)
class RocchioWeights:
    """Weights of Rocchio's formula.

    Attributes:
        alpha: Weight of the original query.
        beta: Weight of the mean positive embedding.
        gamma: Weight of the mean negative embedding. It is low: negative feedback says less about where to search.
    """

    alpha: float = 1.0
    beta: float = 0.75
    gamma: float = 0.15


WEIGHTS = RocchioWeights()
"""Section 9.1.1 of the book: "reasonable values might be alpha = 1, beta = 0.75, and gamma = 0.15"."""


def rocchio(
    query: Embedding, positive: Embedding, negative: Embedding, *, distance: Distance, weights: RocchioWeights = WEIGHTS
) -> Embedding:
    """Move a query by feedback.

    Args:
        query: Embedding of the query, (d,).
        positive: Embeddings with positive feedback, (n, d); n may be 0.
        negative: Embeddings with negative feedback, (m, d); m may be 0.
        distance: With ``cosine``, the query and the result have unit length. With ``euclidean``, the result is divided
            by the sum of the weights: a weighted mean stays among the photos.
        weights: See ``RocchioWeights``.

    Returns:
        (d,) float32.

    Raises:
        InputError: The positive and negative feedback cancel each other out.
    """
    moved = query.astype(np.float64)
    if distance == "cosine":
        moved /= max(float(np.linalg.norm(moved)), 1e-30)
    moved *= weights.alpha
    total = weights.alpha
    for embeddings, weight in ((positive, weights.beta), (negative, -weights.gamma)):
        if len(embeddings):
            moved += weight * embeddings.astype(np.float64).mean(axis=0)
            total += weight
    length = float(np.linalg.norm(moved)) if distance == "cosine" else total
    if length < 1e-6:
        raise InputError(
            "the positive and negative feedback cancel each other out.", remedy="Mark fewer photos, or other ones."
        )
    return (moved / length).astype(np.float32)


def mean_of_examples(
    examples: Embedding, weights: Sequence[float], negative: Sequence[bool], *, distance: Distance
) -> tuple[Embedding, npt.NDArray[np.float64]]:
    """Combine the embeddings of several sketches and photos to one query.

    The query is the weighted mean of the positive examples, moved away from the negative ones by Rocchio's formula
    with its usual ``gamma``: a negative example of weight 1 counts ``gamma`` of a positive one. One positive example
    alone gives its own embedding.

    Args:
        examples: Embeddings, (n, d); at least one is positive.
        weights: Weight of each, above 0.
        negative: Whether each is negative.
        distance: With ``cosine``, examples count with unit length, and the result has unit length. With ``euclidean``,
            the result is divided by the sum of the weights.

    Returns:
        The query, (d,) float32, and what each example is multiplied by in it, (n,): ``query = factors @ examples``.

    Raises:
        InputError: The examples cancel each other out.
    """
    factors = np.array([-WEIGHTS.gamma * w if bad else w for w, bad in zip(weights, negative, strict=True)], np.float64)
    factors /= np.abs(factors).sum()
    if distance == "cosine":
        factors /= np.maximum(np.linalg.norm(examples.astype(np.float64), axis=1), 1e-30)
    mean = factors @ examples.astype(np.float64)
    length = float(np.linalg.norm(mean) if distance == "cosine" else factors.sum())
    if length < 1e-6:
        raise InputError("the positive and negative examples cancel each other out.", remedy="Leave some of them out.")
    return (mean / length).astype(np.float32), factors / length
