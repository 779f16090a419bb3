from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from search.test_crash import draw_photos
from sketchseek.cli import cli
from sketchseek.errors import LibraryCorruptError, LibraryLockedError, LibraryNotFoundError, SketchseekError
from sketchseek.models.package import ModelPackage
from sketchseek.search import library_file
from sketchseek.search.catalog import FILE, Catalog
from sketchseek.search.library import Library
from sketchseek.search.lock import WriterLock
from sketchseek.search.repair import repair

COUNT = 60
PAGE = 4096


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, tiny_model: ModelPackage) -> Path:
    """A folder with ``photos`` and ``library``; some photos were removed and changed."""
    folder = tmp_path_factory.mktemp("sound")
    draw_photos(folder / "photos", COUNT + 2)
    with Library.create(folder / "library", tiny_model.path) as library:
        library.add([folder / "photos"])
        library.remove(folder / "photos" / "000" / "00000.jpg")
        (folder / "photos" / "000" / "00001.jpg").unlink()
        assert library.sync().removed == 1
    return folder


@pytest.fixture
def library(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound / "library", tmp_path / "library")
    return tmp_path / "library"


def embeddings(library: Path) -> dict[str, tuple[int, bytes]]:
    catalog = Catalog(library)
    try:
        photos = catalog.photos(catalog.ids().tolist())
        return {str(photo.path): (photo.id, catalog.embedding(photo.id) or b"") for photo in photos.values()}
    finally:
        catalog.close()


def overwrite(library: Path, place: int, data: bytes) -> None:
    with (library / FILE).open("r+b") as file:
        file.seek(place)
        file.write(data)


def test_a_sound_library_is_left_alone(library: Path) -> None:
    before = (library / FILE).read_bytes()
    report = repair(library)
    assert (report.problems, report.kept, report.lost, report.copy) == ([], COUNT, [], None)
    assert (library / FILE).read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage",
    [
        lambda library: overwrite(library, 0, b"\0" * 100),  # SQLite's header
        lambda library: overwrite(library, 0, os.urandom(PAGE)),  # the schema
        lambda library: overwrite(library, 4, b"x"),
        lambda library: overwrite(library, 100, b"\x02"),
    ],
)
def test_a_damaged_first_page_loses_nothing(library: Path, damage: Callable[[Path], None]) -> None:
    before = embeddings(library)
    damage(library)
    with pytest.raises(LibraryCorruptError, match="sketchseek repair"):
        Library.open(library, create=True)
    report = repair(library)
    assert (report.kept, report.lost) == (COUNT, [])
    assert embeddings(library) == before
    with Library.open(library) as opened:
        assert opened.verify().problems == []
        assert opened.sync().unchanged == COUNT  # folders and excluded paths are known again
        assert len(opened.search_embedding(np.ones(16), k=1000)) == COUNT


