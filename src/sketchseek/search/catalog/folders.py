"""The folders that a library indexes, what its scans skip, and the files it could not index."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from sketchseek.search.catalog.checksums import row_checksum
from sketchseek.search.catalog.metadata import MetadataTable
from sketchseek.search.catalog.schema import IN_FOLDER, folder_values
from sketchseek.search.results import Failure
from sketchseek.search.scan import Unread, lies_in
from sketchseek.search.scan_rules import ScanRules


class FolderTables(MetadataTable):
    """The tables ``roots``, ``excluded``, ``failures`` and ``unread``, and the rules of a scan."""

    def roots(self) -> list[bytes]:
        """Return the folders that ``sync`` visits."""
        return self._lists()[0]

    def excluded(self) -> list[bytes]:
        """Return the paths in them that it skips."""
        return self._lists()[1]

    def set_roots(self, roots: Iterable[bytes], excluded: Iterable[bytes]) -> None:
        """Replace both lists. Call inside a ``transaction``."""
        self._do("DELETE FROM roots")
        self._do("DELETE FROM excluded")
        for path in roots:
            self._do("INSERT OR IGNORE INTO roots VALUES (?)", path)
        for path in excluded:
            self._do("INSERT OR IGNORE INTO excluded VALUES (?)", path)
        self._set_meta(folders=folders_seal(*self.read_lists()))

    def _lists(self) -> tuple[list[bytes], list[bytes]]:
        """Return both lists, compared with their checksum."""
        lists = self.read_lists()
        if self._values().get("folders", folders_seal([], [])) != folders_seal(*lists):
            raise self.corrupt("damaged (the list of folders does not match its checksum).")
        return lists

    def read_lists(self) -> tuple[list[bytes], list[bytes]]:
        """Return both lists as they are."""
        roots, excluded = (
            [row[0] for row in self._rows(f"SELECT path FROM {table} ORDER BY path")] for table in ("roots", "excluded")
        )
        return roots, excluded

    def failures(self) -> list[Failure]:
        """Return the files and folders that could not be read."""
        rows = self._rows("SELECT path, reason FROM failures ORDER BY path")
        if not all(isinstance(path, bytes) and isinstance(reason, str) for path, reason in rows):
            raise self.corrupt("damaged (a failure has values of the wrong type).")
        return [Failure(Path(os.fsdecode(path)), reason) for path, reason in rows]

    def failure_count(self) -> int:
        """Return their number."""
        return int(self._one("SELECT count(*) FROM failures"))

    def scan_rules(self) -> ScanRules:
        """Return what scans skip."""
        values = self._values()
        return ScanRules(
            tuple(json.loads(values.get("exclude", "[]"))),
            values.get("follow_symlinks", "0") == "1",
            values.get("hidden", "0") == "1",
        )

    def set_scan_rules(self, rules: ScanRules) -> None:
        """Replace what scans skip. Call inside a ``transaction``."""
        self._set_meta(
            exclude=json.dumps(rules.exclude), follow_symlinks=int(rules.follow_symlinks), hidden=int(rules.hidden)
        )

    def unread(self) -> dict[str, int]:
        """Return how many files in the folders are in formats that are not read, by suffix, most frequent first."""
        return dict(
            self._rows("SELECT suffix, sum(count) FROM unread GROUP BY suffix ORDER BY sum(count) DESC, suffix")
        )

    def set_unread(
        self, folders: Sequence[bytes], found: Mapping[Unread, int], *, unknown: Collection[bytes] = ()
    ) -> None:
        """Replace what is recorded of files in formats that are not read. Call inside a ``transaction``.

        Args:
            folders: Folders that were scanned.
            found: Number of such files, by folder and suffix.
            unknown: Paths in the folders that could not be read; what is recorded of them stays.
        """
        for folder in folders:
            rows = self._rows(f"SELECT DISTINCT path FROM unread WHERE {IN_FOLDER}", *folder_values(folder))
            for (path,) in rows:
                if not any(lies_in(path, lost) for lost in unknown):
                    self._do("DELETE FROM unread WHERE path = ?", path)
        for file, count in found.items():
            self._do("INSERT OR REPLACE INTO unread VALUES (?, ?, ?)", file.folder, file.suffix, count)


def folders_seal(roots: list[bytes], excluded: list[bytes]) -> str:
    """Return the checksum of both lists."""
    return str(row_checksum(len(roots), *roots, *excluded))
