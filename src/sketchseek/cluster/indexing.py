"""Bringing a library in Lance up to date with its folders: new, changed and deleted photos.

A run lists the folders and compares the listing with the table: by ETag in object storage, by size and time on disk.
What differs is embedded in blocks, anywhere, and committed as the blocks are done. A run that is killed has lost only
its latest blocks: the next one finds the others committed.
"""

from __future__ import annotations

import random
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sketchseek.cluster.describing import describe, undescribed
from sketchseek.cluster.embedding import Job, Task, Written, failure_row
from sketchseek.cluster.members import Member, version_of
from sketchseek.cluster.runners import Block, Runner
from sketchseek.cluster.sources import Complete, Unreadable, find_photos, kind_of, lies_in
from sketchseek.cluster.storage import Found
from sketchseek.cluster.table import Change, Snapshot, Table, schema
from sketchseek.search.object_path import photo_path
from sketchseek.search.results import IndexProgress, IndexReport, ProgressCallback

COMMIT_EVERY = 5.0
"""Seconds between commits."""

SMALLEST, LARGEST = 16, 2048
"""Photos in a block: few, so that little is lost and every worker has some; many, so that fragments are large."""


@dataclass(frozen=True)
class _Known:
    id: int
    size: int
    mtime_ns: int
    version: str
    source: str
    failed: bool

    def is_current(self, found: Found) -> bool:
        """Whether a row is of what was found."""
        if found.version:  # a list may have it without the quotes
            return self.version.strip('"') == found.version.strip('"')
        return (self.size, self.mtime_ns) == (found.size, found.mtime_ns)


@dataclass
class _Run:
    """What a run has found and done so far."""

    wanted: dict[str, Found] = field(default_factory=dict)
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    again: set[str] = field(default_factory=set)


