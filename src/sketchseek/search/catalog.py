"""The catalog: the truth about every photo, its vector and its failures, in one SQLite file.

Invariants that readers build on:

- an id is never given to another photo, and grows with every photo that is added;
- the vector of an id never changes, except with ``epoch``, which grows when the library is embedded anew;
- an id that goes leaves a row in ``removals``.

So a reader that knows the last id and the last removal it has seen catches up with two range queries.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchseek.errors import LibraryCorruptError, LibraryError, LibraryNotFoundError
from sketchseek.search.database import Database
from sketchseek.search.index.protocol import Ids, Vectors
from sketchseek.search.results import Failure, Photo
from sketchseek.search.scan import SEPARATOR

FILE = "catalog.db"
VERSION = 1
_APPLICATION = 0x534B5345  # "SKSE"
_BLOCK = 8192

_SCHEMA = """
CREATE TABLE photos (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    digest BLOB NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    vector BLOB NOT NULL,
    added REAL NOT NULL
);
CREATE INDEX photos_by_digest ON photos (digest);
CREATE TABLE removals (seq INTEGER PRIMARY KEY AUTOINCREMENT, id INTEGER NOT NULL);
CREATE TRIGGER photo_removed AFTER DELETE ON photos BEGIN INSERT INTO removals (id) VALUES (old.id); END;
CREATE TABLE failures (
    path BLOB PRIMARY KEY, reason TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE roots (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE excluded (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE staged (
    id INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    digest BLOB,
    width INTEGER,
    height INTEGER,
    vector BLOB,
    reason TEXT
);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('changes', '0'), ('epoch', '0'), ('removals_floor', '0');
"""


@dataclass(frozen=True)
class State:
    """Where the catalog stands, for who follows it.

    Attributes:
        epoch: Grows when every vector is replaced.
        last_id: The highest id ever given.
        last_removal: The number of the latest removal.
        floor: Removals up to this one are forgotten.
    """

    epoch: int
    last_id: int
    last_removal: int
    floor: int


@dataclass(frozen=True)
class Row:
    """A photo to be added: absolute path, the file's size and time, SHA-256 of its bytes, its size, its vector."""

    path: bytes
    size: int
    mtime_ns: int
    digest: bytes
    width: int
    height: int
    vector: bytes


@dataclass(frozen=True)
class Bounds:
    """A filter in the catalog's terms.

    Attributes:
        folder: Absolute path; photos in it and below it.
        after, before: File times in nanoseconds since 1970: ``after`` is included, ``before`` is not.
    """

    folder: bytes | None = None
    after: int | None = None
    before: int | None = None


class Catalog(Database):
    """A connection to a library's catalog. One thread at a time may use it.

    Args:
        folder: The library's folder.
        create: Make the catalog where there is none, with these small facts in its ``meta``.
        write: Open for writing.

    Raises:
        LibraryNotFoundError: There is none.
        LibraryCorruptError: It is damaged, or no catalog.
        LibraryError: It cannot be opened.
    """

    def __init__(self, folder: Path, *, create: dict[str, str] | None = None, write: bool = False) -> None:
        path = folder / FILE
        try:
            missing = create is None and not path.is_file()
        except OSError as error:
            raise LibraryError(f"{folder}: cannot be opened ({error.strerror}).") from error
        if missing:
            raise _nothing_in(folder)
        super().__init__(path, write=write or create is not None)
        try:
            with self._guard():
                if create is not None:
                    self._create(create)
                self._check()
        except BaseException:
            self.close()
            raise

    def _create(self, facts: dict[str, str]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        if self._is_blank():
            for statement in _statements(_SCHEMA):
                self._connection.execute(statement)
            self.set_meta(**facts)
            self._connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            self._connection.execute(f"PRAGMA user_version = {VERSION}")
        self._connection.execute("COMMIT")

    def _is_blank(self) -> bool:
        return (self._one("PRAGMA user_version"), self._one("SELECT count(*) FROM sqlite_master")) == (0, 0)

    def _check(self) -> None:
        if self._is_blank():
            raise _nothing_in(self.path.parent)  # a crash came before it was made
        if self._one("PRAGMA application_id") != _APPLICATION:
            raise LibraryCorruptError(
                f"{self.path}: not a catalog of sketchseek.",
                remedy="Choose another folder for the library, or delete the file and index again.",
            )
        version = self._one("PRAGMA user_version")
        if version != VERSION:
            raise LibraryError(
                f"{self.path}: written in format {version}; this version of sketchseek reads {VERSION}.",
                remedy="Use the version of sketchseek that wrote it, or index into a new library.",
            )

    # --- meta ----------

    def meta(self) -> dict[str, str]:
        """All of the small facts about the library; ``changes`` among them grows with every transaction."""
        return dict(self.execute("SELECT key, value FROM meta"))

    def set_meta(self, **values: str | int) -> None:
        """Write small facts; inside a ``transaction``."""
        for key, value in values.items():
            self._do("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, str(value))

    def state(self) -> State:
        """Where the catalog stands."""
        sequence = dict(self.execute("SELECT name, seq FROM sqlite_sequence"))
        facts = dict(self.execute("SELECT key, value FROM meta WHERE key IN ('epoch', 'removals_floor')"))
        return State(
            int(facts["epoch"]), sequence.get("photos", 0), sequence.get("removals", 0), int(facts["removals_floor"])
        )

    # --- photos ----------

    def count(self) -> int:
        """How many photos there are."""
        return int(self._one("SELECT count(*) FROM photos"))

    def add(self, row: Row) -> int:
        """Add a photo in place of any other under its path; returns its id. Inside a ``transaction``."""
        self.drop(row.path)
        with self._guard():
            cursor = self._connection.execute(
                "INSERT INTO photos (path, size, mtime_ns, digest, width, height, vector, added)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (row.path, row.size, row.mtime_ns, row.digest, row.width, row.height, row.vector, time.time()),
            )
        return int(cursor.lastrowid or 0)

    def fail(self, path: bytes, reason: str, size: int = -1, mtime_ns: int = -1) -> None:
        """Record a failure in place of any photo under its path. Inside a ``transaction``."""
        self.drop(path)
        text = reason.encode(errors="replace").decode()  # a name in it need not be text
        self._do("INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?)", path, text, size, mtime_ns)

    def drop(self, path: bytes) -> int:
        """Forget a photo or failure under a path; returns how many photos. Inside a ``transaction``."""
        self._do("DELETE FROM failures WHERE path = ?", path)
        return self._do("DELETE FROM photos WHERE path = ?", path)

    def move(self, photo: int, path: bytes, size: int, mtime_ns: int) -> None:
        """Give a photo another path, in place of any other there. Inside a ``transaction``."""
        if self._one("SELECT id FROM photos WHERE path = ?", path) != photo:
            self.drop(path)
        self._do("DELETE FROM failures WHERE path = ?", path)
        self._do("UPDATE photos SET path = ?, size = ?, mtime_ns = ? WHERE id = ?", path, size, mtime_ns, photo)

    def drop_below(self, folder: bytes) -> int:
        """Forget a path and all below it; returns how many photos. Inside a ``transaction``."""
        count = self.drop(folder)
        self._do("DELETE FROM failures WHERE path >= ? AND path < ?", *path_range(folder))
        return count + self._do("DELETE FROM photos WHERE path >= ? AND path < ?", *path_range(folder))

    def has_digest(self, digest: bytes) -> bool:
        """Whether a photo with these bytes is in the library."""
        return self._one("SELECT 1 FROM photos WHERE digest = ? LIMIT 1", digest) is not None

    def paths_with_digest(self, digest: bytes, after: int = 0, limit: int = 100) -> list[tuple[int, bytes]]:
        """Ids above ``after`` and paths of photos whose files have these bytes, by id; the first ``limit`` of them."""
        return [
            (int(photo), path)
            for photo, path in self.execute(
                "SELECT id, path FROM photos WHERE digest = ? AND id > ? ORDER BY id LIMIT ?", digest, after, limit
            )
        ]

    def copy(self, photo: int, path: bytes, size: int, mtime_ns: int) -> int:
        """Add a file of the same bytes as a photo's; returns its id. Inside a ``transaction``."""
        (found,) = self.execute("SELECT digest, width, height, vector FROM photos WHERE id = ?", photo)
        return self.add(Row(path, size, mtime_ns, *found))

    def photo(self, photo: int) -> Photo | None:
        """One photo."""
        return self.photos([photo]).get(photo)

    def photos(self, ids: Sequence[int]) -> dict[int, Photo]:
        """Photos by id; ids that are not there are left out."""
        found: dict[int, Photo] = {}
        for start in range(0, len(ids), 500):
            some = [int(i) for i in ids[start : start + 500] if int(i).bit_length() < 64]  # what SQLite has
            rows = self.execute(
                "SELECT id, path, width, height, size, mtime_ns, added FROM photos"
                f" WHERE id IN ({','.join('?' * len(some))})",
                *some,
            )
            for row in rows:
                found[row[0]] = Photo(row[0], Path(os.fsdecode(row[1])), *row[2:])
        return found

    def id_of(self, path: bytes, digest: bytes | None = None) -> int | None:
        """The id of the photo under a path, if its file has these bytes."""
        found = self._one("SELECT id FROM photos WHERE path = ? AND digest = coalesce(?, digest)", path, digest)
        return None if found is None else int(found)

    def ids_within(self, bounds: Bounds) -> Ids:
        """Ids of the photos within bounds, ascending."""
        if bounds.after is None and bounds.before is None:
            return self.ids(bounds.folder)
        conditions: list[str] = []
        values: list[bytes | int] = []
        if bounds.after is not None:
            conditions.append("mtime_ns >= ?")
            values.append(bounds.after)
        if bounds.before is not None:
            conditions.append("mtime_ns < ?")
            values.append(bounds.before)
        if bounds.folder is not None:
            conditions.append("(path = ? OR (path >= ? AND path < ?))")
            values += [bounds.folder, *path_range(bounds.folder)]
        rows = self.execute(f"SELECT id FROM photos WHERE {' AND '.join(conditions)} ORDER BY id", *values)
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def ids(self, folder: bytes | None = None) -> Ids:
        """Ids of all photos, or of those in a folder and below it, ascending."""
        if folder is None:
            rows = self.execute("SELECT id FROM photos")
        else:
            rows = self.execute(
                "SELECT id FROM photos WHERE path >= ? AND path < ? UNION SELECT id FROM photos WHERE path = ?",
                *path_range(folder),
                folder,
            )
        ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        ids.sort()
        return ids

    def paths(self) -> dict[int, bytes]:
        """Every photo's path, by id."""
        return dict(self.execute("SELECT id, path FROM photos"))

    # --- vectors ----------

    def vector(self, photo: int) -> bytes | None:
        """One photo's vector as bytes of float16."""
        if int(photo).bit_length() > 63:  # more than SQLite has
            return None
        vector: bytes | None = self._one("SELECT vector FROM photos WHERE id = ?", photo)
        return vector

    def vectors_of(self, ids: Ids, dimension: int) -> npt.NDArray[np.float32]:
        """The vectors of photos that are there, in the order of the ids: (m, dimension) float32."""
        found: dict[int, bytes] = {}
        for start in range(0, len(ids), 500):
            some = ids[start : start + 500].tolist()
            found.update(
                self.execute(f"SELECT id, vector FROM photos WHERE id IN ({','.join('?' * len(some))})", *some)
            )
        data = b"".join(found[photo] for photo in ids.tolist())
        return np.frombuffer(data, np.float16).reshape(-1, dimension).astype(np.float32)

    def vectors(self, dimension: int, after: int = 0) -> Iterator[tuple[Ids, Vectors]]:
        """Blocks of ids, (m,), and vectors, (m, dimension) float16, whose ids are above ``after``, ascending.

        Raises:
            LibraryCorruptError: A vector has another length.
        """
        while True:
            rows = self.execute("SELECT id, vector FROM photos WHERE id > ? ORDER BY id LIMIT ?", after, _BLOCK)
            if not rows:
                return
            yield self._block(rows, dimension)
            after = rows[-1][0]

    def sample(self, dimension: int, size: int) -> Vectors:
        """About ``size`` vectors, spread evenly over the ids: (m, dimension) float16."""
        step = max(1, self.count() // max(size, 1))
        rows = self.execute("SELECT id, vector FROM photos WHERE id % ? = 0 LIMIT ?", step, size) if size else []
        return self._block(rows, dimension)[1]

    def _block(self, rows: list[tuple[Any, ...]], dimension: int) -> tuple[Ids, Vectors]:
        if any(len(row[1]) != 2 * dimension for row in rows):
            raise LibraryCorruptError(
                f"{self.path}: a vector has a wrong length.", remedy="Delete the library's folder and index again."
            )
        ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        return ids, np.frombuffer(b"".join(row[1] for row in rows), np.float16).reshape(-1, dimension)

    def removed_since(self, removal: int) -> Ids:
        """Ids that went after a removal."""
        rows = self.execute("SELECT id FROM removals WHERE seq > ?", removal)
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def forget_removals(self, upto: int) -> None:
        """Drop the record of old removals; who has not seen them reads the index anew. Inside a ``transaction``."""
        self._do("DELETE FROM removals WHERE seq <= ?", upto)
        self.set_meta(removals_floor=upto)

    # --- folders and failures ----------

    def roots(self) -> list[bytes]:
        """Folders that ``sync`` visits."""
        return [row[0] for row in self.execute("SELECT path FROM roots ORDER BY path")]

    def excluded(self) -> list[bytes]:
        """Paths below them that it passes over."""
        return [row[0] for row in self.execute("SELECT path FROM excluded ORDER BY path")]

    def set_roots(self, roots: Iterable[bytes], excluded: Iterable[bytes]) -> None:
        """Replace both lists. Inside a ``transaction``."""
        self._do("DELETE FROM roots")
        self._do("DELETE FROM excluded")
        for path in roots:
            self._do("INSERT OR IGNORE INTO roots VALUES (?)", path)
        for path in excluded:
            self._do("INSERT OR IGNORE INTO excluded VALUES (?)", path)

    def failures(self) -> list[Failure]:
        """Files and folders that could not be read."""
        rows = self.execute("SELECT path, reason FROM failures ORDER BY path")
        return [Failure(Path(os.fsdecode(path)), reason) for path, reason in rows]

    def failure_count(self) -> int:
        """How many they are."""
        return int(self._one("SELECT count(*) FROM failures"))

    def check(self) -> list[str]:
        """SQLite's own check of the file; empty where it is whole."""
        return [str(row[0]) for row in self.execute("PRAGMA integrity_check") if row[0] != "ok"]


def _nothing_in(folder: Path) -> LibraryNotFoundError:
    return LibraryNotFoundError(
        f"{folder}: there is no library here.", remedy=f"Make one: sketchseek index PHOTOS --library {folder}"
    )


def path_range(folder: bytes) -> tuple[bytes, bytes]:
    """Bounds of the paths below a folder: from ``folder/`` up to, and without, ``folder0``, 0 coming after /."""
    stem = folder.rstrip(SEPARATOR)
    return stem + SEPARATOR, stem + bytes([SEPARATOR[0] + 1])


def _statements(script: str) -> Iterator[str]:
    """The statements of a script: ``executescript`` would commit the transaction around it."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
