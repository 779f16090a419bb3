"""Names that differ only by case, on file systems that ignore case and on those that do not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from case_insensitive import mounted
from cli_runs import run_json
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library
from sketchseek.search.path_case import on_disk, same_but_for_case
from sketchseek.search.watch import _Filter


def draw(path: Path, number: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "PNG")
    return path


def names(library: Library, below: Path) -> dict[str, int]:
    """Return paths relative to a folder, and ids."""
    found = library.search_embedding(np.arange(16.0), k=100)
    return {Path(result.path).relative_to(below).as_posix(): result.id for result in found}


@pytest.fixture(scope="module")
def mount(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system that ignores case."""
    with mounted(tmp_path_factory.mktemp("case") / "ignoring") as folder:
        yield folder


@pytest.fixture
def ignoring(mount: Path, tmp_path: Path) -> Path:
    """An empty folder on it."""
    folder = mount / tmp_path.name
    folder.mkdir()
    return folder


@pytest.fixture
def library(tmp_path: Path, tiny_model: ModelPackage) -> Iterator[Library]:
    with Library.create(tmp_path / "library", tiny_model.path) as opened:
        yield opened


def test_a_path_has_the_case_of_the_disk(ignoring: Path) -> None:
    photo = draw(ignoring / "Photos" / "Été" / "A.png", 1)
    for typed in ("photos/Été/A.png", "PHOTOS/ÉTÉ/a.PNG", "Photos/Été/A.png"):
        assert on_disk(os.fsencode(ignoring / typed)) == os.fsencode(photo)
    assert on_disk(os.fsencode(ignoring / "photos/none/B.png")) == os.fsencode(ignoring / "Photos/none/B.png")
    assert on_disk(b"/") == b"/"
    assert on_disk(b"/no such folder/x") == b"/no such folder/x"


def test_a_folder_that_is_typed_in_another_case_is_the_same_folder(ignoring: Path, library: Library) -> None:
    for number in range(3):
        draw(ignoring / "Photos" / f"{number}.png", number)
    assert library.add([ignoring / "photos"]).indexed == 3
    before = names(library, ignoring)
    assert before.keys() == {"Photos/0.png", "Photos/1.png", "Photos/2.png"}
    for typed in ("PHOTOS", "Photos"):
        report = library.add([ignoring / typed])
        assert (report.indexed, report.unchanged, report.removed) == (0, 3, 0)
    assert names(library, ignoring) == before
    assert library.status().folders == [ignoring / "Photos"]
    (best,) = library.search_photo(ignoring / "pHOTOS" / "1.PNG", k=1)  # by its stored embedding, without itself
    assert best.id != before["Photos/1.png"]
    assert library.remove([ignoring / "photos" / "0.PNG"]) == 1
    assert names(library, ignoring).keys() == {"Photos/1.png", "Photos/2.png"}


def test_a_change_of_case_is_a_move(ignoring: Path, library: Library) -> None:
    """Of a file, and of a folder: ids stay, and nothing is found twice."""
    for number in range(3):
        draw(ignoring / "Photos" / "Trip" / f"A{number}.png", number)
    library.add([ignoring / "Photos"])
    ids = names(library, ignoring)
    (ignoring / "Photos" / "Trip" / "A1.png").rename(ignoring / "Photos" / "Trip" / "a1.PNG")
    report = library.sync()
    assert (report.moved, report.indexed, report.removed, report.unchanged) == (1, 0, 0, 2)
    (ignoring / "Photos" / "Trip").rename(ignoring / "Photos" / "TRIP")
    report = library.sync()
    assert (report.moved, report.indexed, report.removed, report.unchanged) == (3, 0, 0, 0)
    assert names(library, ignoring) == {
        "Photos/TRIP/A0.png": ids["Photos/Trip/A0.png"],
        "Photos/TRIP/a1.PNG": ids["Photos/Trip/A1.png"],
        "Photos/TRIP/A2.png": ids["Photos/Trip/A2.png"],
    }
    # The folder that was named to the library changes its case: nothing changes until it is named again.
    (ignoring / "Photos").rename(ignoring / "photos")
    assert library.sync().unchanged == 3
    report = library.add([ignoring / "photos"])
    assert (report.moved, report.indexed, report.removed) == (3, 0, 0)
    assert library.status().folders == [ignoring / "photos"]
    assert (library.sync().unchanged, library.sync().moved) == (3, 0)
    assert set(names(library, ignoring).values()) == set(ids.values())
    assert library.verify().problems == []


