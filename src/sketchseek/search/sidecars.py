"""XMP sidecars: files beside a photo in which programs keep its caption, keywords, date and place.

``photo.jpg.xmp`` is about one photo (darktable, digiKam), ``photo.xmp`` about every ``photo.*`` (Lightroom). If a photo
has both, both count. A sidecar that changed is read again by the next update; the photo is not.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection
from contextlib import suppress

from sketchseek.photo_metadata import MAX_XMP, PhotoMetadata, metadata_of_xmp
from sketchseek.search.catalog import Catalog
from sketchseek.search.catalog.scan_tables import ChangedSidecar
from sketchseek.search.catalog.sidecar_table import NO_SIDECAR, Sidecar
from sketchseek.search.results import IndexProgress, ProgressCallback
from sketchseek.search.scan import is_within

COMMIT_EVERY = 2.0

_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_sidecars(
    catalog: Catalog, *, progress: ProgressCallback | None = None, within: Collection[bytes] | None = None
) -> int:
    """Read the sidecars that changed since they were read, and forget those that are gone.

    A sidecar that cannot be read now is tried again by the next update.

    Args:
        catalog: Open for writing, within a scan; the caller holds the writer's lock.
        progress: Called after each commit.
        within: Real paths of folders that links must not lead out of; see ``scan``.

    Returns:
        Number of photos whose words changed.
    """
    changed = catalog.changed_sidecars()
    read: list[tuple[ChangedSidecar, Sidecar | None]] = []
    committed = time.monotonic()
    count = 0
    for done, item in enumerate(changed, start=1):
        with suppress(OSError):
            read.append((item, _read(item, within)))
        if done == len(changed) or time.monotonic() - committed >= COMMIT_EVERY:
            with catalog.transaction():
                for one, sidecar in read:
                    catalog.set_sidecar(one.photo, one.path, sidecar)
            count += len(read)
            read.clear()
            committed = time.monotonic()
            if progress is not None:
                progress(IndexProgress("describe", done, len(changed)))
    return count


def _read(item: ChangedSidecar, within: Collection[bytes] | None) -> Sidecar | None:
    if item.stamp == NO_SIDECAR:
        return None
    found = PhotoMetadata()
    for path in item.files:
        found = found.followed_by(_read_file(path, within))
    return Sidecar(item.stamp, found)


def _read_file(path: bytes, within: Collection[bytes] | None) -> PhotoMetadata:
    # O_NONBLOCK: do not hang on a pipe that replaced the file since the scan.
    with os.fdopen(os.open(path, _READ), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or (within is not None and not is_within(path, status, within)):
            return PhotoMetadata()
        return metadata_of_xmp(file.read(MAX_XMP + 1))
