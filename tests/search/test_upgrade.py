"""A catalog of an earlier format is upgraded after a backup; of another format it is an error that says what to do.

No earlier format was released, so these tests make one: today's format counts as old; the next one has one more column.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sketchseek.errors import LibraryCorruptError, LibraryError
from sketchseek.search.catalog import (
    FILE,
    Catalog,
    LibraryMetadata,
    OldFormatError,
    Row,
    schema,
    upgrade,
    upgrade_catalog,
)

METADATA = LibraryMetadata("tiny", "tiny", "0123", 2, "cosine")
OLD, NEW = schema.VERSION, schema.VERSION + 1


def add_a_column(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE failures ADD COLUMN kind TEXT")


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of an earlier format, with one photo."""
    with closing(Catalog(tmp_path, create=METADATA)) as catalog, catalog.transaction():
        catalog.add(Row(b"/a", 1, 2, b"digest", 3, 4, b"\0\0\0\0"))
        catalog.fail(b"/b", "damaged")
    monkeypatch.setattr(upgrade, "VERSION", NEW)
    monkeypatch.setattr(upgrade, "STEPS", {OLD: add_a_column})
    return tmp_path


def contents(path: Path) -> tuple[int, list[str], int]:
    """The format, the columns of ``failures``, and the number of photos."""
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        columns = [row[1] for row in connection.execute("PRAGMA table_info(failures)")]
        (photos,) = connection.execute("SELECT count(*) FROM photos").fetchone()
    return version, columns, photos


FAILURES = ["path", "reason", "size", "mtime_ns"]


def test_an_old_catalog_is_upgraded_after_a_backup(old: Path) -> None:
    with pytest.raises(OldFormatError, match=rf"format {OLD}[\s\S]*sketchseek sync"):
        Catalog(old)
    upgrade_catalog(old)
    assert contents(old / FILE) == (NEW, [*FAILURES, "kind"], 1)
    (backup,) = (old / "backups").iterdir()
    assert contents(backup) == (OLD, FAILURES, 1)


def test_steps_run_one_after_the_other(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrade, "VERSION", NEW + 1)
    monkeypatch.setitem(
        upgrade.STEPS, NEW, lambda connection: connection.execute("ALTER TABLE failures RENAME COLUMN kind TO cause")
    )
    upgrade_catalog(old)
    assert contents(old / FILE) == (NEW + 1, [*FAILURES, "cause"], 1)
    assert len(list((old / "backups").iterdir())) == 1


def test_without_a_backup_nothing_is_changed(old: Path) -> None:
    before = (old / FILE).read_bytes()
    (old / "backups").write_bytes(b"in the way")
    with pytest.raises(LibraryError, match="cannot be backed up"):
        upgrade_catalog(old)
    assert (old / FILE).read_bytes() == before


def test_an_upgrade_that_fails_leaves_the_old_format(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(connection: sqlite3.Connection) -> None:
        add_a_column(connection)
        connection.execute("SELECT * FROM nothing")

    monkeypatch.setitem(upgrade.STEPS, OLD, half)
    with pytest.raises(LibraryCorruptError):
        upgrade_catalog(old)
    assert contents(old / FILE) == (OLD, FAILURES, 1)
    monkeypatch.setitem(upgrade.STEPS, OLD, add_a_column)
    upgrade_catalog(old)
    assert contents(old / FILE)[0] == NEW
    assert len(list((old / "backups").iterdir())) == 2


def test_a_damaged_old_catalog_is_not_upgraded(old: Path) -> None:
    with (old / FILE).open("r+b") as file:
        file.seek(4096 * 2)
        file.write(b"\xa5" * 4096)
    with pytest.raises(LibraryCorruptError):
        upgrade_catalog(old)
    assert not (old / "backups").exists()


@pytest.mark.parametrize(
    ("version", "remedy"), [(3, r"before the first release[\s\S]*index the photos again"), (99, "Update sketchseek")]
)
def test_a_format_that_cannot_be_upgraded_is_named(tmp_path: Path, version: int, remedy: str) -> None:
    with closing(Catalog(tmp_path, create=METADATA)) as catalog:
        catalog._rows(f"PRAGMA user_version = {version}")
    with pytest.raises(LibraryError, match=rf"format {version}\b[\s\S]*{remedy}"):
        Catalog(tmp_path)
    assert not (tmp_path / "backups").exists()


def test_the_steps_make_today_s_tables(tmp_path: Path) -> None:
    with closing(Catalog(tmp_path, create=METADATA)) as catalog, catalog.transaction():
        catalog.add(Row(b"/a", 1, 2, b"digest", 3, 4, b"\0\0\0\0"))
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.executescript("DROP INDEX photos_by_time; PRAGMA user_version = 9")
    with pytest.raises(OldFormatError):
        Catalog(tmp_path)
    upgrade_catalog(tmp_path)
    with closing(Catalog(tmp_path)) as catalog:
        assert catalog.check() == []
        assert catalog.count() == 1
