"""Upgrading a catalog that an earlier release wrote, after a backup."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from sketchseek.atomic_write import atomic_path, make_folders
from sketchseek.errors import LibraryError
from sketchseek.search.catalog.metadata import MetadataTable
from sketchseek.search.catalog.schema import FILE, VERSION
from sketchseek.search.presence import is_there, remedy_for

STEPS: dict[int, Callable[[sqlite3.Connection], object]] = {
    9: lambda connection: connection.execute("CREATE INDEX photos_by_time ON photos (mtime_ns)"),
}
"""For each earlier format, what changes its tables to the next one. All steps run in one transaction. A change of the
schema adds one to ``schema.VERSION``, and a step here."""

BACKUPS = "backups"


class OldFormatError(LibraryError):
    """A catalog was written by an earlier release of sketchseek, and can be upgraded."""

    def __init__(self, path: Path, version: int) -> None:
        super().__init__(
            f"written in format {version} of an earlier release; this version of sketchseek reads {VERSION}.",
            subject=path,
            remedy=f"Upgrade it, after an automatic backup: sketchseek sync --library {path.parent}",
        )


def check_format(path: Path, version: int) -> None:
    """Check that this version of sketchseek reads a catalog's format.

    Raises:
        OldFormatError: It must be upgraded first.
        LibraryError: It cannot be read, nor upgraded.
    """
    if version in STEPS:
        raise OldFormatError(path, version)
    if version > VERSION:
        raise LibraryError(
            f"written in format {version} by a newer version of sketchseek; this one reads {VERSION}.",
            subject=path,
            remedy="Update sketchseek, or index into a new library.",
        )
    if version < VERSION:
        raise LibraryError(
            f"written in format {version}, from before the first release; this version of sketchseek reads {VERSION}.",
            subject=path,
            remedy=f"Delete the folder {path.parent}, and index the photos again. Photos are not touched.",
        )


def upgrade_catalog(folder: Path) -> None:
    """Upgrade a library's catalog to the current format, after copying it to the folder ``backups``.

    The caller holds the writer's lock. Readers go on with what they have opened.

    Raises:
        LibraryCorruptError: The catalog is damaged.
        LibraryError: It cannot be written, for example because the disk is full.
    """
    old = _OldCatalog(folder / FILE, write=True)
    try:
        old.upgrade(folder)
    except OSError as error:
        raise LibraryError(
            f"cannot be backed up before its upgrade ({error.strerror or error}).",
            subject=folder,
            remedy=remedy_for(error),
        ) from error
    finally:
        old.close()


class _OldCatalog(MetadataTable):
    """A catalog of an earlier format."""

    def upgrade(self, folder: Path) -> None:
        with self._guard():
            problems = [row[0] for row in self._rows("PRAGMA quick_check") if row[0] != "ok"]
            if problems:
                raise self.corrupt(f"damaged ({problems[0]}).")
            version = int(self._one("PRAGMA user_version"))
            _back_up(self._connection, folder, version)
            with self.transaction():
                for step in range(version, VERSION):
                    STEPS[step](self._connection)
                self._connection.execute(f"PRAGMA user_version = {VERSION}")


def _back_up(connection: sqlite3.Connection, library: Path, version: int) -> None:
    make_folders(library / BACKUPS)
    number = 1
    while is_there(path := library / BACKUPS / f"catalog-format{version}-{number}.db"):
        number += 1
    with atomic_path(path) as aside:
        copy = sqlite3.connect(aside)
        try:
            connection.backup(copy)
        finally:
            copy.close()
