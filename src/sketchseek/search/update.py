"""Bringing the catalog up to date with the folders: new, changed, moved and deleted files."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sketchseek.encoder import Encoder
from sketchseek.search.catalog import Catalog
from sketchseek.search.describe import describe_missing
from sketchseek.search.index_mirror import IndexMirror
from sketchseek.search.object_path import PhotoPath
from sketchseek.search.path_case import on_disk, same_but_for_case
from sketchseek.search.pipeline import Failed, Gone, Known, Outcome, embed_files
from sketchseek.search.results import IndexProgress, IndexReport, ProgressCallback
from sketchseek.search.scan import Found, FoundSidecar, SkippedLink, Unread, Unreadable, scan
from sketchseek.search.scan_diff import ScanDiff, locked
from sketchseek.search.sidecars import read_sidecars

COMMIT_EVERY = 2.0
"""Seconds between commits: a crash loses at most this much work."""


@dataclass
class _Counts:
    indexed: int = 0
    failed: int = 0
    moved: int = 0
    touched: int = 0
    removed: int = 0
    done: int = 0


def update(
    library: Path,
    catalog: Catalog,
    encoder: Encoder,
    folders: Sequence[bytes],
    progress: ProgressCallback | None = None,
    within: Collection[bytes] | None = None,
) -> IndexReport:
    """Bring the catalog up to date with folders. See ``Library.add``.

    Args:
        library: The library's folder.
        catalog: Open for writing; the caller holds the writer's lock.
        encoder: Opened with ``threads=1``.
        folders: Absolute paths.
        progress: Called when a stage begins, and after each commit.
        within: Real paths of folders that links must not lead out of; see ``scan``.
    """
    start = time.monotonic()
    reader = Catalog(library)
    try:
        report = Update(catalog, reader, encoder, folders, progress=progress, within=within).run()
    finally:
        reader.close()
    describe_missing(
        catalog, folders, lambda done, total: progress and progress(IndexProgress("describe", done, total))
    )
    if progress is not None:
        progress(IndexProgress("index", 0, 1, report.indexed, report.failed, report.moved))
    IndexMirror.of(library, catalog.metadata()).save(catalog)
    if progress is not None:
        progress(IndexProgress("index", 1, 1, report.indexed, report.failed, report.moved))
    return replace(report, seconds=time.monotonic() - start)


class Update:
    """One run over some folders.

    Args:
        catalog: Open for writing; the caller holds the writer's lock.
        reader: A second connection, for the workers' lookups.
        encoder: Opened with ``threads=1``.
        folders: Absolute paths.
        progress: Called when a stage begins, and after each commit.
        within: Real paths of folders that links must not lead out of.
    """

    def __init__(
        self,
        catalog: Catalog,
        reader: Catalog,
        encoder: Encoder,
        folders: Sequence[bytes],
        *,
        progress: ProgressCallback | None = None,
        within: Collection[bytes] | None = None,
    ) -> None:
        self._within = within
        self._catalog = catalog
        self._reader = reader
        self._encoder = encoder
        self._folders = folders
        self._progress = progress or (lambda _: None)
        self._counts = _Counts()
        self._unread: Counter[Unread] = Counter()
        self._links = 0
        self._missing: list[PhotoPath] = []
        self._again: list[bytes] = []
        self._tried: dict[bytes, int] = {}  # by digest: the last duplicate that was checked for a move

    def run(self) -> IndexReport:
        """Scan, embed new files, follow moved files, and remove deleted ones. The report has no time yet.

        An exception, including KeyboardInterrupt, leaves everything before it committed.
        """
        self._catalog.check_paths()
        with ScanDiff(self._catalog) as diff:
            unreadable = self._scan(diff)
            diff.plan()
            unchanged, skipped, total = diff.unchanged(), diff.skipped(), diff.total()
            if total:
                self._progress(IndexProgress("embed", 0, total, failed=self._counts.failed))
            self._embed(diff.paths(), total)
            # A photo whose embedding a Known file was to reuse is gone (two files that swapped names, for example).
            while self._again:
                again, self._again = self._again, []
                self._embed(iter(again), total, lookup=False)
            read_sidecars(self._catalog, progress=self._progress, within=self._within)
            with self._catalog.transaction():
                removed = diff.remove_vanished(self._folders, unreadable)
        counts = self._counts
        return IndexReport(
            indexed=counts.indexed,
            failed=counts.failed,
            unchanged=unchanged + counts.touched,
            removed=counts.removed + removed,
            moved=counts.moved,
            skipped=skipped,
            seconds=0.0,
            unread=self._unread_by_suffix(),
            links=self._links,
            missing=self._missing,
        )

    def _unread_by_suffix(self) -> dict[str, int]:
        total: Counter[str] = Counter()
        for file, count in self._unread.items():
            total[file.suffix] += count
        return dict(total.most_common())

    def _scan(self, diff: ScanDiff) -> list[bytes]:
        found = 0
        unreadable: list[Unreadable] = []
        chunk: list[Found | FoundSidecar] = []
        rules = self._catalog.scan_rules()
        for item in scan(self._folders, set(self._catalog.excluded()), rules=rules, within=self._within):
            match item:
                case Unreadable():
                    unreadable.append(item)
                case Unread():
                    self._unread[item] += 1
                case SkippedLink():
                    self._links += 1
                case Found() | FoundSidecar():
                    chunk.append(item)
                    found += isinstance(item, Found)
            if len(chunk) == 1000:
                diff.add(chunk)
                chunk = []
                self._progress(IndexProgress("scan", found, 0))
        diff.add(chunk)
        self._progress(IndexProgress("scan", found, found))
        return self._record_unreadable(unreadable)

    def _record_unreadable(self, unreadable: list[Unreadable]) -> list[bytes]:
        """Record what could not be read; return the folders whose photos stay."""
        kept = []
        with self._catalog.transaction():
            for folder in self._folders:
                self._catalog.forget_unreadable(folder)
            for item in unreadable:
                # If an unreadable path is a photo, the photo is gone. If it is a folder (a drive that is not connected,
                # for example), nothing is known about its photos, so they stay.
                if self._catalog.id_of(item.path) is None:
                    kept.append(item.path)
                self._catalog.fail(item.path, item.reason)
                self._counts.failed += 1
                if item.path in self._folders and not os.path.lexists(item.path):
                    self._missing.append(Path(os.fsdecode(item.path)))
            self._catalog.set_unread(self._folders, self._unread, unknown=kept)
        return kept

    def _embed(self, paths: Iterator[bytes], total: int, *, lookup: bool = True) -> None:
        known = self._reader.has_digest if lookup else lambda _: False
        outcomes: list[Outcome] = []
        batches = embed_files(self._encoder, paths, locked(known), within=self._within)
        committed = time.monotonic()
        try:
            for batch in batches:
                outcomes += batch
                if time.monotonic() - committed >= COMMIT_EVERY:
                    self._commit(outcomes, total)
                    committed = time.monotonic()
        finally:
            batches.close()
            self._commit(outcomes, total)

    def _commit(self, outcomes: list[Outcome], total: int) -> None:
        """Commit outcomes, and clear the list once they are committed."""
        if outcomes:
            before, again = replace(self._counts), list(self._again)
            try:
                with self._catalog.transaction():
                    for outcome in outcomes:
                        self._apply(outcome)
            except BaseException:
                self._counts, self._again = before, again
                self._tried.clear()
                raise
            outcomes.clear()
        counts = self._counts
        self._progress(IndexProgress("embed", counts.done, total, counts.indexed, counts.failed, counts.moved))

    def _apply(self, outcome: Outcome) -> None:
        counts = self._counts
        if isinstance(outcome, Known):
            if not self._reuse(outcome):
                self._again.append(outcome.path)
                return
        elif isinstance(outcome, Failed):
            self._catalog.fail(outcome.path, outcome.reason, outcome.size, outcome.mtime_ns)
            counts.failed += 1
        elif isinstance(outcome, Gone):
            counts.removed += self._catalog.drop(outcome.path)
        else:
            self._catalog.add(outcome)
            counts.indexed += 1
        counts.done += 1

    def _reuse(self, file: Known) -> bool:
        """Reuse the embedding of a photo with the same bytes: touched, moved or copied. Return whether there is one."""
        catalog, counts, digest = self._catalog, self._counts, file.digest
        first = catalog.paths_with_digest(digest, limit=1)
        if not first:
            return False
        same = catalog.id_of(file.path, digest)
        if same is not None:
            catalog.move(same, file.path, file.size, file.mtime_ns)
            counts.touched += 1
            return True
        # With thousands of copies of one file, each is checked once, not once for each copy.
        tried = self._tried.get(digest, 0)
        while duplicates := catalog.paths_with_digest(digest, tried):
            for photo, path in duplicates:
                tried = photo
                if len(duplicates) > 1 or digest in self._tried:
                    self._tried[digest] = photo
                if _is_gone(path, file.path):
                    catalog.move(photo, file.path, file.size, file.mtime_ns)
                    counts.moved += 1
                    return True
        catalog.copy(first[0][0], file.path, file.size, file.mtime_ns)
        counts.indexed += 1
        return True


def _is_gone(path: bytes, found: bytes) -> bool:
    """Return whether a photo's file is not there any more under its path, given where the same bytes were found.

    Where the file system ignores case, a file whose name changed only its case still answers to the old name.
    """
    return not os.path.lexists(path) or (same_but_for_case(path, found) and on_disk(path) != path)
