"""Reading and embedding a block of photos, on whichever machine, and writing its rows as a fragment of the table."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchseek.cluster.descriptions import description_columns
from sketchseek.cluster.members import Member
from sketchseek.cluster.reading import read_member
from sketchseek.cluster.storage import Found, read
from sketchseek.cluster.table import FACTS, IS_UNDESCRIBED, Table, schema
from sketchseek.encoder import Encoder
from sketchseek.errors import ImageError, InputError, ModelMismatchError, StorageError
from sketchseek.models.package import load_model_package
from sketchseek.photo_metadata import PhotoMetadata
from sketchseek.search.catalog import Description
from sketchseek.search.colors import signature_of
from sketchseek.search.describe import SIZE
from sketchseek.search.photo_reader import PhotoReader
from sketchseek.search.picture_hash import picture_hash
from sketchseek.search.pipeline import BATCH

READERS = 8
"""Threads that read the photos of a batch ahead: object storage answers late, but many requests at once."""


@dataclass(frozen=True)
class Task(Found):
    """A photo to embed, as it was listed.

    Attributes:
        id: The id of its row.
    """

    id: int = field(kw_only=True)


@dataclass(frozen=True)
class Written:
    """The rows of a block, which count once its fragments are committed.

    Attributes:
        fragments: Fragments of the table, as JSON.
        ids: Ids of the rows by path.
        failed: Paths of those that failed.
        gone: Paths of photos that were deleted since they were listed; they have no row.
    """

    fragments: list[str]
    ids: dict[str, int]
    failed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Job:
    """What every worker needs to know.

    Attributes:
        library: The library's folder, a path or a URI.
        model: Name of a bundled model, or path of a model package, which every machine must have.
        fingerprint: Identity of the embedding space that the library has.
        folders: The library's folders.
        describes: Whether photos are not embedded: words and colors are added to the rows that they have.
    """

    library: str
    model: str
    fingerprint: str
    folders: tuple[str, ...] = ()
    describes: bool = False

    def encoder(self) -> Encoder:
        """Return the encoder.

        Raises:
            ModelMismatchError: This machine has another model under the name.
        """
        package = load_model_package(self.model)
        if package.manifest.fingerprint != self.fingerprint:
            raise ModelMismatchError(
                f"a machine has another model {self.model} ({package.manifest.fingerprint}).",
                subject=self.library,
                remedy="Install the same version of the model on every machine.",
            )
        return Encoder(package, threads=1)


@cache
def _encoder(job: Job) -> Encoder:
    return job.encoder()


def embed_block(job: Job, tasks: Sequence[Task], stopped: Callable[[], bool] = lambda: False) -> Written:
    """Read, decode and embed photos, and write their rows. What cannot be read becomes a row with a reason.

    Args:
        job: The library and its model, and what is done.
        tasks: The photos.
        stopped: Asked between batches; once it is true, the rest is left out.
    """
    return (_describe_block if job.describes else _embed_block)(job, tasks, stopped)


def _embed_block(job: Job, tasks: Sequence[Task], stopped: Callable[[], bool]) -> Written:
    encoder = _encoder(job)
    rows: list[dict[str, Any]] = []
    gone: list[str] = []
    with (
        PhotoReader(encoder.manifest.photo.size) as reader,
        ThreadPoolExecutor(READERS, thread_name_prefix="sketchseek-read") as readers,
    ):
        for start in range(0, len(tasks), BATCH):
            if stopped():
                break
            batch = tasks[start : start + BATCH]
            pixels: list[npt.NDArray[np.uint8]] = []
            decoded: list[dict[str, Any]] = []
            for task, fetched in zip(batch, readers.map(_fetch, batch), strict=True):
                row, image = _decode(reader, job, task, fetched)
                if row is None:
                    gone.append(task.path)
                    continue
                rows.append(row)
                if image is not None:
                    pixels.append(image)
                    decoded.append(row)
            if decoded:
                for row, embedding in zip(decoded, encoder.encode_photo_pixels(np.stack(pixels)), strict=True):
                    _set_embedding(row, embedding.astype(np.float16))
    fragments = _write(job, rows, encoder.manifest.dimensions)
    failed = [row["path"] for row in rows if row["reason"] is not None]
    return Written(fragments, {row["path"]: row["id"] for row in rows}, failed, gone)


def _fetch(task: Task) -> tuple[bytes, Found] | Exception:
    try:
        member = Member.parse(task.version)
        if member is None:
            data, found = read(task.path)
            return data, replace(found, source=task.source)
        data = read_member(task.path, member)
        return data, replace(task, size=len(data))
    except (OSError, InputError, StorageError, MemoryError) as error:
        return error


def _decode(
    reader: PhotoReader, job: Job, task: Task, fetched: tuple[bytes, Found] | Exception
) -> tuple[dict[str, Any] | None, npt.NDArray[np.uint8] | None]:
    """Return the row of a photo without its embedding, and its pixels; no row if it is gone."""
    if isinstance(fetched, FileNotFoundError):
        return None, None
    if isinstance(fetched, (StorageError, OSError)):
        # The disk or the network failed, not the photo. Without size and version, the next run tries it again.
        reason = fetched.reason if isinstance(fetched, StorageError) else fetched.strerror or type(fetched).__name__
        return failure_row(task.id, Found(task.path, -1, -1, source=task.source), reason.rstrip(".")), None
    if isinstance(fetched, Exception):
        reason = fetched.reason if isinstance(fetched, InputError) else "not enough memory to read it"
        return failure_row(task.id, task, reason), None
    data, found = fetched
    try:
        photo = reader.read(data)
    except ImageError as error:
        return failure_row(task.id, found, error.reason), None
    except MemoryError:
        return failure_row(task.id, found, "not enough memory to decode it"), None
    row = _row(task.id, found)
    row |= {"digest": hashlib.sha256(data).digest(), "width": photo.width, "height": photo.height}
    description = Description(photo.metadata, signature_of(photo.pixels))
    row |= description_columns(found.path, job.folders, description)
    row["picture_hash"] = picture_hash(photo.pixels)
    return row, photo.pixels


def _describe_block(job: Job, tasks: Sequence[Task], stopped: Callable[[], bool]) -> Written:
    """Read photos that were embedded before, and write their rows with words and colors.

    What cannot be read now, or is not what was embedded, is left out: a later run does it.
    """
    snapshot = Table(job.library).latest()
    listed = ", ".join(str(task.id) for task in tasks)
    found = snapshot.rows([*FACTS, "embedding"], f"{IS_UNDESCRIBED} AND id IN ({listed})").to_pylist()
    known = {row["id"]: row for row in found}
    rows = []
    with (
        PhotoReader(SIZE) as reader,
        ThreadPoolExecutor(READERS, thread_name_prefix="sketchseek-read") as readers,
    ):
        for start in range(0, len(tasks), BATCH):
            if stopped():
                break
            batch = tasks[start : start + BATCH]
            for task, fetched in zip(batch, readers.map(_fetch, batch), strict=True):
                if task.id not in known or isinstance(fetched, Exception):
                    continue
                row, data = known[task.id], fetched[0]
                if hashlib.sha256(data).digest() == row["digest"]:
                    row["embedding"] = np.array(row["embedding"], np.float16)
                    rows.append(row | _described(reader, job, row, data))
    return Written(_write(job, rows, snapshot.state.dimensions), {row["path"]: row["id"] for row in rows})


def _described(reader: PhotoReader, job: Job, row: dict[str, Any], data: bytes) -> dict[str, Any]:
    """Return the columns that a row lacks. If the photo cannot be decoded now, only its path can be searched."""
    try:
        photo = reader.read(data)
    except (ImageError, MemoryError):
        return description_columns(row["path"], job.folders, Description(PhotoMetadata()))
    description = Description(photo.metadata, signature_of(photo.pixels))
    columns = description_columns(row["path"], job.folders, description)
    return columns | {"picture_hash": row["picture_hash"] or picture_hash(photo.pixels)}


def _row(photo: int, found: Found) -> dict[str, Any]:
    return {
        "id": photo,
        "path": found.path,
        "folder": folder_of(found.path),
        "size": found.size,
        "mtime_ns": found.mtime_ns,
        "version": found.version,
        "source": found.source or None,
        "added": time.time(),
        "embedding": None,
        "reason": None,
    }


def failure_row(photo: int, found: Found, reason: str) -> dict[str, Any]:
    """Return the row of a file that could not be read."""
    return _row(photo, found) | {"reason": reason.encode(errors="replace").decode()}


def folder_of(path: str) -> str:
    """Return the folder of a path or URI."""
    return path.rpartition("/")[0] or "/"


def _set_embedding(row: dict[str, Any], embedding: npt.NDArray[np.float16]) -> None:
    if np.isfinite(embedding).all():
        row["embedding"] = embedding
    else:
        row["reason"] = "the model returned an embedding that is not finite"


def _write(job: Job, rows: list[dict[str, Any]], dimension: int) -> list[str]:
    import pyarrow as pa

    return Table(job.library).write_rows(pa.Table.from_pylist(rows, schema=schema(dimension))) if rows else []
