"""Paths in the case that the disk has.

File systems of macOS and Windows find ``Pictures`` under the name ``pictures``, too. The catalog compares paths by
their bytes, so a photo must have one path, however the user typed it.
"""

from __future__ import annotations

import os

from sketchseek.search.catalog.folder_text import fold


def on_disk(path: bytes) -> bytes:
    """Return an absolute path in which each name is as its folder lists it.

    Names that are not there, or whose folder cannot be listed, stay; so does the case of a path on a file system that
    does not ignore case.
    """
    head, name = os.path.split(path)
    if not name or head == path:
        return path
    folder = on_disk(head)
    return os.path.join(folder, _listed_name(folder, name))  # noqa: PTH118  on bytes


def same_but_for_case(path: bytes, other: bytes) -> bool:
    """Return whether two paths differ in case, or in the form of their accents, at most."""
    return fold(os.fsdecode(path)) == fold(os.fsdecode(other))


def _listed_name(folder: bytes, name: bytes) -> bytes:
    try:
        wanted = os.lstat(os.path.join(folder, name))  # noqa: PTH118
        names = os.listdir(folder)  # noqa: PTH208  on bytes
        if name in names:
            return name
        for other in names:
            if same_but_for_case(name, other) and os.path.samestat(
                wanted,
                os.lstat(os.path.join(folder, other)),  # noqa: PTH118
            ):
                return other
    except (OSError, ValueError):  # ValueError: a NUL in the name
        pass
    return name
