from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from served import EMOJI, fake_npm, write_tarball
from sketchseek import demo_gallery
from sketchseek.cli import cli
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library
from tiny_model import write_tiny_package


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for each test."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home" / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / "cache"))
    return tmp_path / "home"


def demo(package: ModelPackage, *arguments: str | Path) -> Result:
    options = ["--prepare-only", "--model", str(package.path), *map(str, arguments)]
    return CliRunner().invoke(cli, ["demo", *options], catch_exceptions=False)


def library_in(home: Path) -> Path:
    (path,) = (home / "data" / "sketchseek" / "demo").iterdir()
    return path


def test_a_folder_of_photos_is_indexed_once(tiny_model: ModelPackage, tmp_path: Path, home: Path) -> None:
    photos = tmp_path / "My Photos"
    photos.mkdir()
    Image.new("RGB", (30, 20), "red").save(photos / "red.png")
    assert "1 new" in demo(tiny_model, photos).stderr
    assert "0 new" in demo(tiny_model, photos).stderr
    assert library_in(home).name.startswith("My-Photos-")
    with Library.open(library_in(home)) as library:
        assert len(library) == 1


def test_what_was_prepared_is_told_as_json(tiny_model: ModelPackage, tmp_path: Path, home: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (30, 20), "red").save(photos / "red.png")
    told = json.loads(demo(tiny_model, photos, "--json").stdout)
    assert told == {"library": str(library_in(home)), "folder": str(photos), "photos": 1}


def test_photos_are_embedded_again_when_the_model_changes(tiny_model: ModelPackage, tmp_path: Path, home: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (30, 20), "red").save(photos / "red.png")
    demo(tiny_model, photos)
    other = write_tiny_package(tmp_path / "other", seed=1)
    result = demo(other, photos)
    assert result.exit_code == 0, result.output
    assert "embedded again" in result.stderr
    with Library.open(library_in(home), other.path) as library:
        assert library.is_built_with(other.path)
        assert not library.is_built_with(tiny_model.path)
        assert len(library.search([[[0, 9], [0, 9]]])) == 1


def test_without_photos_the_gallery_is_fetched(
    tiny_model: ModelPackage, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source.tgz"
    sha512 = write_tarball(source, {f"package/assets/{code}.webp": EMOJI for code in ("1f431", "1f436", "1f1e6-1f1e8")})
    monkeypatch.setattr(demo_gallery.prepare_gallery, "__kwdefaults__", {"sha512": sha512, "say": print})
    fake_npm(tmp_path / "bin", monkeypatch, f"cp {source} a.tgz")
    for arguments in ([], [""]):  # `make demo` passes an empty PHOTOS
        result = demo(tiny_model, *arguments)
        assert result.exit_code == 0, result.output
    with Library.open(library_in(home)) as library:
        names = {one.path.name for one in library.search([[[0, 9], [0, 9]]])}
    assert names == {"cat-face.webp", "dog-face.webp"}


def test_a_folder_that_is_not_there_is_a_clear_error(tiny_model: ModelPackage, tmp_path: Path) -> None:
    result = demo(tiny_model, tmp_path / "nothing")
    assert result.exit_code == 2
    assert "no such folder" in result.stderr


def test_without_npm_json_says_what_to_do(
    tiny_model: ModelPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = demo(tiny_model, "--json")
    assert result.exit_code == 1
    assert "Install Node.js" in json.loads(result.stderr)["remedy"]
    assert list((tmp_path / "home" / "cache" / "sketchseek" / "gallery").iterdir()) == []
