"""Words and colors of a library: damage is noticed, and ``repair`` rebuilds them."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from sketchseek.models.package import ModelPackage
from sketchseek.search.catalog import FILE, Catalog
from sketchseek.search.colors import SIGNATURE
from sketchseek.search.combined_query import Query
from sketchseek.search.library import Library
from sketchseek.search.repair import repair

NAMES = ["red barn", "harbour at night", "夜の港", "Blue Bicycle", "old mill"]


@pytest.fixture
def library(tmp_path: Path, tiny_model: ModelPackage) -> Path:
    """A library of photos with names, captions, a moved and a removed photo, a copy, and a folder above the first."""
    folder = tmp_path / "photos" / "2019"
    folder.mkdir(parents=True)
    for number, name in enumerate(NAMES):
        exif = Image.Exif()
        exif[0x010E] = f"caption number {number} of a walk"
        Image.new("RGB", (60, 40), (40 * number, 90, 200 - 40 * number)).save(folder / f"{name}.jpg", exif=exif)
    with Library.create(tmp_path / "library", tiny_model.path) as opened:
        opened.add([folder])
        (folder / "old mill.jpg").rename(folder / "new mill.jpg")
        shutil.copy(folder / "red barn.jpg", folder / "red barn again.jpg")
        (folder / "Blue Bicycle.jpg").unlink()
        opened.sync()
        opened.add([tmp_path / "photos"])  # words of folders were counted from the other one
    return tmp_path / "library"


def found(library: Path, text: str) -> list[str]:
    with Library.open(library, readonly=True) as opened:
        return [one.path.name for one in opened.search_query(Query(text=text, text_mode="require"))]


def signatures(library: Path) -> dict[int, bytes]:
    with closing(Catalog(library)) as catalog:
        ids, colors = catalog.color_signatures(SIGNATURE)
        return dict(zip(ids.tolist(), map(bytes, colors), strict=True))


def damage(library: Path, sql: str) -> None:
    with closing(sqlite3.connect(library / FILE)) as connection, connection:
        assert connection.execute(sql).rowcount > 0


def test_a_sound_library_passes(library: Path) -> None:
    with Library.open(library) as opened:
        verified = opened.verify()
    assert verified.problems == []
    assert "words" in verified.checks
    assert repair(library).problems == []


OF_A_PHOTO = "WHERE id = (SELECT min(id) FROM descriptions)"
FLIPPED = "block = substr(block, 1, 40) || x'7a7a' || substr(block, 43)"


@pytest.mark.slow
@pytest.mark.parametrize(
    "sql",
    [
        pytest.param(f"UPDATE descriptions SET caption = 'a zebra' {OF_A_PHOTO}", id="caption"),
        pytest.param(f"UPDATE descriptions SET colors = zeroblob({SIGNATURE}) {OF_A_PHOTO}", id="colors"),
        pytest.param(f"UPDATE descriptions SET checksum = checksum + 1 {OF_A_PHOTO}", id="checksum"),
        pytest.param("UPDATE words SET name = 'zebra' WHERE rowid = (SELECT min(id) FROM descriptions)", id="words"),
        pytest.param("DELETE FROM words WHERE rowid = (SELECT max(id) FROM descriptions)", id="photo without words"),
        pytest.param(f"DELETE FROM descriptions {OF_A_PHOTO}", id="words without description"),
        pytest.param(f"UPDATE words_content SET c0 = 'zebra' {OF_A_PHOTO}", id="words that the index does not have"),
        pytest.param(
            f"UPDATE words_data SET {FLIPPED} WHERE id > 10 AND length(block) > 60", id="index with other words"
        ),
        pytest.param("DELETE FROM words_data WHERE id > 10", id="index without words"),
        pytest.param("DELETE FROM terms WHERE term = 'barn'", id="term"),
        pytest.param("UPDATE terms SET term = 'zebra' WHERE term = 'barn'", id="other term"),
        pytest.param("DELETE FROM term_grams_data WHERE id > 10", id="trigrams"),
    ],
)
def test_damage_is_noticed_and_repaired(library: Path, sql: str) -> None:
    colors = signatures(library)
    damage(library, sql)
    with Library.open(library, readonly=True) as opened:
        problems = opened.verify().problems
    assert problems
    assert all(problem.startswith("words: ") for problem in problems)
    report = repair(library)
    assert report.problems
    assert (report.kept, report.lost) == (len(NAMES), [])
    with Library.open(library) as opened:
        assert opened.verify().problems == []  # before the photos themselves are read
        assert opened.sync().indexed == 0
        assert opened.verify().problems == []
    assert found(library, "zebra") == []
    assert found(library, "red barm") == ["red barn.jpg", "red barn again.jpg"]  # with a typo
    assert found(library, "夜の") == ["夜の港.jpg"]
    assert found(library, "caption 4") == ["new mill.jpg"]
    assert signatures(library) == colors


def test_sound_words_need_no_photos_to_be_repaired(library: Path, tmp_path: Path) -> None:
    damage(library, "UPDATE terms SET term = 'zebra' WHERE term = 'barn'")
    (tmp_path / "photos").rename(tmp_path / "away")
    repair(library)
    assert found(library, "red barm") == ["red barn.jpg", "red barn again.jpg"]


def test_damaged_words_get_no_valid_checksum_from_a_move_or_a_copy(library: Path, tmp_path: Path) -> None:
    damage(library, "UPDATE words SET caption = 'zebra' WHERE rowid IN (SELECT id FROM descriptions)")
    damage(library, "UPDATE descriptions SET place = 'zebra'")
    folder = tmp_path / "photos" / "2019"
    (folder / "new mill.jpg").rename(folder / "newer mill.jpg")
    shutil.copy(folder / "red barn.jpg", folder / "third barn.jpg")
    with Library.open(library) as opened:
        opened.sync()
    assert set(found(library, "zebra")) == {"red barn.jpg", "red barn again.jpg", "harbour at night.jpg", "夜の港.jpg"}
    assert found(library, "third barn") == ["third barn.jpg"]
