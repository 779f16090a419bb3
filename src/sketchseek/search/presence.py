"""Whether a file is there. A disk or a network that fails is an error, not a no.

``Path.exists`` and its like say no to any error from Python 3.14 on. A new library would be started over one that
cannot be reached for a moment.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

DISK_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})

CHECK_DISK = "Check the disk, or the connection to it, and run the command again: what was committed is kept."
"""Remedy for a library whose files cannot be read or written for another reason than a full disk."""


def is_there(path: Path) -> bool:
    """Return whether a path exists.

    Raises:
        OSError: It cannot be said.
        ValueError: The path has a NUL.
    """
    try:
        os.stat(path)  # noqa: PTH116  Path.stat is the same, and what this replaces
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def remedy_for(error: OSError) -> str:
    """Return what to do about an error of reading or writing a library's files."""
    if error.errno in DISK_FULL:
        return "Free some space on the disk, and run the command again."
    if isinstance(error, PermissionError):
        return "Check the permissions of the library's folder."
    return CHECK_DISK
