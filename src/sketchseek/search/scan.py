"""Scanning folders for images, and for the sidecars beside them.

Paths are bytes here and in the catalog, since file names need not be valid text.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sketchseek.errors import InputError
from sketchseek.images import shown_name
from sketchseek.images.formats import INDEXED_SUFFIXES, UNREAD_SUFFIXES
from sketchseek.search.scan_rules import IGNORE_FILE, IgnoreRules, ScanRules

_SUFFIXES = frozenset(os.fsencode(suffix) for suffix in INDEXED_SUFFIXES)
_UNREAD = {os.fsencode(suffix): suffix.removeprefix(".") for suffix in UNREAD_SUFFIXES}
_IGNORE_FILE = os.fsencode(IGNORE_FILE)
SIDECAR = b".xmp"
SEPARATOR = os.fsencode(os.sep)
_INT64 = 2**63
LEADS_OUT = "a link that leads out of the folders that may be indexed"


@dataclass(frozen=True)
class FileState:
    """A file, and what tells whether it has changed.

    Attributes:
        path: Absolute path.
        size: In bytes.
        mtime_ns: Modification time in nanoseconds since 1970.
    """

    path: bytes
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Found(FileState):
    """A file with an image's suffix."""


@dataclass(frozen=True)
class FoundSidecar(FileState):
    """An XMP sidecar, which says something about photos beside it.

    Attributes:
        belongs_to: The photo's path with or without the photo's suffix: ``a.jpg`` for ``a.jpg.xmp``, which is about
            one photo, ``a`` for ``a.xmp``, which may be about several.
    """

    @property
    def belongs_to(self) -> bytes:
        return self.path[: -len(SIDECAR)]


@dataclass(frozen=True)
class Unreadable:
    """A folder or file that could not be read."""

    path: bytes
    reason: str


@dataclass(frozen=True)
class Unread:
    """A photo, picture or video in a format that is not read.

    Attributes:
        folder: The folder that it is in.
        suffix: Its suffix without the dot, in lower case.
    """

    folder: bytes
    suffix: str


@dataclass(frozen=True)
class SkippedLink:
    """A symbolic link to a folder that was not followed."""

    path: bytes


Scanned = Found | FoundSidecar | Unreadable | Unread | SkippedLink


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


def real_path(path: bytes) -> bytes:
    """Return a path with every symbolic link in it resolved."""
    return os.path.realpath(path)


def lies_in_any(path: bytes, folders: Iterable[bytes]) -> bool:
    """Return whether a path is one of the folders or below one."""
    return any(lies_in(path, folder) for folder in folders)


def scan(
    folders: Iterable[bytes],
    excluded: Collection[bytes] = (),
    *,
    rules: ScanRules | None = None,
    within: Collection[bytes] | None = None,
) -> Iterator[Scanned]:
    """Find the images and sidecars in folders and their subfolders, visiting each folder once, in a stable order.

    Hidden files and folders (with a leading dot) are skipped, unless the rules want them or they are named in
    ``folders``; so are those that the rules or an ignore file exclude. If symbolic links to folders are followed, they
    are followed last, and only to folders that were not visited: loops end, and a photo in the folders appears under
    its real path.

    Args:
        folders: Absolute paths of folders, or of single files.
        excluded: Absolute paths of files and folders to skip.
        rules: The library's rules.
        within: Real paths of folders that links must not lead out of; such links are unreadable. By default, links may
            lead anywhere.
    """
    rules = rules or ScanRules()
    walk = _Walk(excluded, within, follow_symlinks=rules.follow_symlinks, hidden=rules.hidden)
    for folder in sorted(set(folders)):
        try:
            status = os.stat(folder)  # noqa: PTH116  on bytes
        except OSError as error:
            yield Unreadable(folder, _reason(error))
            continue
        if stat.S_ISDIR(status.st_mode):
            yield from walk.below(folder, IgnoreRules.of(folder, rules))
        elif stat.S_ISREG(status.st_mode):
            yield Found(folder, status.st_size, file_time(status))
            yield from _sidecars_of(folder)
        else:
            yield Unreadable(folder, "neither a file nor a folder")
    while walk.links:
        yield from walk.below(*walk.links.popleft())


