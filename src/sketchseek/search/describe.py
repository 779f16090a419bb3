"""Reading words, colors and hashes of photos that lack them, as after a repair. Their embeddings stay as they are."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from sketchseek.errors import ImageError
from sketchseek.photo_metadata import PhotoMetadata
from sketchseek.search.catalog import Catalog, Description
from sketchseek.search.colors import signature_of
from sketchseek.search.photo_reader import PhotoReader
from sketchseek.search.picture_hash import picture_hash
from sketchseek.search.scan import file_time, lies_in

COMMIT_EVERY = 2.0
SIZE = 256
"""Side in pixels of the square that colors and hashes are read from."""


def describe_missing(
    catalog: Catalog, folders: Sequence[bytes], progress: Callable[[int, int], object] = lambda done, total: None
) -> int:
    """Describe the photos in folders that have no description.

    A photo whose file is gone, or has changed since it was embedded, is left for the next update.

    Args:
        catalog: Open for writing; the caller holds the writer's lock.
        folders: Absolute paths.
        progress: Called after each commit with the number of photos visited and of photos to visit.

    Returns:
        Number of photos described.
    """
    total = catalog.undescribed_count()
    described = visited = 0
    ready: list[tuple[int, bytes, Description]] = []
    committed = time.monotonic()
    with PhotoReader(SIZE) as reader:
        for photo, path, size, mtime_ns in catalog.undescribed():
            visited += 1
            if not any(lies_in(path, folder) for folder in folders):
                continue
            with suppress(OSError):
                status = os.stat(path)  # noqa: PTH116  on bytes
                if (status.st_size, file_time(status)) == (size, mtime_ns):
                    ready.append((photo, path, _describe(reader, path)))
            if time.monotonic() - committed >= COMMIT_EVERY:
                described += _commit(catalog, ready)
                progress(visited, total)
                committed = time.monotonic()
    described += _commit(catalog, ready)
    if visited:
        progress(visited, total)
    return described


def _describe(reader: PhotoReader, path: bytes) -> Description:
    """Read the description of one photo. If its file cannot be read any more, only its name can be searched."""
    try:
        photo = reader.read(os.fsdecode(path))
    except ImageError:
        return Description(PhotoMetadata())
    return Description(photo.metadata, signature_of(photo.pixels), picture_hash(photo.pixels))


def _commit(catalog: Catalog, ready: list[tuple[int, bytes, Description]]) -> int:
    if ready:
        with catalog.transaction():
            for photo, path, description in ready:
                catalog.describe(photo, path, description)
    count = len(ready)
    ready.clear()
    return count
