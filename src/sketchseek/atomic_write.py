"""Writing a file so that readers and crashes never meet half of it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SUFFIX = ".part"
"""Suffix of files that are being written."""


@contextmanager
def atomic_path(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; when the block ends, flush that file to disk and rename it to ``path``.

    If the block raises, the temporary file is deleted and ``path`` stays as it was.

    Args:
        path: The file to create or replace. Its folder must exist.
        durable: Flush to disk, so that the file survives a power cut. Caches can do without.

    Raises:
        OSError: The folder cannot be written, or the disk is full.
    """
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}{SUFFIX}")
    try:
        yield aside
        if durable:
            _sync(aside)
        aside.replace(path)
    except BaseException:
        with suppress(OSError):
            aside.unlink()
        raise
    if durable:
        _sync(path.parent)


def atomic_write(path: Path, data: bytes | str, *, durable: bool = True) -> None:
    """Create or replace a file with bytes, or with text as UTF-8. See ``atomic_path``."""
    with atomic_path(path, durable=durable) as aside:
        aside.write_bytes(data.encode() if isinstance(data, str) else data)


def make_folders(folder: Path) -> None:
    """Create a folder and its parents, and flush their names to disk: a file in a lost folder is lost too."""
    missing = []
    parent = folder.absolute()
    while not parent.exists() and parent != parent.parent:
        missing.append(parent)
        parent = parent.parent
    folder.mkdir(parents=True, exist_ok=True)
    for made in reversed(missing):
        _sync(made.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder's list of names to disk: files that were created, renamed or deleted in it."""
    _sync(folder)


def sync_tree(folder: Path) -> None:
    """Flush a folder's files and the folder itself to disk. Subfolders are not visited."""
    for file in folder.iterdir():
        if file.is_file():
            _sync(file)
    _sync(folder)


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return
    file = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(file)
    finally:
        os.close(file)
