"""What a scan found, in temporary tables beside the catalog: the difference is SQL, and memory stays bounded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

from sketchseek.search.catalog import Catalog, path_range
from sketchseek.search.scan import Found, lies_in

_PAGE = 1000


class ScanDiff:
    """The files of one scan and what is to be done about them. Uses the catalog's connection.

    Args:
        catalog: Open for writing.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def __enter__(self) -> ScanDiff:
        self._drop()
        self._catalog.execute(
            "CREATE TEMP TABLE seen (path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER) WITHOUT ROWID"
        )
        self._catalog.execute("CREATE TEMP TABLE todo (n INTEGER PRIMARY KEY, path BLOB)")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop()

    def _drop(self) -> None:
        self._catalog.execute("DROP TABLE IF EXISTS temp.seen")
        self._catalog.execute("DROP TABLE IF EXISTS temp.todo")

    def note(self, files: Sequence[Found]) -> None:
        """Take in files that the scan found."""
        with self._catalog.snapshot(keep=True):
            for file in files:
                self._catalog.execute(
                    "INSERT OR REPLACE INTO temp.seen VALUES (?, ?, ?)", file.path, file.size, file.mtime_ns
                )

    def plan(self) -> None:
        """Work out which files must be read: those that are new or differ in size or time."""
        self._catalog.execute(
            "INSERT INTO temp.todo (path) SELECT s.path FROM temp.seen s"
            " LEFT JOIN photos p ON p.path = s.path LEFT JOIN failures f ON f.path = s.path"
            " WHERE NOT coalesce(p.size = s.size AND p.mtime_ns = s.mtime_ns, 0)"
            " AND NOT coalesce(f.size = s.size AND f.mtime_ns = s.mtime_ns, 0) ORDER BY s.path"
        )

    def total(self) -> int:
        """How many files must be read."""
        return self._count("SELECT count(*) FROM temp.todo")

    def unchanged(self) -> int:
        """How many photos are as they were."""
        return self._count("SELECT count(*) FROM temp.seen JOIN photos p USING (path, size, mtime_ns)")

    def skipped(self) -> int:
        """How many files failed before and are as they were."""
        return self._count("SELECT count(*) FROM temp.seen JOIN failures f USING (path, size, mtime_ns)")

    def paths(self) -> Iterator[bytes]:
        """The files that must be read."""
        last = 0
        while rows := self._catalog.execute(
            "SELECT n, path FROM temp.todo WHERE n > ? ORDER BY n LIMIT ?", last, _PAGE
        ):
            last = rows[-1][0]
            yield from (row[1] for row in rows)

    def remove_vanished(self, folders: Sequence[bytes], unreadable: Sequence[bytes]) -> int:
        """Forget what lies in the folders and was not seen, but for what lies in unreadable ones; in a transaction."""
        removed = 0
        for folder in folders:
            bounds = (*path_range(folder), folder)
            where = (
                "((path >= ? AND path < ?) OR path = ?) AND NOT EXISTS"
                " (SELECT 1 FROM temp.seen s WHERE s.path = t.path)"
            )
            for (path,) in self._catalog.execute(f"SELECT path FROM photos t WHERE {where}", *bounds):
                if not any(lies_in(path, lost) for lost in unreadable):
                    removed += self._catalog.drop(path)
            self._catalog.execute(f"DELETE FROM failures AS t WHERE t.size >= 0 AND {where}", *bounds)
        return removed

    def forget_unreadable(self, folder: bytes) -> None:
        """Drop the record of what could not be looked into by an earlier scan of a folder; in a transaction."""
        self._catalog.execute(
            "DELETE FROM failures WHERE size < 0 AND ((path >= ? AND path < ?) OR path = ?)",
            *path_range(folder),
            folder,
        )

    def _count(self, sql: str) -> int:
        return int(self._catalog.execute(sql)[0][0])


def locked(known: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
    """A look-up that several threads may call."""
    lock = threading.Lock()

    def one_at_a_time(digest: bytes) -> bool:
        with lock:
            return known(digest)

    return one_at_a_time
