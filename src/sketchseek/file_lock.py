"""Locks on files, across processes. The system releases them when a process ends, however it ends."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)
"""Errors that mean that somebody else holds the lock."""

_BYTE = 1 << 20  # Windows locks a range of bytes, which nobody else can read: lock one far behind the content

if sys.platform == "win32":
    import msvcrt

    def lock_file(file: int) -> None:
        """Lock an open file without waiting.

        Raises:
            OSError: It is locked (``TAKEN``), or its file system has no locks.
        """
        os.lseek(file, _BYTE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)

else:
    import fcntl

    def lock_file(file: int) -> None:
        """Lock an open file without waiting.

        Raises:
            OSError: It is locked (``TAKEN``), or its file system has no locks.
        """
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Lock a file, creating it if it is missing; yield whether that worked. The lock ends with the block.

    Raises:
        OSError: The file cannot be opened.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            lock_file(file)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(file)
