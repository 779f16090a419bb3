"""Further embeddings of photos, in a file of their own beside the catalog.

They are found by a photo's digest, and can be made again from the photos: a lost or damaged file costs time only.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import ClassVar, Generic, Self, TypeVar

from sketchseek.errors import LibraryCorruptError, LibraryError
from sketchseek.search.catalog.checksums import embedding_checksum
from sketchseek.search.catalog.database import Database

_VERSION = 1
_CHUNK = 500
_SELECT = "SELECT digest, data, checksum FROM derived"

Value = TypeVar("Value")


class DerivedStore(Database, Generic[Value]):
    """Embeddings by one model.

    Args:
        library: The library's folder.
        fingerprint: Identity of the model's embedding space. With ``write``, what another model has made is deleted.
        dimensions: Length of an embedding.
        write: Open for writing, and create the file if it is missing. The caller holds the writer's lock.

    Raises:
        LibraryError: It cannot be opened.
    """

    FILE: ClassVar[str]
    """Name of the file in the library's folder. It is there if the library is indexed so."""

    def __init__(self, library: Path, fingerprint: str, dimensions: int, *, write: bool = False) -> None:
        self._fingerprint = fingerprint
        self._dimensions = dimensions
        super().__init__(library / self.FILE, write=write)
        if write:
            with self.transaction():
                self._create()

    @abstractmethod
    def _encode(self, value: Value) -> bytes:
        """Return what is stored of a photo."""

    @abstractmethod
    def _decode(self, data: bytes) -> Value | None:
        """Return what was stored; None if it has another size."""

    @classmethod
    def exists(cls, library: Path) -> bool:
        """Return whether a library has the file."""
        return (library / cls.FILE).exists()

    @classmethod
    def delete(cls, library: Path) -> None:
        """Delete the file. The caller holds the writer's lock."""
        for name in (cls.FILE, f"{cls.FILE}-wal", f"{cls.FILE}-shm"):
            (library / name).unlink(missing_ok=True)

    @classmethod
    @contextmanager
    def reading(cls, library: Path, fingerprint: str, dimensions: int) -> Iterator[Self | None]:
        """Yield the store for reading; None if there is none, or it cannot be read."""
        try:
            store = cls(library, fingerprint, dimensions) if cls.exists(library) else None
        except LibraryError:
            store = None
        if store is None:
            yield None
            return
        with closing(store):
            yield store

    @classmethod
    @contextmanager
    def writing(cls, library: Path, fingerprint: str, dimensions: int) -> Iterator[Self]:
        """Yield the store for writing. A file that is damaged begins anew."""
        try:
            store = cls(library, fingerprint, dimensions, write=True)
        except LibraryCorruptError:
            cls.delete(library)
            store = cls(library, fingerprint, dimensions, write=True)
        with closing(store):
            yield store

    def digests(self) -> set[bytes]:
        """Return the digests of the photos that are stored; damaged ones do not count."""
        return {digest for digest, _ in self._sound(_SELECT, ())}

    def add(self, found: Iterable[tuple[bytes, Value]]) -> None:
        """Add photos by digest."""
        with self.transaction():
            for digest, value in found:
                data = self._encode(value)
                self._do("INSERT OR REPLACE INTO derived VALUES (?, ?, ?)", digest, data, self._checksum(digest, data))

    def drop(self, digests: Iterable[bytes]) -> None:
        """Forget photos."""
        with self.transaction():
            for digest in digests:
                self._do("DELETE FROM derived WHERE digest = ?", digest)

    def read(self, digests: Sequence[bytes]) -> dict[bytes, Value]:
        """Return what is stored of photos, by digest. Those that have nothing, or are damaged, are left out."""
        if self._one("SELECT fingerprint FROM model") != self._fingerprint:
            return {}
        found: dict[bytes, Value] = {}
        for start in range(0, len(digests), _CHUNK):
            some = digests[start : start + _CHUNK]
            marks = ", ".join("?" * len(some))
            found |= dict(self._sound(f"{_SELECT} WHERE digest IN ({marks})", some))
        return found

    def read_all(self) -> dict[bytes, Value]:
        """Return what is stored of all photos, by digest."""
        if self._one("SELECT fingerprint FROM model") != self._fingerprint:
            return {}
        return dict(self._sound(_SELECT, ()))

    def damaged(self) -> int:
        """Return how many photos do not match their checksum."""
        return int(self._one("SELECT count(*) FROM derived")) - len(self.digests())

    def _sound(self, sql: str, values: Sequence[bytes]) -> Iterator[tuple[bytes, Value]]:
        for digest, data, checksum in self._rows(sql, *values):
            value = self._decode(data) if checksum == self._checksum(digest, data) else None
            if value is not None:
                yield digest, value

    def _checksum(self, digest: bytes, data: bytes) -> int:
        return embedding_checksum(f"{self._fingerprint} {digest.hex()}", 0, data)

    def _create(self) -> None:
        if self._one("PRAGMA user_version") != _VERSION:
            for table in ("derived", "model"):
                self._do(f"DROP TABLE IF EXISTS {table}")
            self._do(f"PRAGMA user_version = {_VERSION}")
        self._do("CREATE TABLE IF NOT EXISTS model (fingerprint TEXT NOT NULL)")
        self._do(
            "CREATE TABLE IF NOT EXISTS derived"
            " (digest BLOB PRIMARY KEY, data BLOB NOT NULL, checksum INTEGER NOT NULL) WITHOUT ROWID"
        )
        if self._one("SELECT fingerprint FROM model") != self._fingerprint:
            self._do("DELETE FROM derived")
            self._do("DELETE FROM model")
            self._do("INSERT INTO model VALUES (?)", self._fingerprint)
