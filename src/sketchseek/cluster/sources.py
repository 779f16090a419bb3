"""Finding the photos of folders, shards, Parquet files and lists, on disk and in object storage, by the same rules."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import chain
from typing import Literal

from sketchseek.cluster.key_lists import BadEntry, entries, photos_of
from sketchseek.cluster.parquet_files import list_parquet
from sketchseek.cluster.storage import Found, head, list_folder, list_objects, read
from sketchseek.cluster.tar_shards import list_tar
from sketchseek.errors import InputError, SketchseekError, StorageError
from sketchseek.images.formats import has_picture_suffix
from sketchseek.search.object_path import is_uri
from sketchseek.search.scan import Found as FoundFile
from sketchseek.search.scan import Unreadable as UnreadableFile
from sketchseek.search.scan import scan
from sketchseek.search.scan_rules import IgnoreRules, ScanRules

Kind = Literal["folder", "tar", "parquet", "keys"]

NO_TEXT = "its name is not valid text"
EMPTY_PART = "its name has an empty part"

_KINDS: dict[str, Kind] = {
    ".tar": "tar",
    ".parquet": "parquet",
    ".txt": "keys",
    ".jsonl": "keys",
    ".ndjson": "keys",
}


@dataclass(frozen=True)
class Unreadable:
    """What could not be listed or read, or has a name that cannot be recorded.

    Attributes:
        path: The folder, container or photo, as text that can be recorded.
        reason: What happened.
        unlisted: Whether it is a folder, a container or a list, about whose photos nothing is known then.
        source: See ``storage.Found``.
    """

    path: str
    reason: str
    unlisted: bool = False
    source: str = ""


Complete = Callable[[Found], "list[Found] | None"]
"""Returns the photos of a container if the library has all of this version of it, so that it need not be read."""


def find_photos(
    folders: Collection[str],
    *,
    excluded: Collection[str] = (),
    rules: ScanRules | None = None,
    complete: Complete = lambda _: None,
) -> Iterator[Found | Unreadable]:
    """Yield the photos in folders, shards, Parquet files and lists, and what could not be read.

    Args:
        folders: Absolute paths, and URIs; see ``kind_of``.
        excluded: Paths and URIs of files and folders to skip.
        rules: Patterns to skip. In object storage, ignore files are not read.
        complete: See ``Complete``.
    """
    skip = _Skipped(excluded, rules or ScanRules())
    plain = [folder for folder in folders if kind_of(folder) == "folder"]
    yield from _files([folder for folder in plain if not is_uri(folder)], skip)
    seen: set[str] = set()
    for folder in plain:
        if is_uri(folder):
            yield from _objects(folder, skip, seen)
    for source in folders:
        if kind_of(source) != "folder":
            for found in _of_source(source, skip, complete):
                yield replace(found, source=source)


def _files(folders: Collection[str], skip: _Skipped) -> Iterator[Found | Unreadable]:
    excluded = {os.fsencode(path) for path in skip.excluded if not is_uri(path)}
    for item in scan([os.fsencode(folder) for folder in folders], excluded, rules=skip.rules) if folders else ():
        if isinstance(item, FoundFile):
            if not has_picture_suffix(os.fsdecode(item.path)):
                continue
            try:
                yield Found(item.path.decode(), item.size, item.mtime_ns)
            except UnicodeDecodeError:
                yield Unreadable(item.path.decode(errors="replace"), NO_TEXT)
        elif isinstance(item, UnreadableFile):
            yield Unreadable(item.path.decode(errors="replace"), item.reason, unlisted=True)


def kind_of(folder: str) -> Kind:
    """Return what a path or URI names, by its suffix: a folder with photos, or another source of them.

    A ``*`` in the last part of the path of tar or Parquet files stands for any text.
    """
    kind = _KINDS.get(os.path.splitext(folder)[1].lower(), "folder")  # noqa: PTH122  perhaps a URI
    if kind != "folder" and not is_uri(folder) and os.path.isdir(folder):  # noqa: PTH112
        return "folder"
    return kind


def files_of(source: str) -> list[Found]:
    """Return the files or objects that a source names: one, or those that its pattern matches.

    Raises:
        FileNotFoundError: There is none.
        OSError, StorageError: The storage does not answer.
    """
    above, _, name = source.rpartition("/")
    if "*" not in name:
        return [head(source)]
    if is_uri(source):
        found = list_folder(above)
    else:
        found = [head(entry.path) for entry in os.scandir(above or "/") if entry.is_file()]
    return sorted((one for one in found if fnmatchcase(one.path.rpartition("/")[2], name)), key=lambda one: one.path)


def check_there(folder: str) -> None:
    """Raise InputError unless a path of this machine exists. URIs are checked when they are listed."""
    if is_uri(folder):
        return
    try:
        there = bool(files_of(folder)) if "*" in folder.rpartition("/")[2] else os.path.exists(folder)  # noqa: PTH110
    except OSError:
        there = False
    if not there:
        raise InputError("no such folder or file.", subject=folder, remedy="Check the spelling of the path.")


def _of_source(source: str, skip: _Skipped, complete: Complete) -> Iterator[Found | Unreadable]:
    try:
        containers = files_of(source)
    except (OSError, StorageError) as error:
        yield Unreadable(source, _reason(error), unlisted=True)
        return
    if not containers:
        yield Unreadable(source, "no file or object has such a name", unlisted=True)
    for container in containers:
        if skip(container.path):
            continue
        try:
            for item in complete(container) or _listed(container, source):
                below = item.path.removeprefix(f"{container.path}/") if lies_in(item.path, container.path) else None
                if not skip(item.path, below):
                    yield _checked(item, below)
        except (OSError, StorageError, InputError) as error:
            yield Unreadable(container.path, _reason(error), unlisted=True)


def _checked(item: Found | BadEntry, below: str | None) -> Found | Unreadable:
    """Return what was found, or why its path cannot be recorded. ``below`` is the path in its container, if any."""
    text = item.path.encode(errors="replace").decode()
    if isinstance(item, BadEntry):
        return Unreadable(text, item.reason)
    if below is not None and {"", ".", ".."} & set(below.split("/")):
        return Unreadable(text, EMPTY_PART)
    return item if text == item.path else Unreadable(text, NO_TEXT)


def _listed(container: Found, source: str) -> Iterator[Found | BadEntry]:
    kind = kind_of(source)
    if kind == "tar":
        yield from list_tar(container)
    elif kind == "keys":
        lines = entries(read(container.path)[0], container.path)
        yield from photos_of(lines, container.path, as_json=not container.path.lower().endswith(".txt"))
    else:
        listed = list_parquet(container)
        first = next(listed, None)
        if isinstance(first, Found):
            yield from (one for one in chain([first], listed) if isinstance(one, Found))
        elif first is not None:
            uris = (one for one in chain([first], listed) if isinstance(one, str))
            yield from photos_of(uris, container.path, as_json=False)


def _reason(error: Exception) -> str:
    if isinstance(error, SketchseekError):
        return error.reason.rstrip(".")
    if isinstance(error, FileNotFoundError):
        return "there is no such file or object"
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__


def _objects(folder: str, skip: _Skipped, seen: set[str]) -> Iterator[Found | Unreadable]:
    try:
        for found in list_objects(folder):
            if found.path in seen or not has_picture_suffix(found.path):
                continue
            seen.add(found.path)
            below = found.path.removeprefix(folder).lstrip("/")
            if skip(found.path, below):
                continue
            if "//" in below or {".", ".."} & set(below.split("/")):
                yield Unreadable(found.path, EMPTY_PART)
            else:
                yield found
    except StorageError as error:
        yield Unreadable(folder, error.reason, unlisted=True)


class _Skipped:
    """Whether a photo is skipped: it was removed, or a pattern matches it or a folder that it is in.

    In object storage and in containers, names that start with a dot are skipped, too.
    """

    def __init__(self, excluded: Collection[str], rules: ScanRules) -> None:
        self.excluded = excluded
        self.rules = rules
        self._rules = IgnoreRules.of(b"/", rules)
        self._folders: dict[str, bool] = {"": False}

    def __call__(self, path: str, below: str | None = None) -> bool:
        """Return whether a path is skipped; ``below`` is its part below the folder or container, if it has one."""
        return any(lies_in(path, one) for one in self.excluded) or (below is not None and self._hidden(below))

    def _hidden(self, key: str) -> bool:
        folder, _, name = key.rpartition("/")
        return name.startswith(".") or self._folder(folder) or self._rules.ignores(_bytes(key), is_folder=False)

    def _folder(self, folder: str) -> bool:
        if folder not in self._folders:
            above, _, name = folder.rpartition("/")
            hidden = name.startswith(".") or self._folder(above) or self._rules.ignores(_bytes(folder), is_folder=True)
            self._folders[folder] = hidden
        return self._folders[folder]


def _bytes(key: str) -> bytes:
    return b"/" + key.encode(errors="replace")


def lies_in(path: str, folder: str) -> bool:
    """Return whether a path or URI is a folder or below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
