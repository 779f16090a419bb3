"""Unpacks ZIP and tar archives that may be hostile: only regular files, only below the folder, only so many bytes."""

from __future__ import annotations

import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from sketchseek.errors import InputError
from sketchseek.progress import Progress, ignore_progress

MAX_FILES = 2_000_000
_CHUNK = 1 << 20
_DRIVE = re.compile(r"[A-Za-z]:")

# What zipfile raises for damaged archives. Its documentation promises BadZipFile only.
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    NotImplementedError,  # an unknown method of compression
    RuntimeError,  # encrypted
    EOFError,
    ValueError,
    IndexError,
    KeyError,
    OverflowError,
)
_DAMAGED = (*ZIP_ERRORS, tarfile.TarError, lzma.LZMAError)


class _UnsafeError(Exception):
    """The archive holds something that is not unpacked."""


def unpack(archive: Path, folder: Path, *, max_bytes: int, progress: Progress = ignore_progress) -> int:
    """Unpack an archive into an empty folder; returns the number of files.

    Links, devices and folders without files are left out.

    Args:
        archive: A ZIP, or a tar with or without compression.
        folder: Where to; it must exist.
        max_bytes: Maximum number of bytes of all files.
        progress: Called with ``unpack``, the bytes done and 0.

    Raises:
        InputError: The archive is damaged, is no archive, names a file outside the folder or names one twice, or holds
            too much. What was unpacked before stays: unpack into a folder that is deleted then.
        OSError: A file cannot be written.
    """
    room, files = max_bytes, 0
    with _refusals(archive):
        for name, reader in _members(archive):
            target = folder / _safe(name)
            files += 1
            if files > MAX_FILES:
                raise _UnsafeError(f"it holds more than {MAX_FILES:,} files")
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as writer:
                while chunk := reader.read(_CHUNK):
                    room -= len(chunk)
                    if room < 0:
                        raise _UnsafeError(f"it unpacks to more than {max_bytes:,} bytes")
                    writer.write(chunk)
            progress("unpack", max_bytes - room, 0)
    return files


@contextmanager
def _refusals(archive: Path) -> Iterator[None]:
    """Raise InputError for whatever is wrong with the archive."""
    try:
        yield
    except FileExistsError as error:
        raise _refused(archive, f"it names {error.filename} twice") from error
    except _UnsafeError as error:
        raise _refused(archive, str(error)) from error
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk; gzip and bz2 raise it without a number
            raise
        raise InputError(f"damaged ({error}).", subject=archive, remedy="Download it again.") from error


def _refused(archive: Path, reason: str) -> InputError:
    return InputError(f"not unpacked: {reason}.", subject=archive, remedy="Do not use this archive.")


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and content of each regular file."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for item in zipped.infolist():
                if not item.is_dir() and not _is_link(item):
                    with zipped.open(item) as reader:
                        yield item.filename, reader
        return
    with tarfile.open(archive) as tarred:
        for member in tarred:
            if member.isreg():
                opened = tarred.extractfile(member)
                assert opened is not None
                yield member.name, opened


def _is_link(item: zipfile.ZipInfo) -> bool:
    return (item.external_attr >> 16) & 0o170000 == 0o120000


def _safe(name: str) -> Path:
    """A member's path below the folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or _DRIVE.match(name) or "\0" in name:
        raise _UnsafeError(f"it names {name!r}, which is outside the folder")
    return Path(*path.parts)
