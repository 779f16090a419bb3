"""The files that a scan found, in temporary tables: comparing them with the catalog is SQL, so memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sketchseek.search.catalog.photos import PhotoTables
from sketchseek.search.catalog.schema import IN_FOLDER, folder_values
from sketchseek.search.scan import Found

_PAGE = 1000
_UNSEEN = f"{IN_FOLDER} AND NOT EXISTS (SELECT 1 FROM temp.seen s WHERE s.path = t.path)"


class ScanTables(PhotoTables):
    """The temporary tables ``seen`` and ``todo``; they exist between ``begin_scan`` and ``end_scan``."""

    def begin_scan(self) -> None:
        """Create empty tables."""
        self.end_scan()
        self._do("CREATE TEMP TABLE seen (path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER) WITHOUT ROWID")
        self._do("CREATE TEMP TABLE todo (n INTEGER PRIMARY KEY, path BLOB)")

    def end_scan(self) -> None:
        """Drop the tables."""
        self._do("DROP TABLE IF EXISTS temp.seen")
        self._do("DROP TABLE IF EXISTS temp.todo")

    def add_seen(self, files: Sequence[Found]) -> None:
        """Record files that the scan found."""
        with self.snapshot(keep=True):
            for file in files:
                self._do("INSERT OR REPLACE INTO temp.seen VALUES (?, ?, ?)", file.path, file.size, file.mtime_ns)

    def plan_scan(self) -> None:
        """Find the files that must be read: they are new, or their size or time differs."""
        self._do(
            "INSERT INTO temp.todo (path) SELECT s.path FROM temp.seen s"
            " LEFT JOIN photos p ON p.path = s.path LEFT JOIN failures f ON f.path = s.path"
            " WHERE NOT coalesce(p.size = s.size AND p.mtime_ns = s.mtime_ns, 0)"
            " AND NOT coalesce(f.size = s.size AND f.mtime_ns = s.mtime_ns, 0) ORDER BY s.path"
        )

    def planned_count(self) -> int:
        """Return how many files must be read."""
        return int(self._one("SELECT count(*) FROM temp.todo"))

    def planned_paths(self) -> Iterator[bytes]:
        """Yield the files that must be read."""
        last = 0
        while rows := self._rows("SELECT n, path FROM temp.todo WHERE n > ? ORDER BY n LIMIT ?", last, _PAGE):
            last = rows[-1][0]
            yield from (row[1] for row in rows)

    def unchanged_count(self) -> int:
        """Return how many seen files are photos that have not changed."""
        return int(self._one("SELECT count(*) FROM temp.seen JOIN photos p USING (path, size, mtime_ns)"))

    def skipped_count(self) -> int:
        """Return how many seen files failed before and have not changed."""
        return int(self._one("SELECT count(*) FROM temp.seen JOIN failures f USING (path, size, mtime_ns)"))

    def vanished(self, folder: bytes) -> list[bytes]:
        """Return the photos in a folder that the scan did not see."""
        rows = self._rows(f"SELECT path FROM photos t WHERE {_UNSEEN}", *folder_values(folder))
        return [path for (path,) in rows]

    def forget_vanished_failures(self, folder: bytes) -> None:
        """Delete failures in a folder whose files the scan did not see. Call inside a ``transaction``."""
        self._do(f"DELETE FROM failures AS t WHERE t.size >= 0 AND {_UNSEEN}", *folder_values(folder))

    def forget_unreadable(self, folder: bytes) -> None:
        """Delete earlier scans' failures to read paths in a folder. Call inside a ``transaction``."""
        self._do(f"DELETE FROM failures WHERE size < 0 AND {IN_FOLDER}", *folder_values(folder))
