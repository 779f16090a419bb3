"""Copying a library between a folder and Lance, with its embeddings, so that nothing is embedded again.

A copy is made in parts, each of which is committed. An interrupted copy is continued by making it again. At the end,
both libraries are compared by checksums of every row.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from sketchseek.cluster.descriptions import description_columns, description_of
from sketchseek.cluster.embedding import failure_row, folder_of
from sketchseek.cluster.state import State
from sketchseek.cluster.storage import Found, normalized
from sketchseek.cluster.table import DESCRIPTION, FACTS, IS_FAILURE, IS_PHOTO, Change, Snapshot, Table, schema
from sketchseek.errors import LibraryError
from sketchseek.models.package import load_model_package
from sketchseek.search.catalog import Catalog, LibraryMetadata, Row
from sketchseek.search.index_mirror import IndexMirror
from sketchseek.search.library import PathLike, is_in_lance
from sketchseek.search.library_model import mismatch
from sketchseek.search.local_library import LocalLibrary
from sketchseek.search.lock import WriterLock
from sketchseek.search.object_path import is_uri, photo_path
from sketchseek.search.results import IndexProgress, ProgressCallback
from sketchseek.search.scan_rules import ScanRules

PART = 2000
"""Photos that are committed at once."""


@dataclass(frozen=True)
class CopyReport:
    """What a copy did.

    Attributes:
        copied: Photos copied.
        present: Photos that an earlier copy had copied.
        failures: Files that could not be indexed, which are copied, too.
        checksum: Of all photos, the same in both libraries.
    """

    copied: int
    present: int
    failures: int
    checksum: str


@dataclass(frozen=True)
class Contents:
    """What a library has besides the rows of its photos: ``paths`` are those of the photos by id."""

    metadata: LibraryMetadata
    folders: tuple[str, ...]
    excluded: tuple[str, ...]
    rules: ScanRules
    failures: tuple[tuple[str, str], ...]
    last_id: int
    paths: dict[int, str]


def copy_library(source: PathLike, target: PathLike, progress: ProgressCallback | None = None) -> CopyReport:
    """Copy a library in a folder to one in Lance, or back, or from Lance to Lance. See ``Library.open`` for paths.

    In Lance, photos keep their ids. Photos themselves are not copied; the new library names the same files.

    Raises:
        LibraryError: The target has other photos, or the source has photos that the target cannot have.
        ModelMismatchError: The target exists, with another model.
    """
    with open_rows(source) as (rows, contents):
        return _copy(rows, contents, target, progress or (lambda _: None))


@contextmanager
def open_rows(library: PathLike) -> Iterator[tuple[Iterator[dict[str, Any]], Contents]]:
    """Yield the rows of a library's photos, with their embeddings, and what it has besides; both of one revision."""
    if is_in_lance(library):
        snapshot = Table(normalized(library)).latest()
        yield _lance_rows(snapshot), _lance_contents(snapshot)
    else:
        with closing(Catalog(_folder(library))) as catalog, catalog.snapshot():
            yield _catalog_rows(catalog), _catalog_contents(catalog)


def _lance_contents(snapshot: Snapshot) -> Contents:
    state = snapshot.state
    photos = snapshot.rows(["id", "path"], IS_PHOTO).to_pylist()
    failures = snapshot.rows(["path", "reason"], IS_FAILURE).to_pylist()
    return Contents(
        metadata=snapshot.metadata,
        folders=state.folders,
        excluded=state.excluded,
        rules=state.rules,
        failures=tuple((row["path"], row["reason"]) for row in failures),
        last_id=state.next_id - 1,
        paths={row["id"]: row["path"] for row in photos},
    )


def _catalog_contents(catalog: Catalog) -> Contents:
    return Contents(
        metadata=catalog.metadata(),
        folders=tuple(map(_text, catalog.roots())),
        excluded=tuple(map(_text, catalog.excluded())),
        rules=catalog.scan_rules(),
        failures=tuple((_text(os.fsencode(one.path)), one.reason) for one in catalog.failures()),
        last_id=catalog.state().last_id,
        paths={photo: _text(path) for photo, path in catalog.paths().items()},
    )


