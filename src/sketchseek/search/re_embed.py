"""Embedding every photo of a library anew with another package."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from sketchseek.encoder import Encoder
from sketchseek.errors import LibraryError
from sketchseek.search.catalog import Catalog, Row
from sketchseek.search.pipeline import Failed, Gone, Outcome, embed_files
from sketchseek.search.results import IndexProgress, IndexReport
from sketchseek.search.update import COMMIT_EVERY, Progress

_PAGE = 1000


def re_embed(
    catalog: Catalog, encoder: Encoder, facts: dict[str, str], progress: Progress | None = None
) -> IndexReport:
    """Gather new vectors in the table ``staged``, and then change all at once. See ``Library.re_embed``.

    Args:
        catalog: Open for writing, the writer's lock held.
        encoder: Opened with ``threads=1``.
        facts: What the catalog is to remember of the package.
        progress: Called after each commit.
    """
    start = time.monotonic()
    before = catalog.meta()
    if before["fingerprint"] == facts["fingerprint"]:
        with catalog.transaction():
            catalog.set_meta(**facts)  # the same model, perhaps under another path
        return IndexReport(0, 0, catalog.count(), 0, 0, 0, time.monotonic() - start)
    for root in catalog.roots():
        if not os.path.exists(root):  # noqa: PTH110  on bytes
            raise LibraryError(
                f"{os.fsdecode(root)}: not there, so its photos cannot be embedded anew.",
                remedy="Connect its drive, or take the folder out of the library: sketchseek remove.",
            )
    if before.get("staged_fingerprint") != facts["fingerprint"]:
        with catalog.transaction():
            catalog.execute("DELETE FROM staged")
            catalog.set_meta(staged_fingerprint=facts["fingerprint"])
    _gather(catalog, encoder, progress)
    indexed, failed = _swap(catalog, facts)
    return IndexReport(indexed, failed, 0, 0, 0, 0, time.monotonic() - start)


def _gather(catalog: Catalog, encoder: Encoder, progress: Progress | None) -> None:
    total = catalog.count()
    outcomes: list[Outcome] = []
    batches = embed_files(encoder, _missing(catalog), lambda _: False)
    committed = time.monotonic()
    try:
        for batch in batches:
            outcomes += batch
            if time.monotonic() - committed >= COMMIT_EVERY:
                _stage(catalog, outcomes, total, progress)
                committed = time.monotonic()
    finally:
        batches.close()
        _stage(catalog, outcomes, total, progress)


def _missing(catalog: Catalog) -> Iterator[bytes]:
    last = 0
    while rows := catalog.execute(
        "SELECT p.id, p.path FROM photos p LEFT JOIN staged s ON s.id = p.id"
        " WHERE p.id > ? AND s.id IS NULL ORDER BY p.id LIMIT ?",
        last,
        _PAGE,
    ):
        last = rows[-1][0]
        yield from (row[1] for row in rows)


def _stage(catalog: Catalog, outcomes: list[Outcome], total: int, progress: Progress | None) -> None:
    with catalog.transaction():
        for outcome in outcomes:
            values: tuple[object, ...]
            if isinstance(outcome, Row):
                file = outcome
                # The file may have changed since it was indexed: its digest must stay that of what was embedded.
                values = (file.size, file.mtime_ns, file.digest, file.width, file.height, file.vector, None)
            elif isinstance(outcome, Failed):
                values = (outcome.size, outcome.mtime_ns, None, None, None, None, outcome.reason)
            else:
                assert isinstance(outcome, Gone)
                # No size: a file that comes back as it was is to be tried again.
                values = (-1, -1, None, None, None, None, "no such file")
            catalog.execute(
                "INSERT OR REPLACE INTO staged SELECT id, ?, ?, ?, ?, ?, ?, ? FROM photos WHERE path = ?",
                *values,
                outcome.path,
            )
    outcomes.clear()
    if progress is not None:
        done, failed = catalog.execute("SELECT count(*), count(reason) FROM staged")[0]
        progress(IndexProgress("embed", done, total, done - failed, failed))


def _swap(catalog: Catalog, facts: dict[str, str]) -> tuple[int, int]:
    with catalog.transaction():
        # Photos may have gone since they were staged in an earlier, interrupted run.
        catalog.execute("DELETE FROM staged WHERE id NOT IN (SELECT id FROM photos)")
        failed = catalog.execute(
            "SELECT p.path, s.reason, s.size, s.mtime_ns FROM staged s JOIN photos p USING (id) WHERE s.vector IS NULL"
        )
        for path, reason, size, mtime_ns in failed:
            catalog.fail(path, reason, size, mtime_ns)
        names = "size, mtime_ns, digest, width, height, vector"
        catalog.execute(f"UPDATE photos SET ({names}) = (SELECT {names} FROM staged s WHERE s.id = photos.id)")
        indexed = catalog.count()
        catalog.execute("DELETE FROM staged")
        catalog.set_meta(**facts, epoch=catalog.state().epoch + 1, staged_fingerprint="")
    return indexed, len(failed)
