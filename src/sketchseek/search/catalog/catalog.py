"""Opening and creating a catalog."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from sketchseek.atomic_write import SUFFIX, atomic_path
from sketchseek.errors import LibraryCorruptError, LibraryError, LibraryNotFoundError
from sketchseek.search.catalog.folders import FolderTables
from sketchseek.search.catalog.metadata import LibraryMetadata
from sketchseek.search.catalog.photos import PhotoTables
from sketchseek.search.catalog.salvage import SavedPhoto
from sketchseek.search.catalog.scan_tables import ScanTables
from sketchseek.search.catalog.schema import APPLICATION, FILE, LIBRARY_FILE, ROW, SCHEMA, VERSION, statements
from sketchseek.search.catalog.staging import StagingTable
from sketchseek.search.catalog.text_check import TextChecks
from sketchseek.search.catalog.text_tables import Description
from sketchseek.search.catalog.upgrade import BACKUPS, check_format
from sketchseek.search.presence import is_there, remedy_for
from sketchseek.search.scan_rules import ScanRules


class Catalog(ScanTables, StagingTable, FolderTables, TextChecks):
    """A connection to a library's catalog. One thread at a time may use it.

    Args:
        folder: The library's folder.
        create: Create the catalog if there is none, with this metadata. The caller holds the writer's lock.
        write: Open for writing.

    Raises:
        LibraryNotFoundError: There is no library.
        LibraryCorruptError: The file is damaged, not a catalog, or missing from a library.
        OldFormatError: It was written by an earlier release; upgrade it with ``upgrade_catalog``.
        LibraryError: It cannot be opened, or its format cannot be read.
    """

    def __init__(self, folder: Path, *, create: LibraryMetadata | None = None, write: bool = False) -> None:
        path = folder / FILE
        try:
            missing = not is_there(path)
            lost = missing and is_library(folder)
        except OSError as error:
            raise LibraryError(
                f"cannot be opened ({error.strerror}).", subject=folder, remedy=remedy_for(error)
            ) from error
        except ValueError:  # a NUL in the path
            missing, lost = True, False
        if lost:
            raise LibraryCorruptError(
                "the library's catalog is missing.",
                subject=folder,
                remedy=f"Restore {FILE} from a backup, or repair the library: sketchseek repair --library {folder}",
            )
        if missing and create is None:
            raise LibraryNotFoundError(
                "there is no library here.",
                subject=folder,
                remedy=f"Create one: sketchseek index PHOTOS --library {folder}",
            )
        if missing and create is not None:
            create_catalog(path, create)
        super().__init__(path, write=write or create is not None)
        try:
            with self._guard():
                self._check()
        except BaseException:
            self.close()
            raise

    def _check(self) -> None:
        if self._one("PRAGMA application_id") != APPLICATION:
            raise self.corrupt("not a catalog of sketchseek, or damaged.")
        check_format(self.path, self._one("PRAGMA user_version"))
        found = {row[0] for row in self._rows("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
        if not found >= _expected_schema():
            raise self.corrupt("damaged (its tables are not as they were made).")

    def check(self) -> list[str]:
        """Run SQLite's integrity check and compare every checksum; return the problems."""
        problems = [str(row[0]) for row in self._rows("PRAGMA integrity_check") if row[0] != "ok"]
        try:
            self.state()
            self.roots()
            self.failures()
            self.removed_since(0)
        except LibraryCorruptError as error:
            problems.append(error.reason)
        problems += [f"photo {photo} does not match its checksum" for photo in self.damaged_photos()]
        return problems


def create_catalog(path: Path, metadata: LibraryMetadata) -> None:
    """Create a catalog. It appears under its name complete and synced to disk, or not at all.

    Raises:
        LibraryError: The folder cannot be written to, or the disk is full.
    """
    for left in path.parent.glob(f"{path.name}.*{SUFFIX}*"):  # of creations that were killed
        left.unlink(missing_ok=True)
    try:
        with atomic_path(path) as aside:
            new = _NewCatalog(aside, write=True)
            try:
                new.create(metadata)
            finally:
                new.close()
    except OSError as error:
        raise LibraryError(
            f"cannot be written ({error.strerror or error}).",
            subject=path,
            remedy=remedy_for(error),
        ) from error


def write_catalog(
    path: Path,
    metadata: LibraryMetadata,
    photos: Sequence[SavedPhoto],
    folders: tuple[Sequence[bytes], Sequence[bytes]],
    *,
    descriptions: Mapping[int, Description],
    rules: ScanRules,
    last_id: int,
    last_removal: int,
    revision: int,
) -> None:
    """Write a catalog of photos that were saved from a damaged one. They keep their ids.

    Args:
        path: The file to create.
        metadata: The library's model.
        photos: In the order of their ids.
        folders: The folders that ``sync`` visits, and the paths in them that it skips.
        descriptions: Words and colors by id, as far as they were saved.
        rules: What scans skip.
        last_id, last_removal: The next ones are above these.
        revision: Greater than that of the damaged catalog, so that readers build their index again.
    """
    new = _NewCatalog(path, write=True)
    try:
        new.create(metadata, photos, folders, rules, (last_id, last_removal), revision, descriptions)
    finally:
        new.close()


class _NewCatalog(PhotoTables, FolderTables):
    """A catalog that is being created under a temporary name."""

    def create(
        self,
        metadata: LibraryMetadata,
        photos: Sequence[SavedPhoto] = (),
        folders: tuple[Sequence[bytes], Sequence[bytes]] = ((), ()),
        rules: ScanRules | None = None,
        last: tuple[int, int] = (0, 0),
        revision: int = 0,
        descriptions: Mapping[int, Description] | None = None,
    ) -> None:
        with self._guard():
            with self.transaction():
                for statement in statements(SCHEMA):
                    self._connection.execute(statement)
                self.set_model(metadata)
                self._set_meta(revision=revision, removals_floor=last[1])
                self.set_roots(*folders)
                if rules is not None:
                    self.set_scan_rules(rules)
                self._connection.executemany(
                    f"INSERT INTO photos ({ROW}, embedding) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    ((photo.id, *photo.columns(), photo.added, photo.embedding) for photo in photos),
                )
                self._seal_rows()
                for photo in photos:
                    if description := (descriptions or {}).get(photo.id):
                        self.describe(photo.id, photo.path, description)
                self._connection.execute("DELETE FROM sqlite_sequence")
                self._connection.execute("INSERT INTO sqlite_sequence VALUES ('photos', ?), ('removals', ?)", last)
            self._connection.execute(f"PRAGMA application_id = {APPLICATION}")
            self._connection.execute(f"PRAGMA user_version = {VERSION}")
            # The file alone gets the library's name. Closing moves the journal into it, too, but hides errors.
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def is_library(folder: Path) -> bool:
    """Return whether a folder has files that only a library has. A creation that was killed leaves none of them."""
    try:
        return any(is_there(folder / name) for name in (FILE, f"{FILE}-wal", LIBRARY_FILE, BACKUPS)) or any(
            folder.glob("index/*")
        )
    except ValueError:  # a NUL in the path, which Python 3.13's glob does not take
        return False


@cache
def _expected_schema() -> frozenset[str]:
    connection = sqlite3.connect(":memory:")
    try:
        for statement in statements(SCHEMA):
            connection.execute(statement)
        return frozenset(
            row[0] for row in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        )
    finally:
        connection.close()
