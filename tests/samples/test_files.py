"""The sample files: all there, sound, kept if they exist."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sketchseek.cli.demo import demo_command
from sketchseek.images import open_image
from sketchseek.samples.files import write_samples
from sketchseek.samples.pictures import PICTURES, SIZE
from sketchseek.sketches import rasterize_sketch


def test_every_file_is_written_once_and_existing_ones_are_kept(tmp_path: Path) -> None:
    (tmp_path / "cat.json").write_text("mine")
    written = write_samples(tmp_path)
    assert len(written) == len(set(written)) == len(PICTURES) + 3
    assert all(path.exists() for path in written)
    assert (tmp_path / "cat.json").read_text() == "mine"
    assert write_samples(tmp_path) == []


def test_pictures_and_sketches_can_be_read(tmp_path: Path) -> None:
    write_samples(tmp_path)
    for name in PICTURES:
        assert open_image(tmp_path / "photos" / f"{name}.webp").size == SIZE
    for sketch in (tmp_path / "cat.png", tmp_path / "cat.json"):
        assert rasterize_sketch(sketch, 128).min() < 100


def test_the_command_writes_to_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = json.loads(CliRunner().invoke(demo_command, ["--sample", "--json"]).stdout)
    assert told["folder"] == str(tmp_path)
    assert all((tmp_path / name).exists() for name in told["written"])
    again = CliRunner().invoke(demo_command, ["--sample"])
    assert (again.exit_code, again.stdout) == (0, "All sample files are there already.\n")
    assert CliRunner().invoke(demo_command, ["--sample", "photos"]).exit_code == 2


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").write_text("a file is in the way")
    failed = CliRunner().invoke(demo_command, ["--sample", "--json"])
    assert failed.exit_code == 1
    assert "cannot write sample files" in json.loads(failed.stderr)["message"]
