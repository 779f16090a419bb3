"""Scanning folders for images.

Paths are bytes here and in the catalog, since file names need not be valid text.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sketchseek.errors import InputError
from sketchseek.image_formats import SUFFIXES
from sketchseek.images import shown_name

_SUFFIXES = frozenset(os.fsencode(suffix) for suffix in SUFFIXES)
SEPARATOR = os.fsencode(os.sep)
_INT64 = 2**63


@dataclass(frozen=True)
class Found:
    """A file with an image's suffix."""

    path: bytes
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Unreadable:
    """A folder or file that could not be read."""

    path: bytes
    reason: str


def absolute(path: str | bytes | os.PathLike[str]) -> bytes:
    """Return an absolute path as bytes, without ``..``. Symbolic links stay, since users know their folders by them.

    Raises:
        InputError: The path has characters that no path can have.
    """
    try:
        return os.path.abspath(os.fsencode(path))  # noqa: PTH100  Path.resolve follows links
    except UnicodeEncodeError as error:
        raise InputError("not the name of a file.", subject=shown_name(os.fspath(path))) from error


def from_user(path: str | os.PathLike[str]) -> bytes:
    """Return an absolute path with a leading ``~`` expanded, or kept as part of a name if there is no such user."""
    return absolute(os.path.expanduser(path))  # noqa: PTH111  Path.expanduser raises if there is no such user


def file_time(status: os.stat_result) -> int:
    """Return a file's modification time in nanoseconds since 1970, clipped to SQLite's range: 1677 to 2262."""
    return max(-_INT64, min(_INT64 - 1, status.st_mtime_ns))


def lies_in(path: bytes, folder: bytes) -> bool:
    """Return whether a path is a folder or below it."""
    return path == folder or path.startswith(folder.rstrip(SEPARATOR) + SEPARATOR)


def without_nested(folders: Sequence[bytes]) -> list[bytes]:
    """Return the folders that do not lie in another one of them."""
    every = set(folders)
    return sorted(folder for folder in every if every.isdisjoint(parents(folder)))


def parents(path: bytes) -> Iterator[bytes]:
    """Yield the folders that a path lies in, innermost first."""
    while (parent := os.path.dirname(path)) != path:  # noqa: PTH120  on bytes
        yield parent
        path = parent


def scan(folders: Iterable[bytes], excluded: Collection[bytes] = ()) -> Iterator[Found | Unreadable]:
    """Find the images in folders and their subfolders, visiting each folder once, in a stable order.

    Hidden files and folders (with a leading dot) are skipped, unless they are named in ``folders``. Symbolic links to
    folders are followed last, and only to folders that were not visited: loops end, and a photo in the folders appears
    under its real path.

    Args:
        folders: Absolute paths of folders, or of single files.
        excluded: Absolute paths of files and folders to skip.
    """
    visited: set[tuple[int, int]] = set()
    links: deque[bytes] = deque()
    for folder in sorted(set(folders)):
        try:
            status = os.stat(folder)  # noqa: PTH116  on bytes
        except OSError as error:
            yield Unreadable(folder, _reason(error))
            continue
        if stat.S_ISDIR(status.st_mode):
            yield from _walk(folder, visited, links, excluded)
        elif stat.S_ISREG(status.st_mode):
            yield Found(folder, status.st_size, file_time(status))
        else:
            yield Unreadable(folder, "neither a file nor a folder")
    while links:
        yield from _walk(links.popleft(), visited, links, excluded)


def _walk(
    folder: bytes, visited: set[tuple[int, int]], links: deque[bytes], excluded: Collection[bytes]
) -> Iterator[Found | Unreadable]:
    stack = [folder]
    while stack:
        here = stack.pop()
        if here in excluded:
            continue
        try:
            status = os.stat(here)  # noqa: PTH116
            identity = (status.st_dev, status.st_ino)
            if identity in visited:
                continue
            visited.add(identity)
            with os.scandir(here) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            yield Unreadable(here, _reason(error))
            continue
        below = []
        for entry in entries:
            if entry.name.startswith(b".") or entry.path in excluded:
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.path)
                elif entry.is_symlink() and entry.is_dir():
                    links.append(entry.path)
                elif is_picture(entry.name) and entry.is_file():
                    status = entry.stat()
                    yield Found(entry.path, status.st_size, file_time(status))
            except OSError as error:
                yield Unreadable(entry.path, _reason(error))
        stack.extend(reversed(below))


def is_picture(name: bytes) -> bool:
    """Return whether a file name has an image's suffix."""
    return os.path.splitext(name)[1].lower() in _SUFFIXES  # noqa: PTH122  on bytes


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
