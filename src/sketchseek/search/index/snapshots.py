"""Snapshots of an index on disk.

``index/<name>.faiss`` holds the vectors and ``index/<name>.json`` describes them. Once both are on disk, the catalog
records the name of the current snapshot and the checksum of its JSON, which holds the checksum of the index. A snapshot
that does not agree is ignored, and the index is rebuilt from the catalog.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from sketchseek.atomic_write import atomic_path, atomic_write, make_folders
from sketchseek.file_digest import file_digest
from sketchseek.models.package import Distance
from sketchseek.search.index.protocol import VectorIndex

FOLDER = "index"


@dataclass(frozen=True)
class IndexSnapshot:
    """Description of an index file.

    Attributes:
        engine, distance, dimension: How to read it.
        count: Number of vectors.
        built: Number of vectors that the index was built for; far beyond it, the index is rebuilt.
        revision, last_id, last_removal: The catalog's state that the index mirrors; see ``CatalogState``.
        sha256: Checksum of the index file.
    """

    engine: str
    distance: Distance
    dimension: int
    count: int
    built: int
    revision: int
    last_id: int
    last_removal: int
    sha256: str


class StaleSnapshotError(Exception):
    """A snapshot cannot be used: it is missing, damaged or does not belong to the catalog."""


def save(library: Path, index: VectorIndex, *, built: int, revision: int, last_id: int, last_removal: int) -> str:
    """Write a snapshot and return its record; it becomes the current one when the catalog has the record.

    Raises:
        OSError: The folder cannot be written, or the disk is full.
    """
    folder = library / FOLDER
    make_folders(folder)
    name = f"{revision:04d}-{last_id:010d}-{secrets.token_hex(4)}"
    path = folder / f"{name}.faiss"
    try:
        with atomic_path(path) as aside:
            index.save(aside)
            checksum = file_digest(aside)
        snapshot = IndexSnapshot(
            index.name,
            index.distance,
            index.dimension,
            len(index),
            built,
            revision,
            last_id,
            last_removal,
            checksum,
        )
        text = json.dumps(asdict(snapshot), indent=2).encode()
        atomic_write(path.with_suffix(".json"), text)
    except OSError:
        remove(library, name)
        raise
    return f"{name} {hashlib.sha256(text).hexdigest()}"


def describe(library: Path, record: str) -> IndexSnapshot:
    """Read the description of a recorded snapshot.

    Raises:
        StaleSnapshotError: Its JSON is missing or damaged.
    """
    name, _, checksum = record.partition(" ")
    if not name or Path(name).name != name:
        raise StaleSnapshotError("there is no snapshot")
    try:
        text = (library / FOLDER / f"{name}.json").read_bytes()
    except OSError as error:
        raise StaleSnapshotError(f"{name}.json: {error.strerror}") from error
    if hashlib.sha256(text).hexdigest() != checksum:
        raise StaleSnapshotError(f"{name}.json: its checksum differs from the catalog's")
    try:
        return IndexSnapshot(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise StaleSnapshotError(f"{name}.json: {error}") from error


def is_whole(library: Path, record: str) -> bool:
    """Return whether the files of a recorded snapshot are there and match their checksums."""
    try:
        return file_digest(_file(library, record)) == describe(library, record).sha256
    except (OSError, StaleSnapshotError):
        return False


def load(library: Path, record: str) -> tuple[IndexSnapshot, VectorIndex]:
    """Read a recorded snapshot and its index.

    Raises:
        StaleSnapshotError: One of its files is missing or damaged.
    """
    from sketchseek.search.index import ENGINES

    snapshot = describe(library, record)
    path = _file(library, record)
    try:
        if file_digest(path) != snapshot.sha256:
            raise StaleSnapshotError(f"{path.name}: its checksum differs")
        index = ENGINES[snapshot.engine].load(path, snapshot.dimension, snapshot.distance)
    except OSError as error:
        raise StaleSnapshotError(f"{path.name}: {error.strerror or error}") from error
    except (ValueError, KeyError) as error:
        raise StaleSnapshotError(str(error)) from error
    if len(index) != snapshot.count:
        raise StaleSnapshotError(f"{path.name}: {len(index)} vectors instead of {snapshot.count}")
    return snapshot, index


def remove_others(library: Path, record: str) -> None:
    """Delete every file of other snapshots, including files that a crash left unfinished."""
    keep = record.partition(" ")[0]
    for path in (library / FOLDER).glob("*"):
        if path.name.partition(".")[0] != keep:
            with contextlib.suppress(OSError):  # Windows keeps files that a reader has open; the next save deletes them
                path.unlink()


def remove(library: Path, name: str) -> None:
    """Delete the files of one snapshot."""
    for path in (library / FOLDER).glob(f"{name}.*"):
        with contextlib.suppress(OSError):
            path.unlink()


def _file(library: Path, record: str) -> Path:
    return library / FOLDER / f"{record.partition(' ')[0]}.faiss"
