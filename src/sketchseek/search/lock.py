"""A lock that admits one writer at a time, across processes. Readers never take it."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from types import TracebackType

from sketchseek.errors import LibraryError, LibraryLockedError
from sketchseek.file_lock import TAKEN, lock_file
from sketchseek.search.presence import remedy_for

FILE = "writer.lock"

_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_GET_ACCESS = "Get write access to this folder, or keep the library in another one. Searching still works."


class WriterLock:
    """A lock on a library's folder. The system releases it when the process ends, however it ends.

    Args:
        folder: The library's folder.

    Raises:
        LibraryLockedError: On entering: another process, or another ``Library`` in this one, holds the lock.
        LibraryError: The folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._folder = folder
        self._file = -1

    def __enter__(self) -> WriterLock:
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise LibraryError(
                f"cannot be written to ({error.strerror}).",
                subject=self._folder,
                remedy=_GET_ACCESS if error.errno in _DENIED else remedy_for(error),
            ) from error
        try:
            lock_file(file)
        except OSError as error:
            pid = _pid_in(file)
            os.close(file)
            if error.errno not in TAKEN:
                raise LibraryError(
                    f"its file system cannot lock files ({error.strerror}).",
                    subject=self._folder,
                    remedy="Keep the library on a local disk; its photos may be anywhere.",
                ) from error
            raise LibraryLockedError(
                f"process {pid} is writing to it.",
                subject=self._folder,
                remedy="Wait until it has finished, or stop it. Searching works meanwhile.",
            ) from error
        self._file = file
        with contextlib.suppress(OSError):  # a full disk: error messages then lack the process id
            os.ftruncate(file, 0)
            os.write(file, f"{os.getpid()}\n".encode())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Keep the file: after deleting it, two processes could lock two files of the same name.
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
        os.close(self._file)
        self._file = -1


def _pid_in(file: int) -> str:
    """Return what the lock's owner wrote about itself."""
    with contextlib.suppress(OSError):
        return os.read(file, 32).decode("ascii", "replace").strip() or "unknown"
    return "unknown"
