"""Finding the photos of folders, on disk and in object storage, by the same rules."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sketchseek.cluster.storage import Found, StorageError, list_objects
from sketchseek.images.formats import SUFFIXES
from sketchseek.search.object_path import is_uri
from sketchseek.search.scan import Found as FoundFile
from sketchseek.search.scan import Unreadable as UnreadableFile
from sketchseek.search.scan import scan
from sketchseek.search.scan_rules import IgnoreRules, ScanRules


@dataclass(frozen=True)
class Unreadable:
    """A folder that could not be listed, or a name that cannot be recorded.

    Attributes:
        path: The folder, as text that can be recorded.
        reason: What happened.
        is_root: Whether it is one of the library's folders: nothing is known about its photos then.
    """

    path: str
    reason: str
    is_root: bool = False


def find_photos(
    folders: Collection[str], *, excluded: Collection[str] = (), rules: ScanRules | None = None
) -> Iterator[Found | Unreadable]:
    """Yield the photos in folders and what could not be read.

    Args:
        folders: Absolute paths, and URIs.
        excluded: Paths and URIs of files and folders to skip.
        rules: Patterns to skip. In object storage, ignore files are not read.
    """
    rules = rules or ScanRules()
    local = [os.fsencode(folder) for folder in folders if not is_uri(folder)]
    skipped = {os.fsencode(path) for path in excluded if not is_uri(path)}
    for item in scan(local, skipped, rules=rules) if local else ():
        if isinstance(item, FoundFile):
            if not _is_picture(os.fsdecode(item.path)):
                continue
            try:
                yield Found(item.path.decode(), item.size, item.mtime_ns)
            except UnicodeDecodeError:
                yield Unreadable(item.path.decode(errors="replace"), "its name is not valid text")
        elif isinstance(item, UnreadableFile):
            yield Unreadable(item.path.decode(errors="replace"), item.reason, is_root=True)
    seen: set[str] = set()
    for folder in folders:
        if is_uri(folder):
            yield from _objects(folder, excluded, rules, seen)


def _objects(folder: str, excluded: Collection[str], rules: ScanRules, seen: set[str]) -> Iterator[Found | Unreadable]:
    hidden = _Hidden(rules)
    try:
        for found in list_objects(folder):
            if found.path in seen or not _is_picture(found.path):
                continue
            seen.add(found.path)
            below = found.path.removeprefix(folder).lstrip("/")
            if any(lies_in(found.path, path) for path in excluded) or hidden(below):
                continue
            if "//" in below or {".", ".."} & set(below.split("/")):
                yield Unreadable(found.path, "its name has an empty part")
            else:
                yield found
    except StorageError as error:
        yield Unreadable(folder, error.reason, is_root=True)


def _is_picture(path: str) -> bool:
    """Whether a name is a picture's. Videos and RAW files, which extras read, are left to libraries in folders."""
    return os.path.splitext(path)[1].lower() in SUFFIXES  # noqa: PTH122  perhaps a URI


class _Hidden:
    """Whether a key is skipped: a part of it starts with a dot, or a pattern matches it or a folder that it is in."""

    def __init__(self, rules: ScanRules) -> None:
        self._rules = IgnoreRules.of(b"/", rules)
        self._folders: dict[str, bool] = {"": False}

    def __call__(self, key: str) -> bool:
        folder, _, name = key.rpartition("/")
        return name.startswith(".") or self._folder(folder) or self._rules.ignores(b"/" + key.encode(), is_folder=False)

    def _folder(self, folder: str) -> bool:
        if folder not in self._folders:
            above, _, name = folder.rpartition("/")
            path = b"/" + folder.encode()
            hidden = name.startswith(".") or self._folder(above) or self._rules.ignores(path, is_folder=True)
            self._folders[folder] = hidden
        return self._folders[folder]


def lies_in(path: str, folder: str) -> bool:
    """Return whether a path or URI is a folder or below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
