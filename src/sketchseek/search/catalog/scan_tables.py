"""The files that a scan found, in temporary tables: comparing them with the catalog is SQL, so memory stays bounded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sketchseek.search.catalog.photos import PhotoTables
from sketchseek.search.catalog.schema import IN_FOLDER, folder_values
from sketchseek.search.catalog.sidecar_table import NO_SIDECAR
from sketchseek.search.scan import Found, FoundSidecar

_PAGE = 1000
_UNSEEN = f"{IN_FOLDER} AND NOT EXISTS (SELECT 1 FROM temp.seen s WHERE s.path = t.path)"


@dataclass(frozen=True)
class ChangedSidecar:
    """A photo whose sidecars are not those that the catalog knows.

    Attributes:
        photo, path: Of the photo.
        files: The sidecars that were found, the one with more to say first; none if it has none any more.
        stamp: See ``Sidecar``.
    """

    photo: int
    path: bytes
    files: tuple[bytes, ...]
    stamp: str


class ScanTables(PhotoTables):
    """The temporary tables ``seen``, ``seen_sidecars`` and ``todo``, between ``begin_scan`` and ``end_scan``."""

    def begin_scan(self) -> None:
        """Create empty tables."""
        self.end_scan()
        self._do(
            "CREATE TEMP TABLE seen (path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, stem BLOB) WITHOUT ROWID"
        )
        self._do("CREATE TEMP TABLE seen_sidecars (belongs_to BLOB PRIMARY KEY, path BLOB, stamp TEXT) WITHOUT ROWID")
        self._do("CREATE TEMP TABLE todo (n INTEGER PRIMARY KEY, path BLOB)")

    def end_scan(self) -> None:
        """Drop the tables."""
        self._do("DROP TABLE IF EXISTS temp.seen")
        self._do("DROP TABLE IF EXISTS temp.seen_sidecars")
        self._do("DROP TABLE IF EXISTS temp.todo")

    def add_seen(self, files: Sequence[Found | FoundSidecar]) -> None:
        """Record files that the scan found."""
        with self.snapshot(keep=True):
            for file in files:
                if isinstance(file, FoundSidecar):
                    values = (file.belongs_to, file.path, f"{file.size}:{file.mtime_ns}")
                    self._do("INSERT OR REPLACE INTO temp.seen_sidecars VALUES (?, ?, ?)", *values)
                else:
                    stem = os.path.splitext(file.path)[0]  # noqa: PTH122  on bytes
                    row = (file.path, file.size, file.mtime_ns, stem)
                    self._do("INSERT OR REPLACE INTO temp.seen VALUES (?, ?, ?, ?)", *row)

    def changed_sidecars(self) -> list[ChangedSidecar]:
        """Return the seen photos whose sidecars changed, appeared or vanished since they were read.

        A photo that the scan did not see, as on a drive that is not connected, keeps what its sidecar said.
        """
        rows = self._rows(
            "SELECT * FROM (SELECT p.id, p.path, a.path, b.path,"
            " coalesce(a.stamp, '-') || ' ' || coalesce(b.stamp, '-') AS stamp"
            " FROM temp.seen s JOIN photos p ON p.path = s.path"
            " LEFT JOIN temp.seen_sidecars a ON a.belongs_to = s.path"
            " LEFT JOIN temp.seen_sidecars b ON b.belongs_to = s.stem) found"
            " LEFT JOIN sidecars c ON c.id = found.id WHERE found.stamp IS NOT coalesce(c.stamp, ?)",
            NO_SIDECAR,
        )
        return [
            ChangedSidecar(photo, path, tuple(file for file in files if file is not None), stamp)
            for photo, path, *files, stamp in (row[:5] for row in rows)
        ]

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
