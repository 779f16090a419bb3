"""Paths of objects in object storage, for results of libraries whose photos are there."""

from __future__ import annotations

from pathlib import Path, PurePosixPath


class ObjectPath(PurePosixPath):
    """The path of an object, such as ``s3://bucket/photos/a.jpg``.

    It has the names and parents of a path, but no file: read the photo with ``Library.photo_bytes``. A photo inside a
    tar or Parquet file has one, too.
    """

    def __str__(self) -> str:
        text = super().__str__()
        return text if text.startswith("/") else text.replace(":/", "://", 1)


PhotoPath = Path | ObjectPath
"""Where a photo is: a file, or an object in object storage."""


def is_uri(path: object) -> bool:
    """Return whether a path is a URI, such as ``s3://bucket/photos`` or ``file:///photos``."""
    scheme, separator, _ = str(path).partition("://")
    return bool(separator) and scheme.replace("+", "").isalnum()


def photo_path(text: str) -> PhotoPath:
    """Return a path from text that may be a URI."""
    return ObjectPath(text) if is_uri(text) else Path(text)
