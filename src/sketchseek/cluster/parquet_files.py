"""Photos in Parquet files: a column of pictures, or of the URIs of pictures."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from sketchseek.cluster.members import NEIGHBORS, ContainerFile, Member, changed, version_of
from sketchseek.cluster.storage import Found, head
from sketchseek.errors import InputError
from sketchseek.search.object_path import is_uri

PICTURES = ("image", "img", "jpg", "jpeg", "png", "webp", "bytes", "image_bytes", "content", "data")
URIS = ("uri", "url", "path", "key", "file", "filename", "image_path", "image")
"""Names of columns, the best first. Where no column has one of them, a single column of the type is taken."""

_lock = threading.Lock()  # the readers of a batch want the same row group: one reads it


def column_of(schema: Any, path: str) -> tuple[str, bool]:
    """Return the column with pictures, or else URIs, of an Arrow schema, and whether it has pictures.

    Raises:
        InputError: There is none, or more than one that could be meant.
    """
    import pyarrow.types as types

    def has_bytes(kind: Any) -> bool:
        if types.is_struct(kind):  # {bytes, path}, as Hugging Face's data sets have it
            return any(field.name == "bytes" and has_bytes(field.type) for field in kind)
        return bool(types.is_binary(kind) or types.is_large_binary(kind))

    pictures = [field.name for field in schema if has_bytes(field.type)]
    uris = [one.name for one in schema if types.is_string(one.type) or types.is_large_string(one.type)]
    for columns, known in ((pictures, PICTURES), (uris, URIS)):
        chosen = [column for name in known for column in columns if column.lower() == name]
        chosen += columns if len(columns) == 1 else []
        if chosen:
            return chosen[0], columns is pictures
    raise InputError(
        f"none of its columns is known to have pictures or URIs ({', '.join(schema.names)}); name one image or uri",
        subject=path,
    )


@lru_cache(maxsize=4)
def _open(container: Found) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(
            pa.PythonFile(ContainerFile(container), "r") if is_uri(container.path) else container.path
        )
    except pa.ArrowInvalid as error:
        raise InputError("it is no Parquet file, or damaged", subject=container.path) from error


def list_parquet(container: Found) -> Iterator[Found | str]:
    """Yield the photos in a Parquet file, or the URIs that it has.

    Raises:
        FileNotFoundError: It is gone.
        InputError: It is no Parquet file, is damaged, or has no column with photos.
        OSError, StorageError: It cannot be read.
    """
    with _lock:
        file = _open(container)
    column, has_pictures = column_of(file.schema_arrow, container.path)
    total = file.metadata.num_rows
    number = 0
    for group in range(file.num_row_groups):
        if not has_pictures:
            for uri in _read(container, group, column).to_pylist():
                yield uri or ""
            continue
        for row in range(file.metadata.row_group(group).num_rows):
            yield Found(
                f"{container.path}/{number:08}",
                -1,
                container.mtime_ns,
                Member("parquet", len(container.path), (group, row), total, version_of(container)).text(),
                block=f"{container.path} {group} {row // NEIGHBORS}",
            )
            number += 1


def _read(container: Found, group: int, column: str) -> Any:
    import pyarrow as pa

    try:
        return _open(container).read_row_group(group, columns=[column], use_threads=False)[column].combine_chunks()
    except pa.ArrowException as error:
        raise InputError("a part of the Parquet file is damaged", subject=container.path) from error


@lru_cache(maxsize=2)
def _pictures(container: Found, group: int) -> Any:
    import pyarrow.types as types

    values = _read(container, group, column_of(_open(container).schema_arrow, container.path)[0])
    return values.field("bytes") if types.is_struct(values.type) else values


def read_parquet_member(path: str, member: Member) -> bytes:
    """Read a photo of a Parquet file. See ``embedding.read``."""
    found = head(path[: member.prefix])
    if version_of(found) != member.version:
        raise changed(path)
    group, row = member.position
    with _lock:
        value = _pictures(found, group)[row].as_py()
    if value is None:
        raise InputError("the row has no picture", subject=path)
    return bytes(value)
