"""Results as a page and as copies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from sketchseek.cli.search import search_command
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library

STROKES = "[[[0, 50, 100, 0], [100, 0, 100, 100]]]"


@pytest.fixture
def library(tmp_path: Path, tiny_model: ModelPackage) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(30):
        Image.new("RGB", (40, 30), (number * 8, 90, 200)).save(photos / f"{number}.png")
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        library.add(photos)
    return tmp_path / "library"


def search(library: Path, *options: object) -> Result:
    arguments = ["-", "--library", library, *options]
    return CliRunner().invoke(search_command, [str(argument) for argument in arguments], input=STROKES)


def test_the_page_holds_every_result(library: Path, tmp_path: Path) -> None:
    file = tmp_path / "found.html"
    found = json.loads(search(library, "-k", 28, "--html", file, "--json").stdout)
    text = file.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg;base64,") == len(found) == 28
    assert "28 photos found" in text
    assert "http" not in text  # nothing is loaded from elsewhere
    assert all(result["path"] in text for result in found)


def test_copies_sort_by_rank_and_overwrite_nothing(library: Path, tmp_path: Path) -> None:
    folder = tmp_path / "found" / "cats"
    found = json.loads(search(library, "-k", 12, "--copy-to", folder, "--json").stdout)
    copies = sorted(folder.iterdir())
    assert [copy.name for copy in copies] == [f"{one['rank']:02d} {Path(one['path']).name}" for one in found]
    for copy, one in zip(copies, found, strict=True):
        assert copy.read_bytes() == Path(one["path"]).read_bytes()
    again = search(library, "-k", 12, "--copy-to", folder, "--json")
    assert again.exit_code == 1
    assert "exists already" in json.loads(again.stderr)["message"]


def test_what_cannot_be_written_is_an_error(library: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for option in ("--html", "--copy-to"):
        failed = search(library, option, tmp_path / "file" / "x", "--json")
        assert failed.exit_code == 1
        assert "file" in json.loads(failed.stderr)["message"]


def test_without_results_there_are_no_files(library: Path, tmp_path: Path) -> None:
    done = search(library, "--offset", 99, "--copy-to", tmp_path / "copies", "--html", tmp_path / "page.html")
    assert done.exit_code == 0
    assert not (tmp_path / "copies").exists()
    assert not (tmp_path / "page.html").exists()