def test_a_replaced_photo_keeps_one_path(ignoring: Path, library: Library) -> None:
    draw(ignoring / "A.png", 1)
    library.add([ignoring])
    draw(ignoring / "new.png", 2).rename(ignoring / "a.png")
    library.sync()
    assert [name.lower() for name in names(library, ignoring)] == ["a.png"]


def test_filters_by_folder(ignoring: Path, library: Library) -> None:
    draw(ignoring / "Photos" / "Trip" / "a.png", 1)
    draw(ignoring / "Photos" / "b.png", 2)
    library.add([ignoring / "Photos"])
    sketch = ignoring / "sketch.json"
    sketch.write_text("[[[0, 50, 100], [0, 9, 100]]]")
    for typed in ("photos/trip", "PHOTOS/TRIP/"):
        found = run_json("search", sketch, "--library", library.path, "--folder", ignoring / typed)
        assert [Path(one["path"]).name for one in found] == ["a.png"], typed


def test_excludes_tell_case_apart_everywhere(ignoring: Path, library: Library) -> None:
    draw(ignoring / "Drafts" / "a.png", 1)
    draw(ignoring / "b.png", 2)
    assert library.add([ignoring], exclude=["drafts/"]).indexed == 2
    report = library.add([ignoring], exclude=["[Dd]rafts/"])
    assert (report.indexed, report.removed) == (0, 1)


def test_a_library_in_a_folder_that_ignores_case(ignoring: Path, tiny_model: ModelPackage) -> None:
    """One library under two names: the writer's lock, the index and the watcher know it."""
    draw(ignoring / "a.png", 1)
    with Library.create(ignoring / "Library", tiny_model.path) as first:
        first.add([ignoring / "A.png"])
    with Library.open(ignoring / "library") as second:
        assert len(second) == 1
        draw(ignoring / "b.png", 2)
        second.add([ignoring / "B.PNG"])
        assert names(second, ignoring).keys() == {"a.png", "b.png"}
    assert {path.name for path in ignoring.iterdir()} >= {"Library", "a.png", "b.png"}
    ignored = _Filter(ignoring / "LIBRARY")
    from watchfiles import Change

    assert not ignored(Change.deleted, str(ignoring / "Library" / "catalog.db-wal"))
    assert ignored(Change.deleted, str(ignoring / "photos"))


def test_where_case_matters_two_names_are_two_photos(tmp_path: Path, library: Library) -> None:
    folder = tmp_path / "photos"
    draw(folder / "A.png", 1)
    if (folder / "a.png").exists():
        pytest.skip("this file system ignores case")
    draw(folder / "a.png", 2)
    draw(folder / "Trip" / "x.png", 3)
    draw(folder / "trip" / "x.png", 4)
    library.add([folder])
    before = names(library, folder)
    assert before.keys() == {"A.png", "a.png", "Trip/x.png", "trip/x.png"}
    (folder / "A.png").unlink()
    (folder / "a.png").rename(folder / "A.png")
    report = library.sync()
    assert (report.moved, report.unchanged) == (1, 2)
    after = names(library, folder)
    assert after.keys() == {"A.png", "Trip/x.png", "trip/x.png"}
    # Hard links are two names of one file.
    os.link(folder / "A.png", folder / "a.png")
    assert library.sync().indexed == 1
    assert names(library, folder).keys() == {"A.png", "a.png", "Trip/x.png", "trip/x.png"}


def test_names_are_compared_without_case_and_form() -> None:
    assert same_but_for_case("Été".encode(), "e\u0301TE\u0301".encode())
    assert same_but_for_case(b"\xff.png", b"\xff.PNG")
    assert not same_but_for_case(b"a.png", b"b.png")