class Indexer:
    """One run over some folders.

    Args:
        table: The library's table.
        run_blocks: Embeds blocks.
        progress: Called when a stage begins, and after each commit.
    """

    def __init__(self, table: Table, run_blocks: Runner, progress: ProgressCallback | None = None) -> None:
        self._table = table
        self._run_blocks = run_blocks
        self._progress = progress or (lambda _: None)
        self._version = -1
        self._rows: dict[str, _Known] = {}  # as of that version

    def run(self, folders: Sequence[str]) -> IndexReport:
        """Update the photos of folders: paths and URIs, which the library's state has already."""
        start = time.monotonic()
        run = _Run()
        self._table.add_columns()
        self._scan(run, folders)
        known = self._known(self._table.latest(), folders)
        current = {path for path, row in known.items() if path in run.wanted and row.is_current(run.wanted[path])}
        skipped = sum(known[path].failed for path in current)
        unlisted = [item.path for item in run.unreadable.values() if item.unlisted]
        plain = [folder for folder in folders if kind_of(folder) == "folder"]

        def belongs(path: str, row: _Known) -> bool:
            """Whether these folders, shards, Parquet files and lists say if the photo is to be in the library."""
            return row.source in folders or (not row.source and any(lies_in(path, folder) for folder in plain))

        gone = {
            path: row
            for path, row in known.items()
            if path not in run.wanted
            and belongs(path, row)
            and row.source not in unlisted
            and not any(lies_in(path, folder) for folder in unlisted)
        }
        self._record(run, gone, known)
        todo = [path for path in run.wanted if path not in current]
        total = len(todo)
        while todo:
            self._embed(run, todo, total, folders)
            self._known(self._table.latest(), folders)
            todo = sorted(path for path in run.again if not self._is_done(path, run))
            self._count_done(run.counts, run.again.difference(todo))
            run.again = set()
        self._describe({path: known[path].id for path in current if not known[path].failed}, run)
        counts = run.counts
        return IndexReport(
            indexed=counts["indexed"],
            failed=counts["failed"] + len(run.unreadable),
            unchanged=len(current) - skipped + counts["unchanged"],
            removed=counts["removed"],
            moved=0,
            skipped=skipped + counts["skipped"],
            seconds=time.monotonic() - start,
            missing=[photo_path(path) for path in run.unreadable if path in folders],
        )

    def _scan(self, run: _Run, folders: Sequence[str]) -> None:
        snapshot = self._table.latest()
        state = snapshot.state
        complete = self._complete(snapshot, folders)
        for item in find_photos(folders, excluded=state.excluded, rules=state.rules, complete=complete):
            if isinstance(item, Unreadable):
                run.unreadable[item.path] = item
                continue
            run.wanted[item.path] = item
            if len(run.wanted) % 1000 == 0:
                self._progress(IndexProgress("scan", len(run.wanted), 0))
        self._progress(IndexProgress("scan", len(run.wanted), len(run.wanted)))

    def _complete(self, snapshot: Snapshot, folders: Sequence[str]) -> Complete:
        """Return a function that knows which containers the table has completely; see ``sources.Complete``."""
        members: dict[tuple[str, str], list[Found]] = defaultdict(list)
        totals: dict[tuple[str, str], int] = {}
        rows = {} if all(kind_of(one) == "folder" for one in folders) else self._known(snapshot, folders)
        for path, row in rows.items():
            if (member := Member.parse(row.version)) is not None:
                container = (path[: member.prefix], member.version)
                members[container].append(Found(path, row.size, row.mtime_ns, row.version))
                totals[container] = member.total

        def complete(container: Found) -> list[Found] | None:
            key = (container.path, version_of(container))
            # A container that is damaged, which a row says, has more photos than those that could be listed.
            return members[key] if container.path not in rows and len(members[key]) == totals.get(key) else None

        return complete

    def _record(self, run: _Run, gone: dict[str, _Known], known: dict[str, _Known]) -> None:
        """Remove deleted photos, and replace the failures of folders and names that could not be read."""
        import pyarrow as pa

        drop = {row.id for row in gone.values()}
        drop |= {known[path].id for path in run.unreadable if path in known}
        if not drop and not run.unreadable:
            return

        def change(snapshot: Snapshot) -> Change:
            first = snapshot.state.next_id
            rows = [
                failure_row(first + number, Found(item.path, -1, -1, source=item.source), item.reason)
                for number, item in enumerate(run.unreadable.values())
            ]
            new = pa.Table.from_pylist(rows, schema=schema(snapshot.state.dimensions))
            state = replace(snapshot.state, next_id=first + len(rows))
            return Change(state, self._table.write_rows(new) if rows else (), drop)

        self._table.commit(change)
        run.counts["removed"] += sum(not row.failed for row in gone.values())

    def _job(self, *, describes: bool = False) -> Job:
        state = self._table.latest().state
        return Job(self._table.library, state.model, state.fingerprint, state.folders, describes)

    def _describe(self, ids: dict[str, int], run: _Run) -> None:
        """Add words and colors to photos, by path, that lack them."""
        lacking = undescribed(self._table.latest())
        tasks = [_task(photo, run.wanted[path]) for path, photo in ids.items() if photo in lacking]
        if tasks:
            describe(self._table, self._run_blocks, self._job(describes=True), tasks, self._progress)

    def _embed(self, run: _Run, todo: list[str], total: int, folders: Sequence[str]) -> None:
        first = self._table.commit(
            lambda snapshot: Change(replace(snapshot.state, next_id=snapshot.state.next_id + len(todo)))
        ).state.next_id - len(todo)
        tasks = [_task(first + number, run.wanted[path]) for number, path in enumerate(todo)]
        waiting: list[Written] = []
        committed = time.monotonic()
        self._progress(IndexProgress("embed", 0, total))
        blocks = self._blocks(run, tasks)
        written = iter(self._run_blocks(self._job(), blocks))
        try:
            for block in written:
                waiting.append(block)
                if time.monotonic() - committed >= COMMIT_EVERY:
                    self._commit(run, waiting, folders, total)
                    committed = time.monotonic()
        finally:
            if hasattr(written, "close"):
                written.close()
            self._commit(run, waiting, folders, total)

    def _blocks(self, run: _Run, tasks: Sequence[Task]) -> Iterator[Block]:
        """Yield blocks of tasks, without what another run has done by then.

        Runs over the same folders have the same blocks, in different orders: they share the work, and only two that
        embed the same block at the same time do it twice.
        """
        size = max(SMALLEST, min(LARGEST, len(run.wanted) // 64))
        count = 1 << (-(-len(run.wanted) // size) - 1).bit_length()
        blocks: dict[str, Block] = defaultdict(list)
        for task in tasks:
            blocks[task.block or str(zlib.crc32(task.path.encode()) % count)].append(task)
        for name in random.sample(sorted(blocks), len(blocks)):
            left = [task for task in blocks[name] if not self._is_done(task.path, run)]
            self._count_done(run.counts, {task.path for task in blocks[name]}.difference(task.path for task in left))
            if left:
                yield left

    def _count_done(self, counts: Counter[str], paths: Collection[str]) -> None:
        """Count photos that another run has embedded, or could not read either."""
        failed = sum(self._rows[path].failed for path in paths)
        counts["skipped"] += failed
        counts["unchanged"] += len(paths) - failed

    def _is_done(self, path: str, run: _Run) -> bool:
        """Whether the table had the photo as it is now, when it was last read."""
        return path in self._rows and self._rows[path].is_current(run.wanted[path])

    def _commit(self, run: _Run, waiting: list[Written], folders: Sequence[str], total: int) -> None:
        """Commit blocks, and clear the list. Where another run was faster, its photos stay."""
        if not waiting:
            return
        counts: Counter[str] = Counter()
        again: set[str] = set()

        def change(snapshot: Snapshot) -> Change | None:
            counts.clear()
            again.clear()
            known = self._known(snapshot, folders)
            fragments: list[str] = []
            drop: set[int] = set()
            for block in waiting:
                done = {path for path in block.ids if self._is_done(path, run)}
                banned = {path for path in block.ids if any(lies_in(path, one) for one in snapshot.state.excluded)}
                if done or banned:  # another run was faster, or removed them: the block's other photos are done again
                    again.update(block.ids.keys() - done - banned)
                    self._count_done(counts, done)
                    continue
                fragments += block.fragments
                drop |= {known[path].id for path in (*block.ids, *block.gone) if path in known}
                counts["removed"] += sum(path in known and not known[path].failed for path in block.gone)
                counts["failed"] += len(block.failed)
                counts["indexed"] += len(block.ids) - len(block.failed)
            return Change(snapshot.state, fragments, drop) if fragments or drop else None

        # A commit of another run would have been a conflict, so nothing else has changed since.
        self._version = self._table.commit(change).version
        waiting.clear()
        run.counts += counts
        run.again |= again
        done = sum(run.counts[name] for name in ("indexed", "failed", "unchanged", "skipped"))
        self._progress(IndexProgress("embed", done, max(total, done), run.counts["indexed"], run.counts["failed"]))

    def _known(self, snapshot: Snapshot, folders: Collection[str]) -> dict[str, _Known]:
        """Return the rows in folders by path, without those that this run has committed since it read them."""
        if snapshot.version != self._version:
            columns = ["id", "path", "size", "mtime_ns", "version", "source", "reason"]
            rows: Any = snapshot.rows(columns, "id > 0")
            everywhere = any(kind_of(folder) != "folder" for folder in folders)  # a list names photos of any folder
            self._rows = {
                path: _Known(photo, size, mtime_ns, version or "", source or "", reason is not None)
                for photo, path, size, mtime_ns, version, source, reason in zip(
                    *(rows[name].to_pylist() for name in columns), strict=True
                )
                if everywhere or any(lies_in(path, folder) for folder in folders)
            }
            self._version = snapshot.version
        return self._rows


def _task(photo: int, found: Found) -> Task:
    return Task(**vars(found), id=photo)
