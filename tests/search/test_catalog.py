from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pytest

from sketchseek.errors import LibraryCorruptError, LibraryError, LibraryNotFoundError
from sketchseek.search.catalog import FILE, Catalog, LibraryMetadata, Row
from sketchseek.search.catalog.database import Database

METADATA = LibraryMetadata("tiny", "tiny", "0123", 2, "cosine")


def row(path: str, value: float = 0.0, digest: bytes = b"d") -> Row:
    return Row(path.encode(), 1, 2, digest, 3, 4, np.full(2, value, np.float16).tobytes())


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """An empty catalog, open for writing."""
    with closing(Catalog(tmp_path, create=METADATA)) as catalog:
        yield catalog


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[], Catalog]]:
    """Opens the catalog for reading; it is closed after the test."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(Catalog(tmp_path)))


def test_a_new_catalog_is_in_one_file_before_it_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    close, alone = Database.close, tmp_path / "alone.db"

    def copied(database: Database) -> None:
        if not alone.exists():
            shutil.copyfile(database.path, alone)
        close(database)

    monkeypatch.setattr(Database, "close", copied)
    Catalog(tmp_path, create=METADATA).close()
    with closing(sqlite3.connect(alone)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM meta").fetchone()[0] > 0


def test_ids_are_never_given_again(catalog: Catalog) -> None:
    with catalog.transaction():
        first = catalog.add(row("/a"))
        last = catalog.add(row("/b"))
        catalog.drop(b"/b")
        again = catalog.add(row("/b"))
        changed = catalog.add(row("/a"))
    assert first < last < again < changed
    assert catalog.ids().tolist() == [again, changed]


def test_a_follower_can_catch_up(catalog: Catalog) -> None:
    with catalog.transaction():
        old = [catalog.add(row(f"/{i}", i)) for i in range(4)]
    before = catalog.state()
    with catalog.transaction():
        catalog.drop(b"/1")
        catalog.drop_below(b"/2")
        new = catalog.add(row("/9", 9))
    state = catalog.state()
    assert catalog.removed_since(before.last_removal).tolist() == [old[1], old[2]]
    ((ids, embeddings),) = catalog.embeddings(2, after=before.last_id)
    assert (ids.tolist(), embeddings.tolist()) == ([new], [[9.0, 9.0]])
    assert state.last_id == new
    with catalog.transaction():
        catalog.forget_removals(state.last_removal)
    assert catalog.state().floor == catalog.state().last_removal == state.last_removal
    with catalog.transaction():
        catalog.drop(b"/9")
    assert catalog.state().last_removal > state.last_removal
    assert catalog.state().last_id == new


def test_a_transaction_happens_or_does_not(catalog: Catalog, opened: Callable[[], Catalog]) -> None:
    other = opened()
    changes = other.metadata().changes

    def half() -> None:
        with catalog.transaction():
            catalog.add(row("/a"))
            assert other.count() == 0
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert (other.count(), other.metadata().changes) == (0, changes)
    with catalog.transaction():
        catalog.add(row("/a"))
    assert other.count() == 1
    assert other.metadata().changes > changes


def test_a_snapshot_stays(catalog: Catalog, opened: Callable[[], Catalog]) -> None:
    other = opened()
    with other.snapshot():
        assert other.count() == 0
        with catalog.transaction():
            catalog.add(row("/a"))
        assert other.count() == 0
    assert other.count() == 1


def test_photos_and_failures_exclude_one_another(catalog: Catalog) -> None:
    with catalog.transaction():
        catalog.add(row("/a"))
        catalog.fail(b"/a", "bad", 1, 2)
    assert (catalog.count(), catalog.failure_count()) == (0, 1)
    with catalog.transaction():
        catalog.add(row("/a"))
    assert (catalog.count(), catalog.failure_count()) == (1, 0)


def test_moving_onto_another_photo_replaces_it(catalog: Catalog) -> None:
    with catalog.transaction():
        first = catalog.add(row("/a"))
        catalog.add(row("/b"))
        catalog.move(first, b"/b", 5, 6)
    photos = catalog.photos(catalog.ids().tolist())
    assert {photo: str(facts.path) for photo, facts in photos.items()} == {first: "/b"}
    assert (photos[first].size, photos[first].mtime_ns) == (5, 6)


def test_folders(catalog: Catalog) -> None:
    paths = ["/a", "/a/b", "/a/b/c", "/a-b", "/a0", "/ab/c"]
    with catalog.transaction():
        ids = {path: catalog.add(row(path)) for path in paths}
    assert catalog.ids(b"/a").tolist() == sorted(ids[p] for p in paths if p == "/a" or p.startswith("/a/"))
    assert catalog.ids(b"/a/b").tolist() == [ids["/a/b"], ids["/a/b/c"]]
    assert catalog.ids(b"/").tolist() == sorted(ids.values())
    assert catalog.ids(b"/none").tolist() == []
    with catalog.transaction():
        assert catalog.drop_below(b"/a/b") == 2


def test_many_photos_at_once(catalog: Catalog) -> None:
    with catalog.transaction():
        ids = [catalog.add(row(f"/{i}", i % 100)) for i in range(1203)]
    assert sorted(catalog.photos(ids)) == ids
    assert catalog.embeddings_of(np.array(ids[::-1]), 2)[:, 0].tolist() == [i % 100 for i in range(1202, -1, -1)]
    assert sum(len(some) for some, _ in catalog.embeddings(2)) == 1203
    assert 100 <= len(catalog.sample(2, 300)) <= 300


def test_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFoundError, match="no library here"):
        Catalog(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_database_is_damage_not_absence(tmp_path: Path) -> None:
    """Creation renames a complete file into place, so a crash cannot leave an empty one."""
    for content in (b"", sqlite_file()):
        (tmp_path / FILE).write_bytes(content)
        for create in (None, METADATA):
            with pytest.raises(LibraryCorruptError, match="repair"):
                Catalog(tmp_path, create=create)


def sqlite_file() -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("VACUUM")
        return connection.serialize()


@pytest.mark.parametrize("left", ["catalog.db-wal", "library.json", "index/1.faiss", "backups/catalog-format3-1.db"])
def test_a_library_without_its_catalog_is_damaged_not_absent(tmp_path: Path, left: str) -> None:
    (tmp_path / left).parent.mkdir(exist_ok=True)
    (tmp_path / left).write_bytes(b"x")
    for create in (None, METADATA):
        with pytest.raises(LibraryCorruptError, match=r"catalog is missing[\s\S]*repair"):
            Catalog(tmp_path, create=create)


def test_what_a_killed_creation_left_is_no_library(tmp_path: Path) -> None:
    for name in ("writer.lock", "catalog.db.0a1b2c3d.part", "catalog.db.0a1b2c3d.part-wal"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(LibraryNotFoundError):
        Catalog(tmp_path)
    with closing(Catalog(tmp_path, create=METADATA)) as catalog:
        assert catalog.metadata().fingerprint == METADATA.fingerprint
    assert {path.name for path in tmp_path.iterdir()} >= {"catalog.db", "writer.lock"}
    assert not list(tmp_path.glob("*.part*"))


@pytest.mark.parametrize("content", [b"not a database " * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_catalog(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(LibraryCorruptError, match=r"catalog\.db"):
        Catalog(tmp_path)


def test_another_program_s_database_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    for create in (None, METADATA):
        with pytest.raises(LibraryCorruptError, match="not a catalog of sketchseek"):
            Catalog(tmp_path, create=create)


def test_a_newer_format_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    catalog._rows("PRAGMA user_version = 99")
    with pytest.raises(LibraryError, match="format 99"):
        Catalog(tmp_path)


def test_damage_is_named(catalog: Catalog, tmp_path: Path, opened: Callable[[], Catalog]) -> None:
    with catalog.transaction():
        for i in range(2000):
            catalog.add(row(f"/{i}", digest=bytes(str(i), "ascii")))
    catalog.close()
    data = bytearray((tmp_path / FILE).read_bytes())
    for page in range(3, len(data) // 4096):
        data[page * 4096 : page * 4096 + 200] = b"\xa5" * 200
    (tmp_path / FILE).write_bytes(data)
    with pytest.raises(LibraryCorruptError, match=r"damaged[\s\S]*repair"):
        list(opened().embeddings(2))


def test_the_check_finds_a_row_that_lost_its_index_entry(
    catalog: Catalog, tmp_path: Path, opened: Callable[[], Catalog]
) -> None:
    with catalog.transaction():
        for i in range(500):
            catalog.add(row(f"/{i:04d}"))
    assert catalog.check() == []
    catalog.close()
    data = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(data.replace(b"/0250", b"/9250", 1))
    assert opened().check() != []


def test_an_embedding_of_another_length_is_named(catalog: Catalog) -> None:
    with catalog.transaction():
        catalog.add(row("/a"))
    with pytest.raises(LibraryCorruptError, match="wrong length"):
        list(catalog.embeddings(3))


def test_a_full_disk_is_named_and_what_was_committed_stays(catalog: Catalog) -> None:
    with catalog.transaction():
        catalog.add(row("/a"))
    pages = catalog._rows("PRAGMA page_count")[0][0]
    catalog._rows(f"PRAGMA max_page_count = {pages + 1}")

    def fill() -> None:
        with catalog.transaction():
            for i in range(5000):
                catalog.add(row(f"/{i}"))

    with pytest.raises(LibraryError, match=r"full[\s\S]*Free some space"):
        fill()
    assert catalog.count() == 1
    assert catalog.check() == []


def test_a_reader_cannot_write(catalog: Catalog, opened: Callable[[], Catalog]) -> None:
    reader = opened()
    with pytest.raises(LibraryError), reader.transaction():
        reader.add(row("/a"))
    assert catalog.count() == 0


@pytest.mark.parametrize(
    "column", ["path", "size", "mtime_ns", "digest", "width", "height", "added", "embedding", "checksum"]
)
def test_a_changed_value_is_noticed_when_it_is_read(catalog: Catalog, column: str) -> None:
    """SQLite's own check does not see it."""
    with catalog.transaction():
        photo = catalog.add(row("/a"))
    kind = "X'00003c00'" if column in ("path", "digest", "embedding") else "7"
    catalog._rows(f"UPDATE photos SET {column} = {kind}")
    assert [row[0] for row in catalog._rows("PRAGMA integrity_check")] == ["ok"]
    assert catalog.check() == [f"photo {photo} does not match its checksum"]
    with pytest.raises(LibraryCorruptError, match=r"checksum[\s\S]*repair"):
        catalog.photos([photo]), catalog.embedding(photo)
    with pytest.raises(LibraryCorruptError, match="checksum"):
        catalog.photos([photo]), list(catalog.embeddings(2))
    with pytest.raises(LibraryCorruptError, match="checksum"), catalog.transaction():
        catalog.move(photo, b"/b", 1, 1)
    with pytest.raises(LibraryCorruptError, match="checksum"), catalog.transaction():
        catalog.copy(photo, b"/b", 1, 1)
    with pytest.raises(LibraryCorruptError, match="checksum"), catalog.transaction():
        catalog.apply_staged(METADATA)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE meta SET value = '7' WHERE key = 'revision'",
        "UPDATE meta SET value = 'euclidean' WHERE key = 'distance'",
        "UPDATE meta SET value = '100000000' WHERE key = 'dimensions'",
        "DELETE FROM meta WHERE key = 'changes'",
        "UPDATE sqlite_sequence SET seq = 0",
        "UPDATE sqlite_sequence SET seq = 77 WHERE name = 'photos'",
        "UPDATE removals SET id = 5",
        "UPDATE roots SET path = X'2f62'",
        "DELETE FROM excluded",
        "DROP INDEX photos_by_digest",
        "DROP TRIGGER photo_removed",
        "UPDATE failures SET path = 5",
    ],
)
def test_other_changed_values_are_noticed(catalog: Catalog, opened: Callable[[], Catalog], change: str) -> None:
    with catalog.transaction():
        catalog.add(row("/a"))
        catalog.add(row("/b"))
        catalog.drop(b"/b")
        catalog.fail(b"/c", "reason")
        catalog.set_roots([b"/a"], [b"/a/b"])
    assert catalog.check() == []
    catalog._rows(change)

    def read() -> None:
        other = opened()
        other.metadata(), other.state(), other.removed_since(0), other.roots(), other.failures()

    with pytest.raises(LibraryCorruptError, match="repair"):
        read()


def test_a_changed_staged_row_is_not_applied(catalog: Catalog) -> None:
    with catalog.transaction():
        catalog.add(row("/a"))
        catalog.start_staging("other")
        catalog.stage(row("/a"))
    catalog._rows("UPDATE staged SET embedding = X'3c000000'")
    with pytest.raises(LibraryCorruptError, match="checksum"), catalog.transaction():
        catalog.apply_staged(METADATA)
    assert catalog.check() == []
