"""The photos of a library, their embeddings and the record of removals."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchseek.errors import LibraryCorruptError
from sketchseek.search.catalog.checksums import embedding_checksum, row_checksum
from sketchseek.search.catalog.folder_text import in_folder_named
from sketchseek.search.catalog.schema import IN_FOLDER, ROW, folder_values, path_range
from sketchseek.search.catalog.text_tables import Description, TextTables
from sketchseek.search.index.protocol import Ids
from sketchseek.search.index.protocol import Vectors as Embeddings
from sketchseek.search.results import LibraryPhoto
from sketchseek.search.scan import FileState

_BLOCK = 8192


@dataclass(frozen=True)
class PhotoFacts(FileState):
    """What the catalog stores of a photo's file.

    Attributes:
        digest: SHA-256 of the file's bytes.
        width, height: In pixels.
    """

    digest: bytes
    width: int
    height: int

    def columns(self) -> tuple[bytes, int, int, bytes, int, int]:
        """Return the values in the order of the table's columns."""
        return self.path, self.size, self.mtime_ns, self.digest, self.width, self.height


@dataclass(frozen=True)
class Row(PhotoFacts):
    """A photo to add.

    Attributes:
        embedding: The embedding, as bytes of float16.
        description: What the file says besides pixels; without it, ``sync`` reads the file again.
    """

    embedding: bytes
    description: Description | None = None


@dataclass(frozen=True)
class PhotoFilter:
    """A filter in the catalog's terms.

    Attributes:
        folder: Absolute path; photos in it and below it.
        after, before: File times in nanoseconds since 1970: ``after`` is included, ``before`` is not.
        folder_contains: Part of the path of a photo's folder, ignoring case.
    """

    folder: bytes | None = None
    after: int | None = None
    before: int | None = None
    folder_contains: str | None = None


