"""The difference between a scan and the catalog: which files to read, and which photos to remove."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

from sketchseek.search.catalog import Catalog
from sketchseek.search.scan import Found, FoundSidecar, lies_in


class ScanDiff:
    """The files of one scan, compared with the catalog. Use it as a context manager.

    Args:
        catalog: Open for writing.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def __enter__(self) -> ScanDiff:
        self._catalog.begin_scan()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._catalog.end_scan()

    def add(self, files: Sequence[Found | FoundSidecar]) -> None:
        """Record files that the scan found."""
        self._catalog.add_seen(files)

    def plan(self) -> None:
        """Find the files that must be read: they are new, or their size or time differs."""
        self._catalog.plan_scan()

    def total(self) -> int:
        """Return how many files must be read."""
        return self._catalog.planned_count()

    def unchanged(self) -> int:
        """Return how many photos have not changed."""
        return self._catalog.unchanged_count()

    def skipped(self) -> int:
        """Return how many files failed before and have not changed."""
        return self._catalog.skipped_count()

    def paths(self) -> Iterator[bytes]:
        """Yield the files that must be read."""
        return self._catalog.planned_paths()

    def remove_vanished(self, folders: Sequence[bytes], unreadable: Sequence[bytes]) -> int:
        """Remove photos in the folders that the scan did not see, except those in unreadable paths.

        Call inside a ``transaction``.

        Returns:
            Number of photos removed.
        """
        removed = 0
        for folder in folders:
            for path in self._catalog.vanished(folder):
                if not any(lies_in(path, lost) for lost in unreadable):
                    removed += self._catalog.drop(path)
            self._catalog.forget_vanished_failures(folder)
        return removed


def locked(lookup: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
    """Return a lookup that several threads may call."""
    lock = threading.Lock()

    def one_at_a_time(digest: bytes) -> bool:
        with lock:
            return lookup(digest)

    return one_at_a_time
