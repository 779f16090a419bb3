"""Checksums of files, and reading files that may not be what they should be."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Return a file's checksum as hexadecimal digits. The file is read a little at a time.

    Args:
        path: The file.
        algorithm: Name of an algorithm of ``hashlib``.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def open_regular(path: Path) -> int:
    """Open a file for reading and return its descriptor; refuse devices, pipes and folders, which may never end.

    Raises:
        OSError: It cannot be opened.
        ValueError: It is not a regular file.
    """
    # O_NONBLOCK: opening a pipe must not wait for a writer.
    file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    raise ValueError("it is not a regular file")


def read_at_most(path: Path, limit: int) -> bytes:
    """Return a regular file's bytes.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not a regular file, or has more bytes than the limit.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        # The size first: a sparse file of terabytes must not be read up to the limit.
        if os.fstat(file.fileno()).st_size > limit:
            raise ValueError(f"it has more than {limit:,} bytes")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"it has more than {limit:,} bytes")
    return data
