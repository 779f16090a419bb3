"""Adding words and colors to photos of a library in Lance that lack them: they were indexed by an earlier version."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sketchseek.cluster.embedding import Job, Task, Written
from sketchseek.cluster.runners import Runner
from sketchseek.cluster.table import IS_UNDESCRIBED, Change, Snapshot, Table
from sketchseek.search.results import IndexProgress, ProgressCallback

COMMIT_EVERY = 5.0
BLOCK = 256
"""Photos in a block."""


def undescribed(snapshot: Snapshot) -> frozenset[int]:
    """Return the ids of the photos without words and colors."""
    return frozenset(snapshot.rows(["id"], IS_UNDESCRIBED)["id"].to_pylist())


def describe(table: Table, run_blocks: Runner, job: Job, tasks: Sequence[Task], progress: ProgressCallback) -> None:
    """Read photos, and replace their rows by ones with words and colors. Embeddings and ids stay.

    Rows that another process changes meanwhile are left for the next run.

    Args:
        table: The library's table.
        run_blocks: Where photos are read.
        job: With ``describes``.
        tasks: Photos that are undescribed.
        progress: Called after each commit.
    """
    done = 0
    waiting: list[Written] = []
    blocks = (list(tasks[start : start + BLOCK]) for start in range(0, len(tasks), BLOCK))
    written = iter(run_blocks(job, blocks))
    committed = time.monotonic()
    try:
        for block in written:
            waiting.append(block)
            done += min(BLOCK, len(tasks) - done)
            if time.monotonic() - committed >= COMMIT_EVERY:
                _commit(table, waiting)
                progress(IndexProgress("describe", done, len(tasks)))
                committed = time.monotonic()
    finally:
        if hasattr(written, "close"):
            written.close()
        _commit(table, waiting)
    if tasks:
        progress(IndexProgress("describe", done, len(tasks)))


def _commit(table: Table, waiting: list[Written]) -> None:
    def change(snapshot: Snapshot) -> Change | None:
        listed = ", ".join(str(photo) for block in waiting for photo in block.ids.values()) or "-1"
        there = frozenset(snapshot.rows(["id"], f"{IS_UNDESCRIBED} AND id IN ({listed})")["id"].to_pylist())
        kept = [block for block in waiting if block.ids and there.issuperset(block.ids.values())]
        fragments = [fragment for block in kept for fragment in block.fragments]
        drop = [photo for block in kept for photo in block.ids.values()]
        return Change(snapshot.state, fragments, drop) if kept else None

    if waiting:
        table.commit(change)
    waiting.clear()
