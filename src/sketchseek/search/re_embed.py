"""Embedding every photo of a library again, with another model."""

from __future__ import annotations

import os
import time

from sketchseek.encoder import Encoder
from sketchseek.errors import LibraryError
from sketchseek.search.catalog import Catalog, LibraryMetadata, Row
from sketchseek.search.pipeline import Failed, Outcome, embed_files
from sketchseek.search.results import IndexProgress, IndexReport, ProgressCallback
from sketchseek.search.update import COMMIT_EVERY


def re_embed(
    catalog: Catalog, encoder: Encoder, metadata: LibraryMetadata, progress: ProgressCallback | None = None
) -> IndexReport:
    """Stage new embeddings, then replace all at once. See ``Library.re_embed``.

    Args:
        catalog: Open for writing; the caller holds the writer's lock.
        encoder: Opened with ``threads=1``.
        metadata: What the catalog records about the encoder's model.
        progress: Called after each commit.
    """
    start = time.monotonic()
    before = catalog.metadata()
    if before.fingerprint == metadata.fingerprint:
        with catalog.transaction():
            catalog.set_model(metadata)  # the same model, perhaps at another path
        return IndexReport(0, 0, catalog.count(), 0, 0, 0, time.monotonic() - start)
    for root in catalog.roots():
        if not os.path.exists(root):  # noqa: PTH110  on bytes
            raise LibraryError(
                "the folder is not there, so its photos cannot be embedded again.",
                subject=os.fsdecode(root),
                remedy="Connect its drive, or take the folder out of the library: sketchseek remove.",
            )
    if before.staged_fingerprint != metadata.fingerprint:
        with catalog.transaction():
            catalog.start_staging(metadata.fingerprint)
    _stage_all(catalog, encoder, progress)
    with catalog.transaction():
        indexed, failed = catalog.apply_staged(metadata)
    return IndexReport(indexed, failed, 0, 0, 0, 0, time.monotonic() - start)


def _stage_all(catalog: Catalog, encoder: Encoder, progress: ProgressCallback | None) -> None:
    total = catalog.count()
    outcomes: list[Outcome] = []
    batches = embed_files(encoder, catalog.unstaged_paths(), lambda _: False)
    committed = time.monotonic()
    try:
        for batch in batches:
            outcomes += batch
            if time.monotonic() - committed >= COMMIT_EVERY:
                _commit(catalog, outcomes, total, progress)
                committed = time.monotonic()
    finally:
        batches.close()
        _commit(catalog, outcomes, total, progress)


def _commit(catalog: Catalog, outcomes: list[Outcome], total: int, progress: ProgressCallback | None) -> None:
    with catalog.transaction():
        for outcome in outcomes:
            if isinstance(outcome, Row):
                catalog.stage(outcome)
            elif isinstance(outcome, Failed):
                catalog.stage_failure(outcome.path, outcome.reason, outcome.size, outcome.mtime_ns)
            else:
                # Without a size, a file that comes back unchanged is tried again.
                catalog.stage_failure(outcome.path, "no such file")
    outcomes.clear()
    if progress is not None:
        done, failed = catalog.staged_counts()
        progress(IndexProgress("embed", done, total, done - failed, failed))
