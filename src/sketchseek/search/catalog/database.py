"""A connection to an SQLite file: opening it, transactions, and readable errors."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sketchseek.errors import LibraryCorruptError, LibraryError
from sketchseek.search.catalog.checksums import register
from sketchseek.search.presence import CHECK_DISK, is_there

_NO_PLACE_TO_SHARE = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_IOERR_SHM")


class Database:
    """A connection that one thread at a time may use.

    Args:
        path: The file.
        write: Open for writing, and create the file if it is missing.

    Raises:
        LibraryCorruptError: It is damaged, or not a database.
        LibraryError: It cannot be opened.
    """

    def __init__(self, path: Path, *, write: bool = False) -> None:
        self.path = path
        self._writing = False
        with self._guard():
            self._connection = self._connect(write=write)

    def _connect(self, *, write: bool) -> sqlite3.Connection:
        connection = self._open_file(write=write)
        try:
            register(connection)
            if write:
                connection.execute("PRAGMA journal_mode = WAL")
                # A photo that was reported as indexed must survive a power cut, not only a crash.
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA temp_store = FILE")
            else:
                connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return connection

    def _open_file(self, *, write: bool) -> sqlite3.Connection:
        where = "file:" + quote(os.fsencode(self.path))
        modes = ["rwc"] if write else ["rw", "ro"]
        for mode in modes:
            connection = sqlite3.connect(
                f"{where}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False, timeout=30
            )
            try:
                connection.execute("PRAGMA schema_version").fetchone()
                return connection
            except sqlite3.OperationalError as error:
                connection.close()
                name = error.sqlite_errorname
                if mode == modes[-1] and (write or not name.startswith(_NO_PLACE_TO_SHARE)):
                    raise
            except BaseException:
                connection.close()
                raise
        self._refuse_unfinished()
        # SQLite cannot share memory with a writer without write access; nobody else writes here either.
        return sqlite3.connect(f"{where}?mode=ro&immutable=1", uri=True, isolation_level=None, check_same_thread=False)

    def _refuse_unfinished(self) -> None:
        journal = self.path.with_name(f"{self.path.name}-wal")
        if is_there(journal) and journal.stat().st_size:
            raise LibraryError(
                "a writer was interrupted, and recovery needs write access.",
                subject=self.path,
                remedy="Free some space if the disk is full, or open the library once with permission to write: "
                f"sketchseek status --library {self.path.parent}",
            )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything inside, or nothing; the change counter grows."""
        with self._guard():
            self._connection.execute("BEGIN IMMEDIATE")
            self._writing = True
            try:
                yield
                self._before_commit()
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._writing = False

    def _before_commit(self) -> None:
        """Complete a transaction."""

    @contextmanager
    def snapshot(self, *, keep: bool = False) -> Iterator[None]:
        """Read a consistent state; with ``keep``, writes to temporary tables are kept."""
        with self._guard():
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("COMMIT" if keep else "ROLLBACK")

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._error(error) from error
        except UnicodeDecodeError as error:  # SQLite quotes damaged text in its message
            raise self.corrupt("damaged (its text is not valid).") from error

    def corrupt(self, reason: str, *, first: str = "") -> LibraryCorruptError:
        """Return the error for a catalog that is damaged. ``first`` is a line to read before it is repaired."""
        return LibraryCorruptError(
            reason,
            subject=self.path,
            remedy=f"{first}Repair it: sketchseek repair --library {self.path.parent}\n"
            "The photos themselves are not touched.",
        )

    def _error(self, error: sqlite3.Error) -> LibraryError:
        name = getattr(error, "sqlite_errorname", None) or ""
        if name == "SQLITE_FULL":
            return LibraryError(
                f"cannot be written ({error}).",
                subject=self.path,
                remedy="Free some space on the disk and run the command again: what was committed is kept.",
            )
        if name.startswith("SQLITE_IOERR"):  # some file systems say that they are full only so
            return LibraryError(
                f"cannot be read or written ({error}).",
                subject=self.path,
                remedy=f"Free some space if the disk is full. {CHECK_DISK}",
            )
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            return LibraryError(
                f"cannot be opened ({error}).",
                subject=self.path,
                remedy="Check the permissions of the library's folder, and that its disk is connected.",
            )
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")):
            return LibraryError(
                f"in use by another process ({error}).",
                subject=self.path,
                remedy="Run the command again. Keep libraries on a local disk.",
            )
        if name.startswith(("SQLITE_NOMEM", "SQLITE_INTERRUPT", "SQLITE_MISUSE")):
            return LibraryError(f"{error}.", subject=self.path)
        # What is left are damaged pages, and SQL that fails only if values, indexes or the schema are not as written.
        # SQLite also says so of a page that the disk, or a network, could not read.
        return self.corrupt(
            f"damaged ({error}).",
            first="If the disk or the network has failed just now, run the command again first.\n",
        )

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._guard():
            return self._connection.execute(sql, values).fetchall()

    def _one(self, sql: str, *values: Any) -> Any:
        with self._guard():
            row = self._connection.execute(sql, values).fetchone()
        return None if row is None else row[0]

    def _do(self, sql: str, *values: Any) -> int:
        with self._guard():
            return self._connection.execute(sql, values).rowcount
