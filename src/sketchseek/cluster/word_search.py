"""Words of a large library in Lance, searched with the table's own indexes.

Lance finds photos: by whole words with its full-text index, by beginnings and parts of words with its index of
trigrams. The best of them are then ranked in memory as a catalog ranks its photos (``WordTables.match_text``).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from contextlib import closing
from typing import Any

import numpy as np

from sketchseek.cluster.conditions import sql_text
from sketchseek.cluster.descriptions import columns_of
from sketchseek.cluster.table import IS_DESCRIBED, Snapshot
from sketchseek.search.catalog import TextMatch
from sketchseek.search.catalog.memory_words import MemoryWords
from sketchseek.search.recent_cache import RecentCache
from sketchseek.search.words import allowed_typos, phrases_of, typos

CACHED = 8
FULL_TEXT, GRAMS = "words_idx", "words_grams_idx"
"""Names of the indexes of the column ``words``."""

CANDIDATES = 1000
"""Photos that are ranked in memory, for each kind of match and each word; more if more results are asked for."""

NEAR = 200
"""Photos that are read for words with typos."""

NOTHING = "false"


class LanceWords:
    """Searches the words of one version of a library. Conditions are SQL.

    Args:
        snapshot: The version.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._dataset = snapshot.dataset
        self._has_words = snapshot.has_descriptions
        self._expanded: RecentCache[str, list[str]] = RecentCache(CACHED)
        self._matches: RecentCache[Hashable, list[TextMatch]] = RecentCache(CACHED)

    def every(self, text: str) -> str:
        """Return the condition for photos that have every word of a text; see ``Catalog.ids_with_words``."""
        return _all(self._conditions(text)) if self._has_words else NOTHING

    def count_some(self, text: str, filter: str) -> int:
        """Return how many photos that a filter allows have some of the words of a text."""
        return int(self._dataset.count_rows(filter=f"{filter} AND {_some(self._conditions(text))}"))

    def matches(self, text: str, enough: int, filter: str) -> list[TextMatch]:
        """Return the photos that a filter allows by kind of match; see ``Catalog.match_text``."""
        if not self._conditions(text):
            return []
        return self._matches.get((text, enough, filter), lambda: self._match(text, enough, filter))

    def _match(self, text: str, enough: int, filter: str) -> list[TextMatch]:
        phrases = list(phrases_of(text))
        expanded = self._conditions(text)
        conditions = [_all(map(_prefix, phrases)), _all(expanded), *(expanded if len(expanded) > 1 else ())]
        limit = max(CANDIDATES, enough)
        found = self._best(phrases, filter, limit)
        for condition in dict.fromkeys(conditions):
            found |= self._read(f"{filter} AND {condition}", limit)
        # Without photos that lack the words, bm25 would take every word for a frequent one.
        others = self._read(IS_DESCRIBED, limit)
        allowed = np.array(sorted(photo for photo, _ in found), np.int64)
        with closing(MemoryWords()) as words:
            words.update((photo, columns_of(line)) for photo, line in sorted(found | others))
            return [match.within(allowed) for match in words.match_text(text)]

    def _read(self, filter: str, limit: int) -> set[tuple[int, str]]:
        rows = self._dataset.to_table(columns=["id", "words"], filter=filter, limit=limit)
        return set(zip(rows["id"].to_pylist(), rows["words"].to_pylist(), strict=True))

    def _best(self, phrases: list[list[str]], filter: str, limit: int) -> set[tuple[int, str]]:
        """Return id and words of the photos that have every word as it is, the best ones by bm25."""
        from lance.query import BooleanQuery, MatchQuery, Occur, PhraseQuery

        parts = [
            (Occur.MUST, (PhraseQuery if len(phrase) > 1 else MatchQuery)(" ".join(phrase), "words"))
            for phrase in phrases
        ]
        rows = self._full_text(BooleanQuery(parts), ["id", "words"], limit, filter)
        return set() if rows is None else set(zip(rows["id"].to_pylist(), rows["words"].to_pylist(), strict=True))

    def _full_text(self, query: Any, columns: list[str], limit: int, filter: str | None = None) -> Any:
        """Return rows by the full-text index, or None if there is none yet."""
        if not any(index.name == FULL_TEXT for index in self._dataset.describe_indices()):
            return None
        return self._dataset.to_table(
            columns=columns, full_text_query=query, limit=limit, filter=filter, prefilter=filter is not None
        )

    def _conditions(self, text: str) -> list[str]:
        """Return a condition for each word or phrase of a text."""
        if not self._has_words:
            return []
        return self._expanded.get(text, lambda: [self._expand(phrase) for phrase in phrases_of(text)])

    def _expand(self, phrase: list[str]) -> str:
        """Return a condition that also allows parts of words, or typos, if no word begins so."""
        word, prefix = phrase[0], _prefix(phrase)
        if len(phrase) > 1 or not allowed_typos(word) or self._finds(prefix):
            return prefix
        part = f"contains(words, {sql_text(word)})"
        if self._finds(part):
            return part
        near = self._near(word)
        return _some(f"contains(words, {sql_text(f' {one} ')})" for one in near) if near else prefix

    def _finds(self, condition: str) -> bool:
        return bool(len(self._dataset.to_table(columns=["id"], filter=condition, limit=1)))

    def _near(self, word: str) -> list[str]:
        """Return the words with the fewest typos, at most as many as are allowed."""
        from lance.query import MatchQuery

        # To Lance, a swap of two neighbors is two typos.
        rows = self._full_text(MatchQuery(word, "words", fuzziness=2, max_expansions=NEAR), ["words"], NEAR)
        known = set() if rows is None else {one for words in rows["words"].to_pylist() for one in words.split()}
        most = allowed_typos(word)
        distances = {one: typos(word, one, most) for one in known if allowed_typos(one)}
        best = min(distances.values(), default=most + 1)
        return sorted(one for one, distance in distances.items() if distance == best <= most)


def _prefix(phrase: list[str]) -> str:
    return f"contains(words, {sql_text(' ' + ' '.join(phrase))})"


def _all(conditions: Iterable[str]) -> str:
    return " AND ".join(conditions) or NOTHING


def _some(conditions: Iterable[str]) -> str:
    return f"({' OR '.join(conditions) or NOTHING})"
