"""Opening and creating a catalog."""

from __future__ import annotations

from pathlib import Path

from sketchseek.errors import LibraryCorruptError, LibraryError, LibraryNotFoundError
from sketchseek.search.catalog.folders import FolderTables
from sketchseek.search.catalog.metadata import LibraryMetadata
from sketchseek.search.catalog.scan_tables import ScanTables
from sketchseek.search.catalog.schema import APPLICATION, SCHEMA, TEXT_SCHEMA, VERSION, statements
from sketchseek.search.catalog.staging import StagingTable

FILE = "catalog.db"


class Catalog(ScanTables, StagingTable, FolderTables):
    """A connection to a library's catalog. One thread at a time may use it.

    Args:
        folder: The library's folder.
        create: Create the catalog if there is none, with this metadata.
        write: Open for writing.

    Raises:
        LibraryNotFoundError: There is no catalog.
        LibraryCorruptError: The file is damaged, or not a catalog.
        LibraryError: It cannot be opened.
    """

    def __init__(self, folder: Path, *, create: LibraryMetadata | None = None, write: bool = False) -> None:
        path = folder / FILE
        try:
            missing = create is None and not path.is_file()
        except OSError as error:
            raise LibraryError(f"cannot be opened ({error.strerror}).", subject=folder) from error
        if missing:
            raise _not_found(folder)
        super().__init__(path, write=write or create is not None)
        try:
            with self._guard():
                if create is not None:
                    self._create(create)
                self._check()
                if write or create is not None:
                    self.create_text_tables()
        except BaseException:
            self.close()
            raise

    def _create(self, metadata: LibraryMetadata) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        if self._is_blank():
            for statement in statements(SCHEMA + TEXT_SCHEMA):
                self._connection.execute(statement)
            self.set_model(metadata)
            self._connection.execute(f"PRAGMA application_id = {APPLICATION}")
            self._connection.execute(f"PRAGMA user_version = {VERSION}")
        self._connection.execute("COMMIT")

    def _is_blank(self) -> bool:
        return (self._one("PRAGMA user_version"), self._one("SELECT count(*) FROM sqlite_master")) == (0, 0)

    def _check(self) -> None:
        if self._is_blank():
            raise _not_found(self.path.parent)  # a crash interrupted its creation
        if self._one("PRAGMA application_id") != APPLICATION:
            raise LibraryCorruptError(
                "not a catalog of sketchseek.",
                subject=self.path,
                remedy="Choose another folder for the library, or delete the file and index again.",
            )
        version = self._one("PRAGMA user_version")
        if version != VERSION:
            raise LibraryError(
                f"written in format {version}; this version of sketchseek reads {VERSION}.",
                subject=self.path,
                remedy="Use the version of sketchseek that wrote it, or index into a new library.",
            )

    def check(self) -> list[str]:
        """Run SQLite's integrity check; return its problems."""
        return [str(row[0]) for row in self._rows("PRAGMA integrity_check") if row[0] != "ok"]


def _not_found(folder: Path) -> LibraryNotFoundError:
    return LibraryNotFoundError(
        "there is no library here.", subject=folder, remedy=f"Create one: sketchseek index PHOTOS --library {folder}"
    )
