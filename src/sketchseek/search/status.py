"""Status of a library."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sketchseek.search.catalog import Catalog
from sketchseek.search.index_mirror import IndexMirror
from sketchseek.search.results import Status


def status_of(path: Path, catalog: Catalog, mirror: IndexMirror) -> Status:
    """Return a library's status. Call inside a ``snapshot`` of its catalog."""
    metadata = catalog.metadata()
    count = catalog.count()
    rules = catalog.scan_rules()
    recorded = mirror.recorded(catalog, metadata.snapshot)
    return Status(
        path=path,
        photos=count,
        failures=catalog.failure_count(),
        folders=[Path(os.fsdecode(root)) for root in catalog.roots()],
        excluded=[Path(os.fsdecode(other)) for other in catalog.excluded()],
        model=metadata.name,
        fingerprint=metadata.fingerprint,
        dimensions=metadata.dimensions,
        distance=metadata.distance,
        engine="" if recorded is None else recorded[0].engine,
        pending=count if recorded is None else recorded[1],
        revision=metadata.changes,
        bytes=_size_of(path),
        unread=catalog.unread(),
        exclude=list(rules.exclude),
        follow_symlinks=rules.follow_symlinks,
        hidden=rules.hidden,
    )


def _size_of(folder: Path) -> int:
    size = 0
    for file in folder.rglob("*"):
        with suppress(OSError):  # a writer may just have replaced it
            size += file.stat().st_size if file.is_file() else 0
    return size
