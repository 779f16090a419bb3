"""Reading a snapshot in a thread while another index is searched."""

from __future__ import annotations

import threading
from pathlib import Path

from sketchseek.search.index import snapshots
from sketchseek.search.index.protocol import VectorIndex
from sketchseek.search.index.snapshots import IndexSnapshot, StaleSnapshotError


class SnapshotLoader:
    """Reads one snapshot at a time. One thread at a time may call it.

    Args:
        library: The library's folder.
    """

    def __init__(self, library: Path) -> None:
        self._library = library
        self._thread: threading.Thread | None = None
        self._loaded: tuple[IndexSnapshot, VectorIndex] | None = None

    def is_busy(self) -> bool:
        """Return whether a snapshot is being read, or was read and not taken."""
        return self._thread is not None

    def start(self, record: str) -> None:
        """Begin to read a snapshot. Call only while not busy."""
        self._thread = threading.Thread(target=self._load, args=(record,), name="snapshot loader", daemon=True)
        self._thread.start()

    def take(self, *, wait: bool = False) -> tuple[IndexSnapshot, VectorIndex] | None:
        """Return the snapshot that was read, once; None if there is none, or not yet."""
        if self._thread is None:
            return None
        if wait:
            self._thread.join()
        if self._thread.is_alive():
            return None
        loaded, self._loaded, self._thread = self._loaded, None, None
        return loaded

    def _load(self, record: str) -> None:
        try:
            self._loaded = snapshots.load(self._library, record)
        except StaleSnapshotError:  # a writer has replaced it meanwhile; the next one is read
            self._loaded = None
