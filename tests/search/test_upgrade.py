"""A catalog of format 3, which had no checksums, is upgraded after a backup."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from search.test_crash import draw_photos
from sketchseek.errors import LibraryCorruptError
from sketchseek.models.package import ModelPackage
from sketchseek.search.catalog import FILE, Catalog, OldFormatError, upgrade_catalog
from sketchseek.search.library import Library

_DOWNGRADE = """
DROP TRIGGER photo_removed;
DROP TRIGGER description_removed;
DROP INDEX photos_by_digest;
ALTER TABLE photos RENAME TO new_photos;
CREATE TABLE photos (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    digest BLOB NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    embedding BLOB NOT NULL,
    added REAL NOT NULL
);
INSERT INTO photos SELECT id, path, size, mtime_ns, digest, width, height, embedding, added FROM new_photos;
UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'new_photos') WHERE name = 'photos';
DROP TABLE new_photos;
CREATE INDEX photos_by_digest ON photos (digest);
ALTER TABLE removals DROP COLUMN complement;
ALTER TABLE staged DROP COLUMN checksum;
CREATE TRIGGER photo_removed AFTER DELETE ON photos BEGIN INSERT INTO removals (id) VALUES (old.id); END;
CREATE TRIGGER description_removed AFTER DELETE ON photos BEGIN
    DELETE FROM descriptions WHERE id = old.id;
    DELETE FROM words WHERE rowid = old.id;
END;
DROP TABLE unread;
DELETE FROM meta WHERE key IN ('checksum', 'last_id', 'last_removal', 'folders');
PRAGMA user_version = 3;
"""


@pytest.fixture
def old(tmp_path: Path, tiny_model: ModelPackage) -> Path:
    draw_photos(tmp_path / "photos", 30)
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        library.add([tmp_path / "photos"])
        library.remove(sorted((tmp_path / "photos").rglob("*.jpg"))[-1])  # the highest id is gone
    connection = sqlite3.connect(tmp_path / "library" / FILE)
    connection.executescript(_DOWNGRADE)
    connection.close()
    (tmp_path / "library" / "library.json").unlink()
    return tmp_path / "library"


def test_an_old_catalog_is_upgraded_when_a_library_is_opened(old: Path) -> None:
    with pytest.raises(OldFormatError, match=r"format 3[\s\S]*sketchseek sync"):
        Library.open(old, readonly=True)
    with Library.open(old) as library:
        assert len(library.search_embedding(np.ones(16), k=100)) == 29
        assert library.verify(sample=29).problems == []
        assert library.sync().unchanged == 29
        state = library._catalog.state()
        assert (state.last_id, state.last_removal) == (30, 1)
    (backup,) = (old / "backups").iterdir()
    connection = sqlite3.connect(backup)
    assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    assert connection.execute("SELECT count(*) FROM photos").fetchone() == (29,)
    connection.close()
    assert (old / "library.json").is_file()


def test_without_a_backup_nothing_is_changed(old: Path) -> None:
    before = (old / FILE).read_bytes()
    (old / "backups").write_bytes(b"in the way")
    with pytest.raises(Exception, match="cannot be backed up"):
        Library.open(old)
    assert (old / FILE).read_bytes() == before


def test_an_upgrade_that_fails_leaves_the_old_format(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sketchseek.search.catalog.upgrade.VERSION", "not a number; SELECT raise")
    with pytest.raises(LibraryCorruptError):
        upgrade_catalog(old)
    monkeypatch.undo()
    with pytest.raises(OldFormatError):
        Catalog(old)
    with Library.open(old) as library:
        assert library.verify().ok
    assert len(list((old / "backups").iterdir())) == 2


def test_a_damaged_old_catalog_is_not_upgraded(old: Path) -> None:
    with (old / FILE).open("r+b") as file:
        file.seek(4096 * 2)
        file.write(b"\xa5" * 4096)
    with pytest.raises(LibraryCorruptError):
        Library.open(old)
    assert not (old / "backups").exists()
