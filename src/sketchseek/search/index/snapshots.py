"""Generations of an index on disk: written aside, synced, renamed, and only then recorded.

``index/<name>.faiss`` holds the vectors and ``index/<name>.json`` says what they are; the catalog records the name of
the current snapshot with the checksum of its JSON, which holds the checksum of the index. Whatever does not agree is
passed over, and the index is built again from the catalog.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from sketchseek.models.package import Distance, sha256_of
from sketchseek.search.index.protocol import VectorIndex

FOLDER = "index"


@dataclass(frozen=True)
class IndexSnapshot:
    """What an index file holds.

    Attributes:
        engine, distance, dimension: How to read it.
        count: Vectors in it.
        built: Vectors that the engine was built for; grown far beyond, it is built anew.
        revision, last_id, last_removal: The catalog's state that it agrees with.
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
    """Write a snapshot; returns the record for the catalog, which makes it the current one.

    Raises:
        OSError: The folder cannot be written, or the disk is full.
    """
    folder = library / FOLDER
    folder.mkdir(exist_ok=True)
    name = f"{revision:04d}-{last_id:010d}-{secrets.token_hex(4)}"
    aside = folder / f"{name}.faiss.part"
    try:
        index.save(aside)
        _sync(aside)
        snapshot = IndexSnapshot(
            index.name,
            index.distance,
            index.dimension,
            len(index),
            built,
            revision,
            last_id,
            last_removal,
            sha256_of(aside),
        )
        text = json.dumps(asdict(snapshot), indent=2).encode()
        sidecar = folder / f"{name}.json.part"
        sidecar.write_bytes(text)
        _sync(sidecar)
        aside.replace(folder / f"{name}.faiss")
        sidecar.replace(folder / f"{name}.json")
        _sync(folder)
    except OSError:
        remove(library, name)
        raise
    return f"{name} {hashlib.sha256(text).hexdigest()}"


def describe(library: Path, record: str) -> IndexSnapshot:
    """Read what a recorded snapshot holds.

    Raises:
        StaleSnapshotError: Its JSON is missing or damaged.
    """
    name, _, checksum = record.partition(" ")
    if not name or Path(name).name != name:
        raise StaleSnapshotError("there is none")
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


def load(library: Path, record: str) -> tuple[IndexSnapshot, VectorIndex]:
    """Read a recorded snapshot and its index.

    Raises:
        StaleSnapshotError: One of its files is missing or damaged.
    """
    from sketchseek.search.index import ENGINES

    snapshot = describe(library, record)
    path = library / FOLDER / f"{record.partition(' ')[0]}.faiss"
    try:
        if sha256_of(path) != snapshot.sha256:
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
    """Delete every file of other snapshots, those half written by a crash among them."""
    keep = record.partition(" ")[0]
    for path in (library / FOLDER).glob("*"):
        if path.name.partition(".")[0] != keep:
            with contextlib.suppress(OSError):  # Windows keeps a file that a reader has open; the next save deletes it
                path.unlink()


def remove(library: Path, name: str) -> None:
    """Delete the files of one snapshot."""
    for path in (library / FOLDER).glob(f"{name}.*"):
        with contextlib.suppress(OSError):
            path.unlink()


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return
    file = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(file)
    finally:
        os.close(file)
