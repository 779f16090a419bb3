"""A library at a glance."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sketchseek.search.catalog import Catalog
from sketchseek.search.index_mirror import IndexMirror
from sketchseek.search.results import Status


def status_of(path: Path, catalog: Catalog, mirror: IndexMirror) -> Status:
    """Gather a library's status; inside a ``snapshot`` of its catalog."""
    facts = catalog.meta()
    count = catalog.count()
    snapshot = mirror.recorded(catalog, facts.get("snapshot", ""))
    return Status(
        path=path,
        photos=count,
        failures=catalog.failure_count(),
        folders=[Path(os.fsdecode(root)) for root in catalog.roots()],
        excluded=[Path(os.fsdecode(other)) for other in catalog.excluded()],
        model=facts["name"],
        fingerprint=facts["fingerprint"],
        embedding=int(facts["embedding"]),
        distance=facts["distance"],
        engine="" if snapshot is None else snapshot[0].engine,
        pending=count if snapshot is None else snapshot[1],
        bytes=_size_of(path),
    )


def _size_of(folder: Path) -> int:
    size = 0
    for file in folder.rglob("*"):
        with suppress(OSError):  # a writer may just have replaced it
            size += file.stat().st_size if file.is_file() else 0
    return size
