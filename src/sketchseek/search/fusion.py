"""Fusion of rankings: one ranking by examples, one by words and so on become one.

This is reciprocal rank fusion with weights, after G. V. Cormack, C. L. A. Clarke and S. Büttcher, *Reciprocal rank
fusion outperforms Condorcet and individual rank learning methods* (SIGIR 2009)::

    score(photo) = sum over rankings of  weight / (K + rank)

Here it is scaled so that the first of every ranking scores 1. Scores of different kinds are never compared; only ranks
are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketchseek.search.index.protocol import Ids

K = 60
"""The constant of the paper: the higher, the less the first ranks stand out."""

Ranks = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ranking:
    """Photos in the order of one criterion.

    Attributes:
        ids: Best first, (n,); each at most once.
        ranks: (n,), from 1, ascending; equal for photos that are equally good.
        weight: Weight of the criterion.
    """

    ids: Ids
    ranks: Ranks
    weight: float


def ranks_of(scores: npt.NDArray[np.floating]) -> Ranks:
    """Return ranks, from 1, of sorted scores, (n,). Equal scores share the best of their ranks."""
    if len(scores) == 0:
        return np.zeros(0)
    first = np.append(True, scores[1:] != scores[:-1])
    return np.maximum.accumulate(np.where(first, np.arange(1, len(scores) + 1), 0)).astype(np.float64)


def credit(ranks: Ranks) -> Ranks:
    """Return what a rank is worth: 1 for rank 1, one half for rank ``K + 2``."""
    return (K + 1) / (K + ranks)


def fuse(rankings: Sequence[Ranking]) -> tuple[Ids, npt.NDArray[np.float64]]:
    """Fuse rankings. A photo that a ranking lacks gets nothing from it.

    Returns:
        Ids, (n,), best first, and what each ranking contributes to their scores, (n, number of rankings). The sum over
        the rankings is the score, from 0 to 1. Equal scores are in the order of the first ranking.
    """
    total = sum(ranking.weight for ranking in rankings) or 1.0
    ids, first, place = np.unique(
        np.concatenate([ranking.ids for ranking in rankings]), return_index=True, return_inverse=True
    )
    parts = np.zeros((len(ids), len(rankings)))
    start = 0
    for column, ranking in enumerate(rankings):
        end = start + len(ranking.ids)
        parts[place[start:end], column] = ranking.weight / total * credit(ranking.ranks)
        start = end
    order = np.lexsort((first, -parts.sum(axis=1)))
    return ids[order], parts[order]
