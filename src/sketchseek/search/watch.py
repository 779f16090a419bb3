"""Keeping a library current: it is synchronized after changes in its folders."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from watchfiles import Change
from watchfiles import watch as watch_files

from sketchseek.errors import LibraryLockedError
from sketchseek.images.formats import INDEXED_SUFFIXES
from sketchseek.search.path_case import on_disk
from sketchseek.search.results import IndexReport, ProgressCallback
from sketchseek.search.scan import SIDECAR
from sketchseek.search.scan_rules import IGNORE_FILE

if TYPE_CHECKING:
    from sketchseek.search.library import Library

SETTLE = 2.0
"""Seconds without further changes after which the library is synchronized; at most five times as long."""

RETRY = 5.0
"""Seconds after which the list of folders is read again, and a locked library is tried again."""


def watch(
    library: Library,
    progress: ProgressCallback | None = None,
    *,
    stop: threading.Event | None = None,
    polling: bool = False,
    settle: float = SETTLE,
) -> Iterator[IndexReport]:
    """Synchronize a library now, and again whenever photos in its folders change. See ``Library.watch``."""
    stop = stop or threading.Event()
    pending = True
    while not stop.is_set():
        folders = _present(library)
        for changes in _changes(Path(library.path), folders, stop, polling=polling, settle=settle):
            if changes or pending:
                try:
                    yield library.sync(progress)
                    pending = False
                except LibraryLockedError:  # another process writes; it may not have seen the latest change
                    pending = True
            if stop.is_set():
                return
            if _present(library) != folders:  # a drive was connected, or a folder was added
                pending = True
                break


def _present(library: Library) -> list[Path]:
    return [folder for folder in map(Path, library.status().folders) if folder.exists()]


def _changes(
    library: Path, folders: list[Path], stop: threading.Event, *, polling: bool, settle: float
) -> Iterator[bool]:
    """Yield at once, and then after changes (True) or ``RETRY`` seconds without any (False)."""
    yield False
    if not folders:
        stop.wait(RETRY)
        yield False
        return
    early = True  # what changed before the watch began was not seen
    for changes in watch_files(
        *folders,
        watch_filter=_Filter(library),
        debounce=int(5000 * settle),
        step=max(1, int(1000 * settle)),
        stop_event=stop,
        rust_timeout=int(1000 * RETRY),
        yield_on_timeout=True,
        force_polling=polling or None,
        ignore_permission_denied=True,
    ):
        yield bool(changes) or early
        early = False


_SUFFIXES = INDEXED_SUFFIXES | {os.fsdecode(SIDECAR)}


class _Filter:
    """Lets changes through that may matter to a scan. It need not be exact: the scan decides.

    Args:
        library: The library's folder, which may lie in one that is watched, and which every run writes to.
    """

    def __init__(self, library: Path) -> None:
        self._library = os.fsdecode(on_disk(os.fsencode(os.path.realpath(library))))

    def __call__(self, change: Change, path: str) -> bool:
        """Return whether a change matters."""
        if path == self._library or os.path.realpath(path).startswith(self._library + os.sep):
            return False
        name = os.path.basename(path)  # noqa: PTH119  called for every change
        if name == IGNORE_FILE or os.path.splitext(name)[1].lower() in _SUFFIXES:  # noqa: PTH122
            return True
        if change == Change.deleted:  # perhaps a folder
            return not name.startswith(".")
        return change == Change.added and os.path.isdir(path)  # noqa: PTH112