class PhotoTables(TextTables):
    """The tables ``photos`` and ``removals``."""

    # --- photos ----------

    def count(self) -> int:
        """Return the number of photos."""
        return int(self._one("SELECT count(*) FROM photos"))

    def add(self, row: Row) -> int:
        """Add a photo, replacing any other with its path; return its id. Call inside a ``transaction``."""
        self.drop(row.path)
        with self._guard():
            cursor = self._connection.execute(
                "INSERT INTO photos (path, size, mtime_ns, digest, width, height, embedding, added)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*row.columns(), row.embedding, time.time()),
            )
        photo = int(cursor.lastrowid or 0)
        self._seal_rows("id = ?", photo)
        if row.description is not None:
            self.describe(photo, row.path, row.description)
        return photo

    def _seal_rows(self, condition: str = "1", *values: object) -> None:
        """Write the checksums of photos. What was read from the catalog must have been compared with them before."""
        self._do(
            f"UPDATE photos SET checksum = row_checksum({ROW}),"
            f" embedding_checksum = embedding_checksum(?, id, embedding) WHERE {condition}",
            self._fingerprint(),
            *values,
        )

    def damaged_photos(self) -> list[int]:
        """Return the ids of photos that do not match their checksums."""
        rows = self._rows(
            f"SELECT id FROM photos WHERE checksum IS NOT row_checksum({ROW})"
            " OR embedding_checksum IS NOT embedding_checksum(?, id, embedding)",
            self._fingerprint(),
        )
        return [int(row[0]) for row in rows]

    def check_paths(self) -> None:
        """Check that each photo is found by its path: otherwise an update would add it a second time.

        Raises:
            LibraryCorruptError: The index of paths is damaged.
        """
        if self._one(
            "SELECT 1 FROM photos p NOT INDEXED WHERE NOT EXISTS (SELECT 1 FROM photos q"
            " INDEXED BY sqlite_autoindex_photos_1 WHERE q.path = p.path AND q.id = p.id) LIMIT 1"
        ):
            raise self.corrupt("damaged (its index of paths disagrees with the photos).")

    def fail(self, path: bytes, reason: str, size: int = -1, mtime_ns: int = -1) -> None:
        """Record a failure, replacing any photo with its path. Call inside a ``transaction``."""
        self.drop(path)
        text = reason.encode(errors="replace").decode()  # a file name in it need not be valid text
        self._do("INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?)", path, text, size, mtime_ns)

    def drop(self, path: bytes) -> int:
        """Remove the photo or failure with a path; return the number of photos. Call inside a ``transaction``."""
        self._do("DELETE FROM failures WHERE path = ?", path)
        return self._do("DELETE FROM photos WHERE path = ?", path)

    def move(self, photo: int, path: bytes, size: int, mtime_ns: int) -> None:
        """Change a photo's path, replacing any other there. Call inside a ``transaction``."""
        if self._one("SELECT id FROM photos WHERE path = ?", path) != photo:
            self.drop(path)
        self._do("DELETE FROM failures WHERE path = ?", path)
        self.row(photo)  # do not give a damaged row a valid checksum
        self._do("UPDATE photos SET path = ?, size = ?, mtime_ns = ? WHERE id = ?", path, size, mtime_ns, photo)
        self._seal_rows("id = ?", photo)
        self._moved = True
        self.rename_words(photo, path)

    def holds(self, path: bytes) -> bool:
        """Return whether there is a photo, or a file that failed, at a path or below it."""
        values = folder_values(path)
        return any(
            self._one(f"SELECT 1 FROM {table} WHERE {IN_FOLDER} LIMIT 1", *values) is not None
            for table in ("photos", "failures")
        )

    def drop_below(self, folder: bytes) -> int:
        """Remove a path and everything below it; return the number of photos. Call inside a ``transaction``."""
        count = self.drop(folder)
        self._do("DELETE FROM failures WHERE path >= ? AND path < ?", *path_range(folder))
        self._do(f"DELETE FROM unread WHERE {IN_FOLDER}", *folder_values(folder))
        return count + self._do("DELETE FROM photos WHERE path >= ? AND path < ?", *path_range(folder))

    def has_digest(self, digest: bytes) -> bool:
        """Return whether a photo whose file has this digest is in the library."""
        return self._one("SELECT 1 FROM photos WHERE digest = ? LIMIT 1", digest) is not None

    def digests(self) -> dict[bytes, bytes]:
        """Return the digests of all photos, each with the path of one photo that has it."""
        return dict(self._rows("SELECT digest, path FROM photos"))

    def ids_with_digest(self, digest: bytes) -> list[int]:
        """Return the ids of all photos whose files have a digest, ascending."""
        return [row[0] for row in self._rows("SELECT id FROM photos WHERE digest = ? ORDER BY id", digest)]

    def digests_and_embeddings(self, ids: Sequence[int]) -> dict[int, tuple[bytes, bytes]]:
        """Return the digest and the embedding of photos by id."""
        found: dict[int, tuple[bytes, bytes]] = {}
        for start in range(0, len(ids), 500):
            some = ids[start : start + 500]
            rows = self._rows(
                f"SELECT id, digest, embedding FROM photos WHERE id IN ({', '.join('?' * len(some))})", *some
            )
            found |= {photo: (digest, embedding) for photo, digest, embedding in rows}
        return found

    def paths_with_digest(self, digest: bytes, after: int = 0, limit: int = 100) -> list[tuple[int, bytes]]:
        """Return ids and paths of photos whose files have a digest: the first ``limit`` with ids above ``after``."""
        return [
            (int(photo), path)
            for photo, path in self._rows(
                "SELECT id, path FROM photos WHERE digest = ? AND id > ? ORDER BY id LIMIT ?", digest, after, limit
            )
        ]

    def copy(self, photo: int, path: bytes, size: int, mtime_ns: int) -> int:
        """Add a file with the same bytes as a photo's; return its id. Call inside a ``transaction``."""
        found = self.row(photo)
        if found is None:
            raise self.corrupt(f"damaged (photo {photo} is missing).")
        copy = self.add(replace(found, path=path, size=size, mtime_ns=mtime_ns))
        self.copy_description(photo, copy, path)
        return copy

    def photo(self, photo: int) -> LibraryPhoto | None:
        """Return one photo, or None if there is none with this id."""
        return self.photos([photo]).get(photo)

    def photos(self, ids: Sequence[int]) -> dict[int, LibraryPhoto]:
        """Return photos by id; unknown ids are left out."""
        found: dict[int, LibraryPhoto] = {}
        for start in range(0, len(ids), 500):
            some = [int(i) for i in ids[start : start + 500] if int(i).bit_length() < 64]  # SQLite's range
            rows = self._rows(f"SELECT checksum, {ROW} FROM photos WHERE id IN ({','.join('?' * len(some))})", *some)
            for checksum, *row in rows:
                if checksum != row_checksum(*row):
                    raise self._damaged(row[0])
                photo, path, size, mtime_ns, _, width, height, added = row
                found[photo] = LibraryPhoto(photo, Path(os.fsdecode(path)), width, height, size, mtime_ns, added)
        return found

    def id_of(self, path: bytes, digest: bytes | None = None) -> int | None:
        """Return the id of the photo with a path, if its file has this digest."""
        found = self._one("SELECT id FROM photos WHERE path = ? AND digest = coalesce(?, digest)", path, digest)
        return None if found is None else int(found)

    def row(self, photo: int) -> Row | None:
        """Return what was stored of a photo, without its description, or None if there is none with this id."""
        rows = self._rows(f"SELECT checksum, embedding_checksum, embedding, {ROW} FROM photos WHERE id = ?", photo)
        if not rows:
            return None
        checksum, embedding_sum, embedding, *row = rows[0]
        if checksum != row_checksum(*row) or embedding_sum != embedding_checksum(self._fingerprint(), photo, embedding):
            raise self._damaged(photo)
        _, path, size, mtime_ns, digest, width, height, _ = row
        return Row(path, size, mtime_ns, digest, width, height, embedding)

    def _damaged(self, photo: object) -> LibraryCorruptError:
        return self.corrupt(f"damaged (photo {photo} does not match its checksum).")

    def ids_matching(self, filter: PhotoFilter, above: int = 0) -> Ids:
        """Return the ids of the photos that match a filter, ascending; only those above an id, if it is given."""
        if filter == PhotoFilter(folder=filter.folder) and not above:
            return self.ids(filter.folder)
        # A unary + keeps SQLite from using another index than that of the ids.
        path, time = ("+path", "+mtime_ns") if above else ("path", "mtime_ns")
        conditions, values = (["id > ?"], [above]) if above else ([], [])  # type: tuple[list[str], list[bytes | int]]
        if filter.after is not None:
            conditions.append(f"{time} >= ?")
            values.append(filter.after)
        if filter.before is not None:
            conditions.append(f"{time} < ?")
            values.append(filter.before)
        if filter.folder is not None:
            conditions.append(IN_FOLDER.replace("path", path))
            values += folder_values(filter.folder)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        if filter.folder_contains is None:
            rows = self._rows(f"SELECT id FROM photos{where}", *values)
        else:
            named = in_folder_named(filter.folder_contains)
            rows = [row for row in self._rows(f"SELECT id, path FROM photos{where}", *values) if named(row[1])]
        ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        ids.sort()
        return ids

    def ids_by_time(self, newest: bool) -> Ids:
        """Return the ids of all photos by file time, then by id: the newest, or the oldest, first."""
        rows = self._rows("SELECT id, mtime_ns FROM photos ORDER BY id")
        ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        times = np.fromiter((row[1] for row in rows), np.int64, len(rows))
        order = np.argsort(times, kind="stable")
        return ids[order[::-1] if newest else order]

    def ids_by_path(self) -> Ids:
        """Return the ids of all photos by path."""
        rows = self._rows("SELECT id FROM photos ORDER BY path")
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def ids(self, folder: bytes | None = None) -> Ids:
        """Return the ids of all photos, or of those in a folder and below it, ascending."""
        if folder is None:
            rows = self._rows("SELECT id FROM photos")
        else:
            rows = self._rows(
                "SELECT id FROM photos WHERE path >= ? AND path < ? UNION SELECT id FROM photos WHERE path = ?",
                *path_range(folder),
                folder,
            )
        ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        ids.sort()
        return ids

    def paths(self) -> dict[int, bytes]:
        """Return every photo's path, by id."""
        return dict(self._rows("SELECT id, path FROM photos"))

    # --- embeddings ----------

    def embedding(self, photo: int) -> bytes | None:
        """Return one photo's embedding as bytes of float16, or None."""
        if int(photo).bit_length() > 63:  # beyond SQLite's range
            return None
        rows = self._rows("SELECT id, embedding, embedding_checksum FROM photos WHERE id = ?", photo)
        return bytes(self._checked(rows)[0][1]) if rows else None

    def embeddings_of(self, ids: Ids, dimension: int) -> npt.NDArray[np.float32]:
        """Return the embeddings of known ids, in their order: (m, dimension) float32."""
        found: dict[int, bytes] = {}
        for start in range(0, len(ids), 500):
            some = ids[start : start + 500].tolist()
            rows = self._rows(
                f"SELECT id, embedding, embedding_checksum FROM photos WHERE id IN ({','.join('?' * len(some))})", *some
            )
            found.update((row[0], row[1]) for row in self._checked(rows))
        try:
            data = b"".join(found[photo] for photo in ids.tolist())
        except KeyError as error:
            raise self.corrupt(f"damaged (photo {error} is missing).") from error
        return np.frombuffer(data, np.float16).reshape(-1, dimension).astype(np.float32)

    def embeddings(self, dimension: int, after: int = 0) -> Iterator[tuple[Ids, Embeddings]]:
        """Yield blocks of ids, (m,), and embeddings, (m, dimension) float16, with ids above ``after``, ascending.

        Raises:
            LibraryCorruptError: An embedding has another length, or does not match its checksum.
        """
        while True:
            rows = self._rows(
                "SELECT id, embedding, embedding_checksum FROM photos WHERE id > ? ORDER BY id LIMIT ?", after, _BLOCK
            )
            if not rows:
                return
            yield self._block(rows, dimension)
            after = rows[-1][0]

    def sample(self, dimension: int, size: int) -> Embeddings:
        """Return about ``size`` embeddings, spread evenly over the ids: (m, dimension) float16."""
        step = max(1, self.count() // max(size, 1))
        rows = (
            self._rows("SELECT id, embedding, embedding_checksum FROM photos WHERE id % ? = 0 LIMIT ?", step, size)
            if size
            else []
        )
        return self._block(rows, dimension)[1]

    def _block(self, rows: list[tuple[Any, ...]], dimension: int) -> tuple[Ids, Embeddings]:
        if any(len(row[1]) != 2 * dimension for row in self._checked(rows)):
            raise self.corrupt("an embedding has a wrong length.")
        ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        return ids, np.frombuffer(b"".join(row[1] for row in rows), np.float16).reshape(-1, dimension)

    def _checked(self, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Compare rows of id, embedding and checksum."""
        fingerprint = self._fingerprint()
        for photo, embedding, checksum in rows:
            if embedding_checksum(fingerprint, photo, embedding) != checksum:
                raise self._damaged(photo)
        return rows

    def removed_since(self, removal: int) -> Ids:
        """Return the ids that were removed after a removal."""
        rows = self._rows("SELECT id, complement FROM removals WHERE seq > ?", removal)
        if any(complement != ~photo for photo, complement in rows):
            raise self.corrupt("damaged (the record of removals does not match its checksums).")
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def forget_removals(self, upto: int) -> None:
        """Drop the record of old removals; readers that missed them rebuild. Call inside a ``transaction``."""
        self._do("DELETE FROM removals WHERE seq <= ?", upto)
        self._set_meta(removals_floor=upto)
