"""One writer at a time, among processes. Readers never take the lock."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path
from types import TracebackType

from sketchseek.errors import LibraryError, LibraryLockedError

FILE = "writer.lock"
_BYTE = 1 << 20  # Windows locks a range of bytes, and what is locked cannot be read: lock one far behind the pid
_TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)


class WriterLock:
    """A lock on a library's folder that the system drops when its process ends, however it ends.

    Args:
        folder: The library's folder.

    Raises:
        LibraryLockedError: On entering, another process (or another ``Library`` in this one) holds it.
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
                remedy="Choose another folder for the library, or open it with readonly=True to search only.",
            ) from error
        try:
            _lock(file)
        except OSError as error:
            pid = os.read(file, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(file)
            if error.errno not in _TAKEN:
                raise LibraryError(
                    f"its file system cannot lock files ({error.strerror}).",
                    subject=self._folder,
                    remedy="Keep the library on a disk of this machine; its photos may be anywhere.",
                ) from error
            raise LibraryLockedError(
                f"process {pid} is writing to it.",
                subject=self._folder,
                remedy="Wait until it has finished, or stop it; searching works meanwhile.",
            ) from error
        self._file = file
        with contextlib.suppress(OSError):  # a full disk: others are then not told which process it is
            os.ftruncate(file, 0)
            os.write(file, f"{os.getpid()}\n".encode())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The file stays: deleting it would let two processes lock two files of the same name.
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
        os.close(self._file)
        self._file = -1


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        os.lseek(file, _BYTE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
