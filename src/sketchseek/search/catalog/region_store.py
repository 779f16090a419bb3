"""Embeddings of parts of photos, in a file of their own beside the catalog.

They are found by a photo's digest, and can be made again from the photos: a lost or damaged file costs time only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sketchseek.errors import LibraryCorruptError, LibraryError
from sketchseek.search.catalog.checksums import row_checksum
from sketchseek.search.catalog.database import Database

FILE = "regions.db"

_VERSION = 1
_CHUNK = 500
_SELECT = "SELECT digest, embeddings, checksum FROM regions"

Embeddings = npt.NDArray[np.float16]


class RegionStore(Database):
    """A library's regions, of one model.

    Args:
        library: The library's folder.
        fingerprint: Identity of the model's embedding space. With ``write``, regions of another model are deleted.
        shape: Shape of the embeddings of one photo, (regions, d).
        write: Open for writing, and create the file if it is missing. The caller holds the writer's lock.

    Raises:
        LibraryError: It cannot be opened.
    """

    def __init__(self, library: Path, fingerprint: str, shape: tuple[int, int], *, write: bool = False) -> None:
        self._fingerprint = fingerprint
        self._shape = shape
        super().__init__(library / FILE, write=write)
        if write:
            with self.transaction():
                if self._one("PRAGMA user_version") != _VERSION:
                    self._do("DROP TABLE IF EXISTS regions")
                    self._do("DROP TABLE IF EXISTS model")
                    self._do(f"PRAGMA user_version = {_VERSION}")
                self._do("CREATE TABLE IF NOT EXISTS model (fingerprint TEXT NOT NULL)")
                self._do(
                    "CREATE TABLE IF NOT EXISTS regions (digest BLOB PRIMARY KEY, embeddings BLOB NOT NULL,"
                    " checksum INTEGER NOT NULL) WITHOUT ROWID"
                )
                if self._one("SELECT fingerprint FROM model") != fingerprint:
                    self._do("DELETE FROM regions")
                    self._do("DELETE FROM model")
                    self._do("INSERT INTO model VALUES (?)", fingerprint)

    def digests(self) -> set[bytes]:
        """Return the digests of the photos that have regions; damaged ones do not count."""
        return {digest for digest, _ in self._sound(_SELECT, ())}

    def add(self, found: Iterable[tuple[bytes, Embeddings]]) -> None:
        """Add photos by digest; each has (regions, d)."""
        with self.transaction():
            for digest, embeddings in found:
                data = embeddings.tobytes()
                self._do("INSERT OR REPLACE INTO regions VALUES (?, ?, ?)", digest, data, self._checksum(digest, data))

    def drop(self, digests: Iterable[bytes]) -> None:
        """Forget photos."""
        with self.transaction():
            for digest in digests:
                self._do("DELETE FROM regions WHERE digest = ?", digest)

    def read(self, digests: Sequence[bytes]) -> dict[bytes, Embeddings]:
        """Return the regions of photos by digest. Those that have none, or damaged ones, are left out."""
        if self._one("SELECT fingerprint FROM model") != self._fingerprint:
            return {}
        found: dict[bytes, Embeddings] = {}
        for start in range(0, len(digests), _CHUNK):
            some = digests[start : start + _CHUNK]
            marks = ", ".join("?" * len(some))
            found |= dict(self._sound(f"{_SELECT} WHERE digest IN ({marks})", some))
        return found

    def damaged(self) -> int:
        """Return how many photos' regions do not match their checksum."""
        total = int(self._one("SELECT count(*) FROM regions"))
        return total - sum(1 for _ in self._sound(_SELECT, ()))

    def _sound(self, sql: str, values: Sequence[bytes]) -> Iterator[tuple[bytes, Embeddings]]:
        size = 2 * self._shape[0] * self._shape[1]
        for digest, data, checksum in self._rows(sql, *values):
            if len(data) == size and checksum == self._checksum(digest, data):
                yield digest, np.frombuffer(data, np.float16).reshape(self._shape)

    def _checksum(self, digest: bytes, data: bytes) -> int:
        return row_checksum(self._fingerprint, digest, data)


@contextmanager
def written_regions(library: Path, fingerprint: str, shape: tuple[int, int]) -> Iterator[RegionStore]:
    """Yield a library's regions for writing; see ``RegionStore``. A file that is damaged begins anew."""
    try:
        store = RegionStore(library, fingerprint, shape, write=True)
    except LibraryCorruptError:
        delete_regions(library)
        store = RegionStore(library, fingerprint, shape, write=True)
    with closing(store):
        yield store


def has_regions(library: Path) -> bool:
    """Return whether a library is indexed with regions."""
    return (library / FILE).exists()


def delete_regions(library: Path) -> None:
    """Delete a library's regions. The caller holds the writer's lock."""
    for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
        (library / name).unlink(missing_ok=True)


@contextmanager
def opened_regions(library: Path, fingerprint: str, shape: tuple[int, int]) -> Iterator[RegionStore | None]:
    """Yield a library's regions for reading; None if it has none, or they cannot be read."""
    if not has_regions(library):
        yield None
        return
    try:
        store = RegionStore(library, fingerprint, shape)
    except LibraryError:
        yield None
        return
    with closing(store):
        yield store
