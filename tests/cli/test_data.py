from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from range_server import range_server
from sketchseek.cli import cli
from sketchseek.cli.data import data_command
from sketchseek.datasets import known_downloads, official
from sketchseek.datasets.official import OFFICIAL


def test_the_data_sets_are_listed_with_their_terms() -> None:
    result = CliRunner().invoke(data_command, ["list"])
    assert result.exit_code == 0
    for dataset in OFFICIAL.values():
        assert dataset.terms in result.stdout
        assert dataset.page in result.stdout
    listed = json.loads(CliRunner().invoke(data_command, ["list", "--json"]).stdout)
    assert [entry["name"] for entry in listed] == list(OFFICIAL)


def test_a_download_shows_terms_then_downloads_then_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_downloads, "user_data_dir", lambda: tmp_path / "user")
    folder = str(tmp_path / "data")
    with range_server() as server:
        server.files["/cat.ndjson"] = json.dumps({"key_id": "1", "drawing": [[[0, 9], [0, 9]]]}).encode()
        source = replace(OFFICIAL["quickdraw"], each_word=server.address + "/{word}.ndjson")
        monkeypatch.setitem(official.OFFICIAL, "quickdraw", source)
        call = ["data", "download", "quickdraw", folder, "--word", "cat"]
        refused = CliRunner().invoke(cli, call)
        assert "CC BY 4.0" in str(refused.exception)
        assert server.asked == []
        accepted = CliRunner().invoke(cli, [*call, "--accept-terms"])
        assert accepted.exit_code == 0, accepted.output
        assert "no published checksum is known" in accepted.stdout
        again = CliRunner().invoke(cli, [*call, "--accept-terms", "--json"])
        assert [file["new"] for file in json.loads(again.stdout)["files"]] == [False]
    checked = CliRunner().invoke(cli, ["data", "check", "quickdraw", folder])
    assert "1 sketches, 1 categories" in checked.stdout


def test_a_folder_is_checked(tmp_path: Path) -> None:
    for side in ("train", "test"):
        for kind in ("photo", "sketch"):
            (tmp_path / kind / side).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / f"photo/{side}/{side}.png")
        Image.new("RGB", (8, 8)).save(tmp_path / f"sketch/{side}/{side}_1.png")
    result = CliRunner().invoke(cli, ["data", "check", "shoev2", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["counts"] == {"photos": 2, "sketches": 2, "categories": 1}
    assert any("2,000 photos" in note for note in found["notes"])
    (tmp_path / "photo/test/test.png").unlink()
    Image.new("RGB", (8, 8)).save(tmp_path / "photo/test/other.png")
    told = CliRunner().invoke(cli, ["data", "check", "shoev2", str(tmp_path)])
    assert "1 photos that have sketches are missing, such as shoe/test" in told.stdout


def test_a_wrong_layout_is_told(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["data", "check", "sketchy", str(tmp_path), "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stderr)["error"] == "DatasetError"
