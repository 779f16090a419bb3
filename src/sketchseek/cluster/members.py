"""Photos inside larger files: where they are, and reading a part of a file or an object.

A photo's path is that of its container with its name below it, such as ``s3://bucket/000.tar/cat.jpg``. The
``version`` of its row is a ``Member``: where its bytes are, and in which version of the container.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from sketchseek.cluster.storage import Found, bucket_store, head, split, storage_errors
from sketchseek.errors import StorageError
from sketchseek.search.object_path import is_uri

Kind = Literal["tar", "parquet"]

NEIGHBORS = 1024
"""Photos of a container that one worker reads."""


@dataclass(frozen=True)
class Member:
    """Where a photo is in its container.

    Attributes:
        kind: Of the container.
        prefix: Length of the container's path, with which the photo's path begins.
        position: Offset and length in a tar; row group, and row in it, of a Parquet file.
        total: Number of photos in the container.
        version: The container's.
    """

    kind: Kind
    prefix: int
    position: tuple[int, int]
    total: int
    version: str

    def text(self) -> str:
        """Return it as the ``version`` of a row."""
        return f"{self.kind}:{self.prefix}:{self.position[0]}:{self.position[1]}:{self.total}:{self.version}"

    @classmethod
    def parse(cls, version: str | None) -> Member | None:
        """Return it from the ``version`` of a row, or None if that is the version of a file or an object."""
        parts = (version or "").split(":", 5)
        if parts[0] not in get_args(Kind) or len(parts) < 6 or not all(part.isdigit() for part in parts[1:5]):
            return None
        prefix, first, second, total = map(int, parts[1:5])
        return cls(cast(Kind, parts[0]), prefix, (first, second), total, parts[5])


def version_of(container: Found) -> str:
    """Return what tells the versions of a container apart."""
    return container.version or f"{container.size}-{container.mtime_ns}"


def changed(path: str) -> StorageError:
    """Return the error of a container that is not what it was when it was listed."""
    return StorageError("its container has changed.", subject=path, remedy="Run sketchseek sync.")


def read_range(container: str, start: int, length: int, version: str) -> bytes:
    """Read a part of a container.

    Raises:
        FileNotFoundError: It is gone.
        OSError, StorageError: It cannot be read, or has another version.
    """
    if not is_uri(container):
        if version_of(head(container)) != version:
            raise changed(container)
        with Path(container).open("rb") as file:
            file.seek(start)
            return file.read(length)
    import obstore

    bucket, key = split(container)
    options: Any = {"range": (start, start + length), "if_match": version}
    gone = False
    with storage_errors(container):
        try:
            return bytes(obstore.get(bucket_store(bucket), key, options=options).bytes())
        except FileNotFoundError:
            gone = True
        except Exception as error:
            if type(error).__name__ == "PreconditionError":
                raise changed(container) from None
            raise
    assert gone
    raise FileNotFoundError(container)


class ContainerFile(io.RawIOBase):
    """A container as a file that can be read at any position."""

    def __init__(self, container: Found) -> None:
        self._container = container
        self._at = 0

    def readable(self) -> bool:
        """See ``io.RawIOBase``."""
        return True

    def seekable(self) -> bool:
        """See ``io.RawIOBase``."""
        return True

    def tell(self) -> int:
        """See ``io.RawIOBase``."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See ``io.RawIOBase``."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._container.size}[whence]
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        """See ``io.RawIOBase``."""
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self._container.size - self._at))
        if count:
            read = read_range(self._container.path, self._at, count, version_of(self._container))
            count = len(read)
            view[:count] = read
        self._at += count
        return count
