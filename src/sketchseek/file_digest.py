"""Checksums of files."""

from __future__ import annotations

import hashlib
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
