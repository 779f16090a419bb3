"""From matches of words to one ranking."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sketchseek.search.catalog import TextMatch
from sketchseek.search.fusion import K, Ranking, ranks_of
from sketchseek.search.index.protocol import Ids


def text_ranking(matches: Sequence[TextMatch], weight: float, allowed: Ids | None = None) -> Ranking:
    """Rank the photos that words find.

    Photos of a better kind of match come first, by bm25 within a kind. Each kind costs ``K`` ranks: a photo that has
    one of two words, or a word with a typo, must not count nearly as much as one that has both as they are.

    Args:
        matches: By kind, best kind first; see ``Catalog.match_text``.
        weight: The ranking's weight.
        allowed: Ids that may be returned, ascending; None for all.
    """
    ids: list[Ids] = []
    ranks = []
    seen = np.zeros(0, np.int64)
    for kind, match in enumerate(matches):
        new = ~np.isin(match.ids, seen)
        if allowed is not None:
            new &= np.isin(match.ids, allowed)
        some = match.ids[new]
        ids.append(some)
        # bm25 differs in its last digits between photos that are equally good.
        ranks.append(ranks_of(np.round(match.scores[new], 6)) + len(seen) + kind * K)
        seen = np.concatenate([seen, some])
    return Ranking(seen, np.concatenate(ranks) if ranks else np.zeros(0), weight)


def matched_ids(matches: Sequence[TextMatch]) -> Ids:
    """Return the ids of all matches, ascending."""
    return np.unique(np.concatenate([match.ids for match in matches])) if matches else np.zeros(0, np.int64)
