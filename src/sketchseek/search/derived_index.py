"""Embedding more of photos than the photos: reads those that a store lacks, on every core."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

from sketchseek.images.sources import open_regular
from sketchseek.search.catalog import Catalog
from sketchseek.search.catalog.derived_store import DerivedStore
from sketchseek.search.index.engine import available_cores
from sketchseek.search.pipeline import READ_WHOLE
from sketchseek.search.results import IndexProgress, ProgressCallback
from sketchseek.search.scan import lies_in_any

COMMIT_EVERY = 2.0
BLOCK = 8
"""Photos that are read and embedded at once."""

Value = TypeVar("Value")

EmbedBlock = Callable[[Sequence[tuple[bytes, bytes | str]]], list[tuple[bytes, Value]]]
"""Embeds files, given the digest and the content or the path of each; those that cannot be read are left out."""


def index_missing(
    store: DerivedStore[Value],
    catalog: Catalog,
    folders: Sequence[bytes],
    embed: EmbedBlock[Value],
    *,
    stage: Literal["regions", "frames"],
    progress: ProgressCallback | None = None,
    wanted: Callable[[bytes], bool] = lambda path: True,
) -> None:
    """Embed what a store lacks, and forget photos that are gone.

    An exception, including KeyboardInterrupt, leaves everything before it committed. A photo that cannot be read now,
    or has changed since it was indexed, is left for the next update.

    Args:
        store: Open for writing.
        catalog: The library's catalog.
        folders: Absolute paths; only photos in them are read.
        embed: Embeds a block; called from several threads.
        stage: Name of the stage for ``progress``.
        progress: Called after each commit.
        wanted: Whether a path is to be read.
    """
    there, known = store.digests(), catalog.digests()
    store.drop(there.difference(known))
    lacking = [
        (digest, path)
        for digest, path in known.items()
        if digest not in there and wanted(path) and lies_in_any(path, folders)
    ]
    blocks = [lacking[start : start + BLOCK] for start in range(0, len(lacking), BLOCK)]
    waiting: list[tuple[bytes, Value]] = []
    done, committed = 0, time.monotonic()
    cores = available_cores()
    with ThreadPoolExecutor(cores) as threads:
        for start in range(0, len(blocks), 2 * cores):  # few at a time, so that an interrupt waits for few
            some = blocks[start : start + 2 * cores]
            for block, found in zip(some, threads.map(lambda block: embed(_read(block)), some), strict=True):
                done += len(block)
                waiting += found
                if time.monotonic() - committed >= COMMIT_EVERY or done == len(lacking):
                    store.add(waiting)
                    waiting.clear()
                    committed = time.monotonic()
                    if progress is not None:
                        progress(IndexProgress(stage, done, len(lacking)))


def _read(block: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes | str]]:
    """Return the contents of files by digest, or their paths if they are large."""
    read: list[tuple[bytes, bytes | str]] = []
    for digest, path in block:
        try:
            with open_regular(os.fsdecode(path)) as file:
                if os.fstat(file.fileno()).st_size > READ_WHOLE:
                    source: bytes | str = os.fsdecode(path)
                    found = hashlib.file_digest(file, "sha256").digest()
                else:
                    source = file.read()
                    found = hashlib.sha256(source).digest()
        except (OSError, MemoryError):
            continue
        if found == digest:
            read.append((digest, source))
    return read
