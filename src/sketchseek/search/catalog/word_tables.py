"""Full-text search in the words of photos: an FTS5 table, and the list of distinct words by which typos are found.

The texts of ``words`` are already split by ``sketchseek.search.words``. ``terms`` holds every distinct word, and
``term_grams`` its trigrams.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sketchseek.search.index.protocol import Ids
from sketchseek.search.words import allowed_typos, grams, phrases_of, typos

_CANDIDATES = 200
_WEIGHTS = "8.0, 4.0, 6.0, 6.0, 2.0, 3.0, 5.0"
"""bm25's weights of the columns: name, folder, caption, keywords, camera, taken, place."""


@dataclass(frozen=True)
class TextMatch:
    """Photos whose words match a query equally well in kind.

    Attributes:
        ids: Best first, (n,).
        scores: bm25 or the like, (n,); lower is better. Only comparable within one ``TextMatch``.
    """

    ids: Ids
    scores: np.ndarray[tuple[int], np.dtype[np.float64]]

    def within(self, allowed: Ids) -> TextMatch:
        """Return the photos that are allowed."""
        kept = np.isin(self.ids, allowed)
        return TextMatch(self.ids[kept], self.scores[kept])


class WordTables(ABC):
    """The tables ``words``, ``terms`` and ``term_grams`` (``schema.WORD_TABLES``) of some SQLite connection."""

    @abstractmethod
    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows that a statement selects."""

    @abstractmethod
    def _one(self, sql: str, *values: Any) -> Any:
        """Return the first value that a statement selects, or None."""

    @abstractmethod
    def _do(self, sql: str, *values: Any) -> int:
        """Execute a statement, and return how many rows it changed."""

    @abstractmethod
    def _described(self) -> int:
        """Return the number of photos that have words."""

    # --- writing ----------

    def _add_words(self, photo: int, columns: Sequence[str]) -> None:
        """Replace the words of a photo: by column, separated by spaces."""
        self._do("DELETE FROM words WHERE rowid = ?", photo)
        self._do(
            "INSERT INTO words (rowid, name, folder, caption, keywords, camera, taken, place)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            photo,
            *columns,
        )
        self._add_terms({word for column in columns for word in column.split()})

    def _add_terms(self, words: set[str]) -> None:
        for word in words:
            if allowed_typos(word) and self._do("INSERT OR IGNORE INTO terms (term) VALUES (?)", word):
                self._do(
                    "INSERT INTO term_grams (rowid, padded) SELECT id, '##' || term || '##' FROM terms WHERE term = ?",
                    word,
                )

    # --- searching ----------

    def match_text(self, text: str, *, enough: int | None = None) -> list[TextMatch]:
        """Search for words.

        Args:
            text: Words in any order; see ``sketchseek.search.words``.
            enough: Leave out worse kinds of matches once this many photos are found; None for all kinds.

        Returns:
            Matches by kind, best kind first; kinds that find nothing are left out. Photos with every word as it is;
            with every word as the beginning of one of theirs; with words that contain those of the query, or have a
            typo, where a word of the query begins none; with some of the words. A photo can be in several.
        """
        phrases = list(phrases_of(text))
        if not phrases:
            return []
        found: list[TextMatch] = []
        exact = [_quoted(phrase) for phrase in phrases]
        prefix = [f"{one} *" for one in exact]
        expanded: list[str] = []
        for kind in range(4 if len(phrases) > 1 else 3):
            if kind == 2:
                expanded = self._all_expanded(phrases)
                if expanded == prefix:
                    continue
            match = (
                self._match_any(expanded) if kind == 3 else self._match(" AND ".join((exact, prefix, expanded)[kind]))
            )
            if len(match.ids):
                found.append(match)
            if enough is not None and len(match.ids) >= enough:
                break
        return found

    def ids_with_words(self, text: str) -> Ids:
        """Return the ids of the photos that have every word of a text, as in ``match_text``, ascending."""
        phrases = list(phrases_of(text))
        if not phrases:
            return np.zeros(0, np.int64)
        expression = " AND ".join(self._all_expanded(phrases))
        rows = self._rows("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid", expression)
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def _all_expanded(self, phrases: Sequence[list[str]]) -> list[str]:
        return [self._expanded(phrase, f"{_quoted(phrase)} *") for phrase in phrases]

    def _match(self, expression: str) -> TextMatch:
        rows = self._rows(
            f"SELECT rowid, bm25(words, {_WEIGHTS}) AS score FROM words WHERE words MATCH ? ORDER BY score, rowid",
            expression,
        )
        return TextMatch(
            np.fromiter((row[0] for row in rows), np.int64, len(rows)),
            np.fromiter((row[1] for row in rows), np.float64, len(rows)),
        )

    def _match_any(self, expressions: Sequence[str]) -> TextMatch:
        """Find photos with some of several words. The score is the sum of the words' inverse document frequencies.

        bm25 would take a hundred times as long where a word is in many photos.
        """
        total = self._described()
        found = [self._rows("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid", one) for one in expressions]
        ids = [np.fromiter((row[0] for row in rows), np.int64, len(rows)) for rows in found]
        weights = [np.full(len(one), -math.log(1 + total / max(len(one), 1))) for one in ids]
        unique, place = np.unique(np.concatenate(ids), return_inverse=True)
        scores = np.bincount(place, np.concatenate(weights), len(unique)).astype(np.float64)
        order = np.argsort(scores, kind="stable")
        return TextMatch(unique[order], scores[order])

    def _expanded(self, phrase: list[str], expression: str) -> str:
        """Return an expression that also finds words that contain a word, or differ by typos, if none begins so."""
        word = phrase[0]
        if len(phrase) > 1 or not allowed_typos(word):
            return expression
        if self._one("SELECT 1 FROM words WHERE words MATCH ? LIMIT 1", expression) is not None:
            return expression
        found = [term for term in self._terms(_quoted([word])) if word in term]
        if not found:
            most = allowed_typos(word)
            near = self._terms(" OR ".join(_quoted([gram]) for gram in sorted(grams(word))))
            distances = {term: typos(word, term, most) for term in near}
            best = min(distances.values(), default=most + 1)
            found = [term for term, distance in distances.items() if distance == best <= most]
        return f"({' OR '.join([expression, *(_quoted([term]) for term in found)])})"

    def _terms(self, expression: str) -> list[str]:
        rows = self._rows(
            "SELECT term FROM terms WHERE id IN"
            " (SELECT rowid FROM term_grams WHERE term_grams MATCH ? ORDER BY rank LIMIT ?)",
            expression,
            _CANDIDATES,
        )
        return [row[0] for row in rows]


def _quoted(words: Sequence[str]) -> str:
    """Return words as an FTS5 phrase. They have no quotes: they consist of letters, numbers and marks."""
    return f'"{" ".join(words)}"'
