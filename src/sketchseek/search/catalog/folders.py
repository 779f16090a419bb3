"""The folders that a library indexes, the paths it excludes, and the files it could not index."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from sketchseek.search.catalog.database import Database
from sketchseek.search.results import Failure


class FolderTables(Database):
    """The tables ``roots``, ``excluded`` and ``failures``."""

    def roots(self) -> list[bytes]:
        """Return the folders that ``sync`` visits."""
        return [row[0] for row in self._rows("SELECT path FROM roots ORDER BY path")]

    def excluded(self) -> list[bytes]:
        """Return the paths in them that it skips."""
        return [row[0] for row in self._rows("SELECT path FROM excluded ORDER BY path")]

    def set_roots(self, roots: Iterable[bytes], excluded: Iterable[bytes]) -> None:
        """Replace both lists. Call inside a ``transaction``."""
        self._do("DELETE FROM roots")
        self._do("DELETE FROM excluded")
        for path in roots:
            self._do("INSERT OR IGNORE INTO roots VALUES (?)", path)
        for path in excluded:
            self._do("INSERT OR IGNORE INTO excluded VALUES (?)", path)

    def failures(self) -> list[Failure]:
        """Return the files and folders that could not be read."""
        rows = self._rows("SELECT path, reason FROM failures ORDER BY path")
        return [Failure(Path(os.fsdecode(path)), reason) for path, reason in rows]

    def failure_count(self) -> int:
        """Return their number."""
        return int(self._one("SELECT count(*) FROM failures"))
