"""Keeping a library's table fast: few fragments, indexes for what is searched and filtered, no old versions."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta

from sketchseek.cluster.gallery import EXACT_BELOW, METRICS
from sketchseek.cluster.storage import storage_errors
from sketchseek.cluster.table import IS_PHOTO, Snapshot, Table

FRAGMENTS = 32
"""Small fragments that may come together before they are merged."""

ROWS = 250_000
"""Rows of a merged fragment."""

PARTITION = 1000
"""Photos in a partition of the index. IVF_SQ found more than IVF_HNSW_SQ and was built in a twentieth of the time."""

KEPT = timedelta(days=7)
"""Age at which old versions, and fragments that were never committed, are deleted."""

INDEXED = ("id", "path", "folder", "mtime_ns")
"""Columns with an index of their own: they are filtered."""

_log = logging.getLogger(__name__)


def optimize(table: Table, *, exact_below: int = EXACT_BELOW) -> Snapshot:
    """Merge small fragments, bring the indexes up to date, and delete old versions.

    If another process commits at the same time, what conflicts with it is left for the next run.
    """
    from lance.commit import CommitConflictError

    with storage_errors(table.library):
        snapshot = table.latest()
        with suppress(CommitConflictError):
            if sum(one.count_rows() < ROWS for one in snapshot.dataset.get_fragments()) > FRAGMENTS:
                snapshot.dataset.optimize.compact_files(target_rows_per_fragment=ROWS)
        snapshot = table.latest()
        photos = snapshot.dataset.count_rows(filter=IS_PHOTO)
        if photos >= exact_below:
            with suppress(CommitConflictError):
                _index(snapshot, photos)
        table.latest().dataset.cleanup_old_versions(older_than=KEPT)
    return table.latest()


def _index(snapshot: Snapshot, photos: int) -> None:
    dataset = snapshot.dataset
    known = {index.name for index in dataset.describe_indices()}
    for column in INDEXED:
        if f"{column}_idx" not in known:
            dataset.create_scalar_index(column, "BTREE", name=f"{column}_idx")
    if "embedding_idx" not in known:
        _log.info("Building the index of %d embeddings", photos)
        dataset.create_index(
            "embedding",
            "IVF_SQ",
            name="embedding_idx",
            metric=METRICS[snapshot.state.distance],
            num_partitions=max(1, photos // PARTITION),
        )
    if known:
        dataset.optimize.optimize_indices()
