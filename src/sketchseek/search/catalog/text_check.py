"""Checking the words and colors of photos against their checksums, and the full-text index against its texts.

SQLite checks full-text indexes only from 3.44 on, and checks no values. So every place of every word is read back.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sketchseek.errors import LibraryCorruptError
from sketchseek.photo_metadata import PhotoMetadata
from sketchseek.search.catalog.schema import DESCRIPTION, WORDS
from sketchseek.search.catalog.text_tables import Description, TextTables
from sketchseek.search.words import allowed_typos

_PAGE = 1000
_SHOWN = 20
"""Number of damaged photos that are named; further ones are counted."""


@dataclass
class _Places:
    """Words with their places, as a sum that does not depend on their order."""

    count: int = 0
    sum: int = 0

    def add(self, word: str, row: int, column: str, offset: int) -> None:
        self.count += 1
        self.sum += zlib.crc32(f"{word} {row} {column} {offset}".encode())


class TextChecks(TextTables):
    """Checks of the tables ``descriptions``, ``words``, ``terms`` and ``term_grams``."""

    def check_words(self) -> list[str]:
        """Return what is damaged; see ``sketchseek.search.verify``."""
        try:
            return [*self._check_descriptions(), *self._check_index(), *self._check_terms()]
        except LibraryCorruptError as error:
            return [error.reason]

    def sound_descriptions(self) -> Iterator[tuple[int, Description]]:
        """Yield id and description of the photos whose description matches its checksum, as far as they can be read."""
        last = 0
        while rows := self._rows(
            "SELECT id, caption, keywords, camera, taken, place, colors, picture_hash FROM descriptions"
            f" WHERE id > ? AND checksum IS row_checksum({DESCRIPTION}) ORDER BY id LIMIT ?",
            last,
            _PAGE,
        ):
            last = rows[-1][0]
            for photo, *texts, colors, picture_hash in rows:
                yield photo, Description(PhotoMetadata(*texts), colors, picture_hash, self.sidecar_of(photo))

    def _check_descriptions(self) -> Iterator[str]:
        rows = self._rows(f"SELECT id FROM descriptions WHERE checksum IS NOT row_checksum({DESCRIPTION})")
        yield from _named([row[0] for row in rows], "the words or colors of photo {} do not match their checksum")
        yield from _named(self.damaged_sidecars(), "the words of the sidecar of photo {} do not match their checksum")
        rows = self._rows(
            "SELECT d.id FROM descriptions d LEFT JOIN words ON words.rowid = d.id"
            f" WHERE d.words_checksum IS NOT row_checksum({WORDS})"
        )
        yield from _named([row[0] for row in rows], "the indexed words of photo {} do not match their checksum")
        if self._one("SELECT count(*) FROM words") != self._one("SELECT count(*) FROM descriptions"):
            yield "the index of words has other photos than the descriptions"

    def _check_index(self) -> Iterator[str]:
        expected = _Places()
        _, *names = WORDS.replace("words.", "").split(", ")
        last = 0
        while rows := self._rows(f"SELECT {WORDS} FROM words WHERE rowid > ? ORDER BY rowid LIMIT ?", last, _PAGE):
            last = rows[-1][0]
            for photo, *columns in rows:
                for name, text in zip(names, columns, strict=True):
                    for offset, word in enumerate(text.split()):
                        expected.add(word, photo, name, offset)
        if self._places("words") != expected:
            yield "the index of words does not find them in their places"

    def _check_terms(self) -> Iterator[str]:
        terms = self._rows("SELECT id, term FROM terms ORDER BY id")
        expected = _Places()
        for number, term in terms:
            padded = f"##{term}##"
            for offset in range(len(padded) - 2):
                expected.add(padded[offset : offset + 3], number, "padded", offset)
        known = {term for _, term in terms}
        words = {row[0] for row in self._vocabulary("words", "row", "term")}
        if self._places("term_grams") != expected or not known.issuperset(
            word for word in words if allowed_typos(word)
        ):
            yield "the list of words, by which typos are found, is not that of the photos"

    def _places(self, table: str) -> _Places:
        found = _Places()
        for word, row, column, offset in self._vocabulary(table, "instance", "term, doc, col, offset"):
            found.add(word, row, column, offset)
        return found

    def _vocabulary(self, table: str, kind: str, columns: str) -> Iterator[tuple[Any, ...]]:
        """Read a full-text index itself: SQLite shows it as a table, which is temporary here and changes no file."""
        readonly = self._one("PRAGMA query_only")
        with self._guard():
            connection = self._connection
            connection.execute("PRAGMA query_only = OFF")
            try:
                connection.execute(f"CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, {table}, {kind})")
                with closing(connection.execute(f"SELECT {columns} FROM temp.vocabulary")) as rows:
                    yield from rows
            finally:
                connection.execute("DROP TABLE IF EXISTS temp.vocabulary")
                connection.execute(f"PRAGMA query_only = {readonly}")


def _named(photos: list[int], problem: str) -> Iterator[str]:
    yield from (problem.format(photo) for photo in photos[:_SHOWN])
    if len(photos) > _SHOWN:
        yield f"and the same for {len(photos) - _SHOWN:,} further photos"