def test_a_damaged_page_loses_its_photos_and_names_them(library: Path, sound: Path) -> None:
    before = embeddings(library)
    pages = (library / FILE).stat().st_size // PAGE
    data = (library / FILE).read_bytes()
    leaves = [
        page for page in range(1, pages) if data[page * PAGE] == 0x0D and b"/photos/" in data[page * PAGE :][:PAGE]
    ]
    overwrite(library, leaves[len(leaves) // 2] * PAGE, os.urandom(PAGE))
    report = repair(library)
    assert 0 < len(report.lost) < COUNT
    assert report.kept == COUNT - len(report.lost)
    after = embeddings(library)
    assert after == {path: known for path, known in before.items() if Path(path) not in report.lost}
    assert report.copy is not None
    assert (report.copy / FILE).is_file()
    with Library.open(library) as opened:
        again = opened.sync()
        assert (again.indexed, again.unchanged) == (len(report.lost), report.kept)
        assert opened.verify(sample=COUNT).problems == []
    new = embeddings(library)
    assert min(new[str(path)][0] for path in report.lost) > max(known[0] for known in before.values())


def test_a_lost_catalog_is_started_again_with_the_same_folders(library: Path) -> None:
    (library / FILE).unlink()
    for name in (f"{FILE}-wal", f"{FILE}-shm"):
        (library / name).unlink(missing_ok=True)
    with pytest.raises(LibraryCorruptError, match="catalog is missing"):
        Library.open(library, create=True)
    report = repair(library)
    assert (report.kept, report.incomplete) == (0, True)
    with Library.open(library) as opened:
        assert opened.sync().indexed == COUNT
        assert opened.verify().ok


def test_without_a_model_nothing_can_be_repaired(library: Path) -> None:
    (library / FILE).write_bytes(b"")
    (library / library_file.FILE).write_text("{}")
    with pytest.raises(LibraryCorruptError, match="neither"):
        repair(library)
    assert not list(library.glob("damaged-*"))


def test_what_is_in_the_journal_is_kept(library: Path, sound: Path) -> None:
    """A killed writer leaves its last commits in the journal."""
    writer = Catalog(library, write=True)
    writer._rows("PRAGMA wal_autocheckpoint = 0")
    first = writer.ids()[0].item()
    with writer.transaction():
        writer.copy(first, os.fsencode(sound / "photos" / "copy.jpg"), 1, 1)
    shutil.copytree(library, library.parent / "killed")
    writer.close()
    killed = library.parent / "killed"
    assert (killed / f"{FILE}-wal").stat().st_size > 0
    for header in (False, True):
        broken = library.parent / f"broken-{header}"
        shutil.copytree(killed, broken)
        overwrite(broken, 0 if header else 40, os.urandom(50))
        report = repair(broken)
        assert report.kept == COUNT + 1
        assert str(sound / "photos" / "copy.jpg") in embeddings(broken)


def test_old_rows_in_free_pages_do_not_come_back(library: Path, sound: Path) -> None:
    """Removed photos, and embeddings of another model, stay in pages that SQLite has given up."""
    overwrite(library, 0, os.urandom(PAGE))
    repair(library)
    names = {Path(path).name for path in embeddings(library)}
    assert "00000.jpg" not in names  # excluded by name
    with Library.open(library) as opened:
        opened.sync()
        assert "00001.jpg" not in {Path(path).name for path in embeddings(library)}


def test_a_damaged_index_is_written_again(library: Path) -> None:
    for file in (library / "index").glob("*.faiss"):
        file.write_bytes(file.read_bytes()[:-1])
    with Library.open(library) as opened:
        assert not opened.verify().ok
    assert repair(library).kept == COUNT
    with Library.open(library) as opened:
        assert opened.verify().ok


def test_repair_is_a_writer(library: Path) -> None:
    with WriterLock(library), pytest.raises(LibraryLockedError):
        repair(library)


def test_there_is_nothing_to_repair(tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFoundError):
        repair(tmp_path)
    with pytest.raises(LibraryNotFoundError):
        repair(tmp_path / "none")


@pytest.mark.slow
def test_random_damage_is_noticed_or_harmless_and_repaired(library: Path, sound: Path, tmp_path: Path) -> None:
    """25 of 165 damaged catalogs were called absent, and 3 gave wrong answers."""
    with Library.open(library) as opened:
        expected = [(r.path, r.score) for r in opened.search_embedding(np.arange(16.0), k=50)]
    rng = random.Random(0)
    noticed = 0
    for number in range(6):
        copy = tmp_path / f"copy-{number}"
        shutil.copytree(library, copy)
        size = (copy / FILE).stat().st_size
        kind = rng.choice(["byte", "block", "cut"])
        if kind == "cut":
            os.truncate(copy / FILE, rng.randrange(size))
        else:
            place = rng.randrange(size)
            length = 1 if kind == "byte" else rng.choice([64, 512, PAGE])
            overwrite(copy, place, rng.randbytes(min(length, size - place)))
        try:
            with Library.open(copy, create=True) as opened:
                got = [(r.path, r.score) for r in opened.search_embedding(np.arange(16.0), k=50)]
                assert got == expected
                clean = opened.verify().ok
        except LibraryCorruptError:
            clean = False
        except SketchseekError as error:
            raise AssertionError(f"{kind} at {place}: {error!r}") from error
        noticed += not clean
        report = repair(copy)
        assert report.problems or clean
        with Library.open(copy) as opened:
            opened.sync()
            assert len(opened) == COUNT
            assert opened.verify().problems == []
            assert [r.path for r in opened.search_embedding(np.arange(16.0), k=50)] == [path for path, _ in expected]
        shutil.rmtree(copy)
    assert noticed > 1


def test_the_command_lists_what_is_lost(library: Path) -> None:
    clean = CliRunner().invoke(cli, ["repair", "--library", str(library)], catch_exceptions=False)
    assert (clean.exit_code, clean.stdout) == (0, f"No problems found. {COUNT} photos.\n")
    catalog = sqlite3.connect(library / FILE)
    catalog.execute("UPDATE photos SET embedding = zeroblob(32) WHERE id = 10")
    catalog.commit()
    catalog.close()
    shutil.copytree(library, library.parent / "second")
    result = CliRunner().invoke(cli, ["repair", "--library", str(library)])
    assert result.exit_code == 1
    assert "Lost: " in result.stdout
    assert f"{COUNT - 1} photos kept, 1 lost" in result.stdout
    result = CliRunner().invoke(cli, ["repair", "--library", str(library.parent / "second"), "--json"])
    assert json.loads(result.stdout)["kept"] == COUNT - 1


def test_a_photo_that_its_index_has_lost_is_not_added_twice(library: Path) -> None:
    """Found by the torture suite: one changed byte in the index of paths, and ``sync`` added the photo again."""
    data = (library / FILE).read_bytes()
    places = [place for place in range(len(data)) if data.startswith(b"00017.jpg", place)]
    noticed = 0
    for number, place in enumerate(places):
        copy = library.parent / f"copy-{number}"
        shutil.copytree(library, copy)
        overwrite(copy, place, b"9")
        try:
            with Library.open(copy) as opened:
                opened.sync()
                assert len({r.path for r in opened.search_embedding(np.ones(16), k=1000)}) == len(opened) == COUNT
        except LibraryCorruptError:
            noticed += 1
    assert noticed >= 2  # in the table, and in the index of paths


def test_damaged_text_in_the_schema_is_damage(library: Path) -> None:
    """Found by the torture suite: SQLite's message about it is not valid text, which was a traceback."""
    data = (library / FILE).read_bytes()
    overwrite(library, data.index(b"CREATE TABLE photos") + 7, b"KE\xd7\xf3\xa1")
    with pytest.raises(LibraryCorruptError, match="repair"):
        Library.open(library)
