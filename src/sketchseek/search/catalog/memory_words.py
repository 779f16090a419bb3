"""Words of photos in memory, searched as a catalog searches its own."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from typing import Any

from sketchseek.search.catalog.schema import WORD_TABLES
from sketchseek.search.catalog.word_tables import WordTables


class MemoryWords(WordTables):
    """Words of photos in an SQLite database that is only in memory. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._opened: sqlite3.Connection | None = None
        self._known: set[int] = set()

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            self._opened.executescript(WORD_TABLES)
        return self._opened

    def close(self) -> None:
        """Forget all words."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
            self._opened = None
            self._known.clear()

    @property
    def photos(self) -> frozenset[int]:
        """The ids of the photos."""
        return frozenset(self._known)

    def update(self, added: Iterable[tuple[int, Sequence[str]]], removed: Iterable[int] = ()) -> None:
        """Add and remove photos.

        Args:
            added: Id and words of each photo, by column (``photo_words.COLUMNS``), separated by spaces.
            removed: Ids.
        """
        with self._lock:
            self._connection.execute("BEGIN")
            for photo in removed:
                self._do("DELETE FROM words WHERE rowid = ?", photo)
                self._known.discard(photo)
            for photo, columns in added:
                self._add_words(photo, columns)
                self._known.add(photo)
            self._connection.execute("COMMIT")

    def _described(self) -> int:
        return len(self._known)

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def _one(self, sql: str, *values: Any) -> Any:
        with self._lock:
            row = self._connection.execute(sql, values).fetchone()
        return None if row is None else row[0]

    def _do(self, sql: str, *values: Any) -> int:
        with self._lock:
            return self._connection.execute(sql, values).rowcount
