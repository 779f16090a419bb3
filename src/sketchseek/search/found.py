"""What a search found: the nearest photos, fused with the rankings by other criteria."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchseek.search.fusion import Ranking, fuse, ranks_of
from sketchseek.search.index.protocol import Ids, Scores
from sketchseek.search_times import stage

Nearest = Callable[[int, Ids | None], tuple[Ids, Scores]]
"""Returns ids and scores of the k photos nearest to the query, best first: among all that a filter allows, or among ids
that the other criteria found, ascending."""

FUSED = 1000
"""Number of best photos by examples that are fused with the other criteria, or more if deeper pages are asked for."""


@dataclass(frozen=True, eq=False)
class Found:
    """Photos, best first.

    Attributes:
        ids, scores: (n,) each.
        parts: What each criterion contributed to the scores, (n, criteria); None if there is only one.
        criteria: Names of the columns of ``parts``.
    """

    ids: Ids
    scores: npt.NDArray[np.floating[Any]]
    parts: npt.NDArray[np.floating[Any]] | None = None
    criteria: tuple[str, ...] = ()

    def without(self, ids: Collection[int]) -> Found:
        """Return the photos without some."""
        return self._chosen(~np.isin(self.ids, list(ids))) if ids else self

    def page(self, start: int, end: int) -> Found:
        """Return some of the photos, by their places."""
        return self._chosen(slice(start, end))

    def rows(self) -> Iterator[tuple[int, float, dict[str, float]]]:
        """Yield id, score and parts of each photo."""
        parts = None if self.parts is None else self.parts.tolist()
        for row, (photo, score) in enumerate(zip(self.ids.tolist(), self.scores.tolist(), strict=True)):
            yield photo, score, {} if parts is None else dict(zip(self.criteria, parts[row], strict=True))

    def _chosen(self, rows: slice | npt.NDArray[np.bool_]) -> Found:
        parts = None if self.parts is None else self.parts[rows]
        return Found(self.ids[rows], self.scores[rows], parts, self.criteria)


def fused(nearest: Nearest | None, others: dict[str, Ranking], asked: int) -> Found:
    """Search with examples, if there are any, and fuse the ranking by them with other rankings.

    Args:
        nearest: Searches with the query's examples; None if it has none.
        others: Rankings by other criteria, by name.
        asked: Number of photos to return; more are found if there are other criteria.
    """
    if nearest is None:
        rankings = others
    elif others:
        rankings = {"examples": _ranked(nearest, max(asked, FUSED), others.values()), **others}
    else:
        with stage("index"):
            return Found(*nearest(asked, None))
    ids, parts = fuse([*rankings.values()])
    return Found(ids, parts.sum(axis=1), parts, tuple(rankings))


def _ranked(nearest: Nearest, k: int, others: Iterable[Ranking]) -> Ranking:
    """Rank the ``k`` nearest photos, and behind them those that other criteria found."""
    ids, scores = nearest(k, None)
    ranks = ranks_of(scores)
    rest = np.setdiff1d(np.concatenate([other.ids for other in others]), ids)
    if len(ids) == k and len(rest):
        more, their_scores = nearest(k, rest)
        ids, ranks = np.concatenate([ids, more]), np.concatenate([ranks, k + ranks_of(their_scores)])
    return Ranking(ids, ranks, 1.0)
