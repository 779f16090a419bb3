"""Grouping results that are copies of one photo: the same file, or the same picture saved again.

Copies are told by their embeddings, as the search itself compares photos. Results are taken in order: each joins the
first group whose best photo it is a copy of, or begins a new one. So a group's place depends only on results before it,
and pages of groups fit together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sketchseek.models.package import Distance
from sketchseek.search.results import PhotoCopy, SearchResult

Embedding = npt.NDArray[np.float32]

SAME = 0.98
"""Smallest cosine of the embeddings of two copies.

With the bundled model ``small``, of 600 photos of Caltech-101 (300 pixels wide) no two come above 0.972. Saved again as
JPEG of quality 85, none of 150 falls below 0.992. Copies that are smaller than the encoder's input (260 pixels) or
strongly compressed are not told: at half the size and quality 60 their median is 0.86.
"""

MARGIN = 50
"""Results that are looked at beyond those asked for: more are fetched if there are so many copies."""


def grouped(
    search: Callable[[int], Sequence[SearchResult]],
    embedding_of: Callable[[int], Embedding | None],
    k: int,
    offset: int,
    distance: Distance,
) -> list[SearchResult]:
    """Search for groups of copies.

    Args:
        search: Returns as many results as it is asked for, best first, or as there are.
        embedding_of: Returns a photo's embedding, or None if the photo was removed meanwhile.
        k: Maximum number of groups.
        offset: Number of best groups to skip.
        distance: How embeddings are compared.

    Returns:
        The best photo of each group, with its place among the groups as rank and the other photos as ``copies``.
    """
    end = offset + k
    asked = end + MARGIN
    while True:
        found = search(asked)
        groups = _group(found, embedding_of, distance)
        if len(groups) > end or len(found) < asked:
            break
        asked *= 2
    return [
        replace(first, rank=rank, copies=tuple(PhotoCopy(one.id, one.path) for one in others))
        for rank, (first, *others) in enumerate(groups[offset:end], start=offset + 1)
    ]


def _group(
    results: Sequence[SearchResult], embedding_of: Callable[[int], Embedding | None], distance: Distance
) -> list[list[SearchResult]]:
    groups: list[list[SearchResult]] = []
    firsts: npt.NDArray[np.float32] | None = None
    for result in results:
        embedding = embedding_of(result.id)
        if embedding is None:
            continue
        if firsts is None:
            firsts = np.empty((len(results), len(embedding)), np.float32)
        unit = embedding / max(float(np.linalg.norm(embedding)), 1e-12) if distance == "cosine" else embedding
        place = _copy_of(unit, firsts[: len(groups)], distance)
        if place is None:
            firsts[len(groups)] = unit
            groups.append([result])
        else:
            groups[place].append(result)
    return groups


def _copy_of(embedding: Embedding, firsts: npt.NDArray[np.float32], distance: Distance) -> int | None:
    """Return the first group whose best photo has nearly this embedding, or None."""
    if len(firsts) == 0:
        return None
    if distance == "cosine":
        same = firsts @ embedding >= SAME
    else:  # the distance of two unit vectors with this cosine, in relation to the length of the embedding
        limit = (2 - 2 * SAME) ** 0.5 * float(np.linalg.norm(embedding))
        same = np.linalg.norm(firsts - embedding, axis=1) <= limit
    return int(np.argmax(same)) if same.any() else None
