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
    """Search an index for one query, (d,), and score again by the catalog's vectors where the index rounds them.

    Returns:
        Ids and scores, each (n,), n at most k, best first.
    """
    asked = k if index.oversampling == 1 else min(k * index.oversampling, k + MORE)
    found, scores = index.search(query[None], asked, allowed)
    if index.oversampling == 1:
        return found[0], scores[0]
    vectors = catalog.vectors_of(found[0], index.dimension)
    exact: Scores = vectors @ query if index.distance == "cosine" else -np.linalg.norm(vectors - query, axis=1)
    order = np.argsort(-exact, kind="stable")[:k]
    return found[0][order], exact[order]


def check_vector(vector: npt.NDArray[np.float32], dimension: int, distance: Distance) -> npt.NDArray[np.float32]:
    """A query as the index takes it, (dimension,), of unit length where the distance is ``cosine``.

    Raises:
        InputError: It has another shape, is not finite, or is zero.
    """
    if vector.shape != (dimension,):
        raise InputError(f"a vector of shape {vector.shape}; this library's have the shape ({dimension},).")
    if not np.isfinite(vector).all():
        raise InputError("the vector has numbers that are not finite.")
    if distance == "euclidean":
        return vector
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if length == 0.0:
        raise InputError("the vector is zero: it has no direction.")
    return (vector / np.float32(length)).astype(np.float32)