def _copy(
    rows: Iterator[dict[str, Any]], contents: Contents, target: PathLike, progress: ProgressCallback
) -> CopyReport:
    checksum, written = _Checksum(), _Checksum()
    counted = checksum.of(rows)
    if is_in_lance(target):
        table = Table(normalized(target))
        copied = _to_lance(counted, contents, table, progress)
        written.add(_lance_rows(table.latest()))
    else:
        copied = _to_folder(counted, contents, _folder(target), progress)
        with closing(Catalog(_folder(target))) as catalog:
            written.add(_catalog_rows(catalog))
    if written.value != checksum.value:
        raise LibraryError("the copy differs from its source.", subject=target, remedy="Delete it, and copy again.")
    return CopyReport(copied, len(contents.paths) - copied, len(contents.failures), checksum.value)


class _Checksum:
    """A checksum of rows that does not depend on their order or their ids."""

    def __init__(self) -> None:
        self._sum = 0

    def of(self, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield rows, and add them."""
        for row in rows:
            digest = hashlib.sha256()
            described = description_of(row)
            texts = () if described is None else (*astuple(described.metadata),)
            values = (row["path"].encode(), row["digest"], row["embedding"].tobytes(), *map(str.encode, texts))
            for value in (*values, b"" if described is None else described.colors):
                digest.update(len(value).to_bytes(8, "big") + value)
            for number in ("size", "mtime_ns", "width", "height"):
                digest.update(row[number].to_bytes(8, "big", signed=True))
            self._sum = (self._sum + int.from_bytes(digest.digest(), "big")) % 2**256
            yield row

    def add(self, rows: Iterator[dict[str, Any]]) -> None:
        """Add rows."""
        for _ in self.of(rows):
            pass

    @property
    def value(self) -> str:
        """The checksum so far."""
        return f"{self._sum:064x}"


def _catalog_rows(catalog: Catalog) -> Iterator[dict[str, Any]]:
    """Yield the rows of a catalog, each compared with its checksums."""
    folders = [*map(_text, catalog.roots())]
    for photo in catalog.ids().tolist():
        row = catalog.row(photo)
        assert row is not None
        path = _text(row.path)
        added = catalog.photos([photo])[photo].added
        description = catalog.description_of(photo)
        words = {} if description is None else description_columns(path, folders, description)
        yield words | {
            "id": photo,
            "path": path,
            "folder": folder_of(path),
            "size": row.size,
            "mtime_ns": row.mtime_ns,
            "version": "",
            "digest": row.digest,
            "width": row.width,
            "height": row.height,
            "added": added,
            "picture_hash": b"" if description is None else description.picture_hash,
            "embedding": np.frombuffer(row.embedding, np.float16),
        }


def _lance_rows(snapshot: Snapshot) -> Iterator[dict[str, Any]]:
    columns = [*FACTS, "embedding", *(DESCRIPTION if snapshot.has_descriptions else ())]
    for batch in snapshot.dataset.scanner(columns=columns, filter=IS_PHOTO).to_batches():
        for row in batch.to_pylist():
            yield row | {"embedding": np.array(row["embedding"], np.float16)}


def _to_lance(rows: Iterator[dict[str, Any]], contents: Contents, table: Table, progress: ProgressCallback) -> int:
    import pyarrow as pa

    table.create(State.new(contents.metadata))
    table.add_columns()
    snapshot = table.latest()
    if snapshot.state.fingerprint != contents.metadata.fingerprint:
        raise mismatch(photo_path(table.library), snapshot.metadata, load_model_package(contents.metadata.model))
    there = snapshot.rows(["id", "path"], IS_PHOTO).to_pylist()
    if any(contents.paths.get(row["id"]) != row["path"] for row in there):
        raise _other_photos(table.library)
    known = {row["id"] for row in there}
    copied = done = 0
    while part := list(islice(rows, PART)):
        new = [row for row in part if row["id"] not in known]
        if new:
            fragments = table.write_rows(pa.Table.from_pylist(new, schema=schema(contents.metadata.dimensions)))

            def change(one: Snapshot, fragments: Sequence[str] = fragments) -> Change:
                return Change(replace(one.state, next_id=max(one.state.next_id, contents.last_id + 1)), fragments)

            table.commit(change)
        copied, done = copied + len(new), done + len(part)
        progress(IndexProgress("embed", done, len(contents.paths), copied))
    table.commit(lambda one: _finish(one, contents, table))
    return copied


def _finish(snapshot: Snapshot, contents: Contents, table: Table) -> Change:
    """Return the change that ends a copy: the failures, and what the library has besides photos."""
    import pyarrow as pa

    first = max(snapshot.state.next_id, contents.last_id + 1)
    failed = [
        failure_row(first + number, Found(path, -1, -1), reason)
        for number, (path, reason) in enumerate(contents.failures)
    ]
    state = replace(
        snapshot.state,
        folders=contents.folders,
        excluded=contents.excluded,
        exclude=contents.rules.exclude,
        follow_symlinks=contents.rules.follow_symlinks,
        hidden=contents.rules.hidden,
        next_id=first + len(failed),
    )
    old = snapshot.rows(["id"], IS_FAILURE)["id"].to_pylist()
    new = table.write_rows(pa.Table.from_pylist(failed, schema=schema(state.dimensions))) if failed else ()
    return Change(state, new, old)


def _to_folder(rows: Iterator[dict[str, Any]], contents: Contents, folder: Path, progress: ProgressCallback) -> int:
    LocalLibrary.open(folder, contents.metadata.model, create=True).close()
    copied = done = 0
    with WriterLock(folder), closing(Catalog(folder, write=True)) as catalog:
        if {*map(_text, catalog.paths().values())} - {*contents.paths.values()}:
            raise _other_photos(folder)
        with catalog.transaction():  # the words of a photo's folders count from them on
            catalog.set_roots(map(os.fsencode, contents.folders), map(os.fsencode, contents.excluded))
        while part := list(islice(rows, PART)):
            with catalog.transaction():
                copied += sum(_add(catalog, row, folder) for row in part)
            done += len(part)
            progress(IndexProgress("embed", done, len(contents.paths), copied))
        with catalog.transaction():
            catalog.set_scan_rules(contents.rules)
            for path, reason in contents.failures:
                catalog.fail(os.fsencode(path), reason)
        IndexMirror.of(folder, catalog.metadata()).save(catalog)
    return copied


def _add(catalog: Catalog, row: dict[str, Any], folder: Path) -> bool:
    """Add a photo unless it is there; return whether it was added."""
    if is_uri(row["path"]) or row.get("source"):
        raise LibraryError(
            "a library in a folder cannot have photos in object storage, tar or Parquet files, or from a list, such as "
            f"{row['path']}.",
            subject=folder,
        )
    path = os.fsencode(row["path"])
    if catalog.id_of(path, row["digest"]) is not None:
        return False
    facts = (path, row["size"], row["mtime_ns"], row["digest"], row["width"], row["height"])
    catalog.add(Row(*facts, row["embedding"].tobytes(), description_of(row)))
    return True


def _text(path: bytes) -> str:
    try:
        return path.decode()
    except UnicodeDecodeError as error:
        raise LibraryError(
            "a library in Lance cannot have a path that is not valid text.",
            subject=os.fsdecode(path).encode(errors="replace").decode(),
            remedy="Rename it and sync, or remove it from the library.",
        ) from error


def _other_photos(target: object) -> LibraryError:
    return LibraryError("it has other photos, too.", subject=target, remedy="Copy to a new library.")


def _folder(path: PathLike) -> Path:
    return Path(os.path.expanduser(path))  # noqa: PTH111  Path.expanduser raises if there is no such user
