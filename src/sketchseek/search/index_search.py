"""Searching an index for one query."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sketchseek.errors import InputError
from sketchseek.models.package import Distance
from sketchseek.search.catalog import Catalog
from sketchseek.search.index.protocol import Ids, Scores, VectorIndex

MORE = 400
"""Maximum number of candidates beyond ``k`` that are scored again."""


def nearest(
    index: VectorIndex, catalog: Catalog, query: npt.NDArray[np.float32], k: int, allowed: Ids | None = None
) -> tuple[Ids, Scores]:
    """Search an index for one query, (d,). If the index rounds, candidates are scored again from the catalog.

    Returns:
        Ids and scores, each (n,), best first; n is at most k.
    """
    asked = k if index.oversampling == 1 else min(k * index.oversampling, k + MORE)
    found, scores = index.search(query[None], asked, allowed)
    if index.oversampling == 1:
        return found[0], _bounded(scores[0], index.distance)
    embeddings = catalog.embeddings_of(found[0], index.dimension)
    exact: Scores = embeddings @ query if index.distance == "cosine" else -np.linalg.norm(embeddings - query, axis=1)
    order = np.argsort(-exact, kind="stable")[:k]
    return found[0][order], _bounded(exact[order], index.distance)


def _bounded(scores: Scores, distance: Distance) -> Scores:
    """Return scores within the range of a cosine, which the rounding of stored embeddings exceeds by up to 0.0005."""
    return np.clip(scores, -1.0, 1.0) if distance == "cosine" else scores


def check_embedding(embedding: npt.NDArray[np.float32], dimension: int, distance: Distance) -> npt.NDArray[np.float32]:
    """Return a query as the index takes it: (dimension,), of unit length if the distance is ``cosine``.

    Raises:
        InputError: It has another shape, is not finite, or is zero.
    """
    if embedding.shape != (dimension,):
        raise InputError(f"the embedding has shape {embedding.shape}; this library's have shape ({dimension},).")
    if not np.isfinite(embedding).all():
        raise InputError("the embedding has numbers that are not finite.")
    if distance == "euclidean":
        return embedding
    length = float(np.linalg.norm(embedding.astype(np.float64)))
    if length == 0.0:
        raise InputError("the embedding is zero: it has no direction.")
    return (embedding / np.float32(length)).astype(np.float32)
