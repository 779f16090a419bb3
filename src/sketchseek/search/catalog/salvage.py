"""Reading what is left of a damaged catalog. Only rows that match their checksums are believed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sketchseek.search.catalog.checksums import Value, embedding_checksum, register, row_checksum
from sketchseek.search.catalog.pages import table_rows
from sketchseek.search.catalog.photos import PhotoFacts
from sketchseek.search.catalog.schema import ROW

_BLOCK = 4096
_MAX_ID = 1 << 32
_MAX_FAILED = 5000
"""Number of queries that may fail before the rest is left to reading pages."""

_COLUMNS = 11  # of ``photos``; the id is stored as NULL, since it is the row's number


@dataclass(frozen=True)
class SavedPhoto(PhotoFacts):
    """A row of ``photos`` that matches its checksums."""

    id: int
    added: float
    embedding: bytes


@dataclass
class Salvage:
    """What was read.

    Attributes:
        photos: Photos by path.
        named: Paths of photos that are known to have been in the catalog, readable or not.
        damaged: Whether any row could not be read.
        last_id: Highest id that was seen.
        last_removal: Number of the last removal, 0 if it cannot be read.
        revision: The catalog's revision, -1 if it cannot be read.
    """

    photos: dict[bytes, SavedPhoto] = field(default_factory=dict)
    named: set[bytes] = field(default_factory=set)
    damaged: bool = False
    last_id: int = 0
    last_removal: int = 0
    revision: int = -1

    def add(self, fingerprint: str, values: list[Value]) -> bool:
        """Add a row if it matches its checksums; values are those of ``ROW``, the embedding and the two checksums."""
        *facts, embedding, checksum, embedding_sum = values
        if checksum != row_checksum(*facts):
            return False
        photo, path, size, mtime_ns, digest, width, height, added = facts
        assert isinstance(photo, int)
        assert isinstance(path, bytes)
        self.named.add(path)
        self.last_id = max(self.last_id, photo)
        if embedding_sum != embedding_checksum(fingerprint, photo, embedding):
            return False
        before = self.photos.get(path)
        if before is None or before.id <= photo:
            self.photos[path] = SavedPhoto(path, size, mtime_ns, digest, width, height, photo, added, embedding)  # type: ignore[arg-type]
        return True


def salvage(path: Path, fingerprint: str) -> Salvage:
    """Read what is left of a catalog. The file may be changed: give a copy.

    Args:
        path: The file; its journal, if any, lies beside it.
        fingerprint: Identity of the embedding space.
    """
    saved = Salvage()
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
        register(connection)
        _read_tables(connection, fingerprint, saved)
    if not saved.named:
        saved.damaged = True
    if saved.damaged:
        _read_pages(path, fingerprint, saved)
    return saved


def _read_tables(connection: sqlite3.Connection, fingerprint: str, saved: Salvage) -> None:
    for read in (_read_counters, _read_names):
        try:
            read(connection, saved)
        except (sqlite3.Error, ValueError, TypeError):
            saved.damaged = True
    try:
        high = int(connection.execute("SELECT max(id) FROM photos").fetchone()[0] or 0)
    except (sqlite3.Error, ValueError, TypeError):
        saved.damaged = True
        return
    for row in _readable_rows(connection, high, saved):
        if not saved.add(fingerprint, list(row)):
            saved.damaged = True


def _read_counters(connection: sqlite3.Connection, saved: Salvage) -> None:
    sequence = dict(connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    saved.last_id = max(saved.last_id, int(sequence.get("photos", 0)))
    saved.last_removal = int(sequence.get("removals", 0))
    ((revision,),) = connection.execute("SELECT value FROM meta WHERE key = 'revision'").fetchall()
    saved.revision = int(revision)


def _read_names(connection: sqlite3.Connection, saved: Salvage) -> None:
    """Read the index of paths, which has the names of photos whose own page is damaged."""
    for (name,) in connection.execute("SELECT path FROM photos INDEXED BY sqlite_autoindex_photos_1"):
        if isinstance(name, bytes):
            saved.named.add(name)


def _readable_rows(connection: sqlite3.Connection, high: int, saved: Salvage) -> Iterator[tuple[Value, ...]]:
    """Yield the rows with ids up to ``high``. A range that cannot be read is halved until damaged rows are alone."""
    waiting = [(low, low + _BLOCK) for low in range(0, min(high, _MAX_ID) + 1, _BLOCK)]
    failed = 0
    while waiting and failed < _MAX_FAILED:
        low, after = waiting.pop()
        try:
            yield from connection.execute(
                f"SELECT {ROW}, embedding, checksum, embedding_checksum FROM photos WHERE id >= ? AND id < ?",
                (low, after),
            ).fetchall()
        except sqlite3.Error:
            saved.damaged = True
            failed += 1
            if after - low > 1:
                middle = (low + after) // 2
                waiting += [(low, middle), (middle, after)]


def _read_pages(path: Path, fingerprint: str, saved: Salvage) -> None:
    """Add rows that SQLite did not find: pages that nothing leads to any more."""
    seen = {photo.id for photo in saved.photos.values()}
    for photo, values in table_rows(path, _COLUMNS):
        if photo not in seen:
            # As stored: id, path, size, mtime_ns, digest, width, height, embedding, added, checksums. SQLite stores
            # whole numbers of a REAL column as integers.
            facts, embedding, added, sums = values[1:7], values[7], values[8], values[9:]
            saved.add(
                fingerprint,
                [photo, *facts, float(added) if isinstance(added, int) else added, embedding, *sums],
            )