class _Walk:
    """One scan: the folders that it has visited, and the links that are still to be followed.

    Args:
        excluded: Absolute paths of files and folders to skip.
        within: Real paths of folders that links must not lead out of.
        follow_symlinks: Whether symbolic links to folders are put in ``links`` to be followed.
        hidden: Whether hidden files and folders are looked at.
    """

    def __init__(
        self,
        excluded: Collection[bytes],
        within: Collection[bytes] | None,
        *,
        follow_symlinks: bool,
        hidden: bool = False,
    ) -> None:
        self._hidden = hidden
        self._within = within
        self.links: deque[tuple[bytes, IgnoreRules]] = deque()
        self._excluded = excluded
        self._follow_symlinks = follow_symlinks
        self._visited: set[tuple[int, int]] = set()

    def below(self, folder: bytes, rules: IgnoreRules) -> Iterator[Scanned]:
        """Scan a folder and everything below it. ``rules`` are those of the folder above."""
        stack = [(folder, rules)]
        while stack:
            here, rules = stack.pop()
            if here in self._excluded:
                continue
            try:
                entries = self._new_entries(here)
                rules = _with_ignore_file(rules, here, entries)
            except OSError as error:
                yield Unreadable(here, _reason(error))
                continue
            except InputError as error:
                yield Unreadable(here, error.message)
                continue
            subfolders: list[tuple[bytes, IgnoreRules]] = []
            for entry in entries:
                if (entry.name.startswith(b".") and not self._hidden) or entry.path in self._excluded:
                    continue
                try:
                    yield from self._entry(entry, here, rules, subfolders)
                except OSError as error:
                    yield Unreadable(entry.path, _reason(error))
            stack.extend(reversed(subfolders))

    def _new_entries(self, folder: bytes) -> list[os.DirEntry[bytes]]:
        """Return a folder's entries by name; none if the folder was visited before."""
        status = os.stat(folder)  # noqa: PTH116
        identity = (status.st_dev, status.st_ino)
        if identity in self._visited:
            return []
        self._visited.add(identity)
        with os.scandir(folder) as listing:
            return sorted(listing, key=lambda entry: entry.name)

    def _entry(
        self,
        entry: os.DirEntry[bytes],
        folder: bytes,
        rules: IgnoreRules,
        subfolders: list[tuple[bytes, IgnoreRules]],
    ) -> Iterator[Scanned]:
        if entry.is_dir(follow_symlinks=False):
            if not rules.ignores(entry.path, is_folder=True):
                subfolders.append((entry.path, rules))
        elif entry.is_symlink() and entry.is_dir():
            if not rules.ignores(entry.path, is_folder=True):
                yield from self._link(entry, rules)
        else:
            yield from self._file(entry, folder, rules)

    def _link(self, link: os.DirEntry[bytes], rules: IgnoreRules) -> Iterator[Scanned]:
        """Put a link to a folder aside to be followed later, or say why it is not followed."""
        if not self._follow_symlinks:
            yield SkippedLink(link.path)
        elif self._leads_out(link):
            yield Unreadable(link.path, LEADS_OUT)
        else:
            self.links.append((link.path, rules))

    def _file(self, entry: os.DirEntry[bytes], folder: bytes, rules: IgnoreRules) -> Iterator[Scanned]:
        suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122  on bytes
        if suffix not in _SUFFIXES and suffix not in _UNREAD and suffix != SIDECAR:
            return
        if not entry.is_file() or rules.ignores(entry.path, is_folder=False):
            return
        if suffix in _UNREAD:
            yield Unread(folder, _UNREAD[suffix])
        elif entry.is_symlink() and self._leads_out(entry):
            yield Unreadable(entry.path, LEADS_OUT)
        else:
            status = entry.stat()
            kind = FoundSidecar if suffix == SIDECAR else Found
            yield kind(entry.path, status.st_size, file_time(status))

    def _leads_out(self, link: os.DirEntry[bytes]) -> bool:
        return self._within is not None and not lies_in_any(real_path(link.path), self._within)


def _sidecars_of(photo: bytes) -> Iterator[FoundSidecar]:
    """Yield the sidecars of a single file."""
    stem = os.path.splitext(photo)[0]  # noqa: PTH122  on bytes
    for path in (photo + SIDECAR, stem + SIDECAR):
        with suppress(OSError):
            status = os.stat(path)  # noqa: PTH116  on bytes
            if stat.S_ISREG(status.st_mode):
                yield FoundSidecar(path, status.st_size, file_time(status))


def is_within(path: bytes, opened: os.stat_result, within: Collection[bytes]) -> bool:
    """Return whether an open file lies in the folders. The scan has asked, but a link may have changed since."""
    real = real_path(path)
    return lies_in_any(real, within) and os.path.samestat(opened, os.lstat(real))


def _with_ignore_file(rules: IgnoreRules, folder: bytes, entries: Iterable[os.DirEntry[bytes]]) -> IgnoreRules:
    """Add the rules of a folder's ignore file, if it has one.

    Raises:
        InputError: It cannot be read. Without its patterns, photos that the user excluded would be indexed.
    """
    if not any(entry.name == _IGNORE_FILE and entry.is_file() for entry in entries):
        return rules
    try:
        return rules.with_file(folder)
    except (OSError, InputError) as error:
        reason = error.reason if isinstance(error, InputError) else _reason(error)
        raise InputError(reason, subject=IGNORE_FILE) from error


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
