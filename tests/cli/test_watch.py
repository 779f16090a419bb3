"""The command that keeps a library current."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sketchseek.cli import cli
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library
from sketchseek.search.local_library import LocalLibrary
from sketchseek.search.results import IndexReport


def report(**changes: int) -> IndexReport:
    counts = dict.fromkeys(("indexed", "failed", "unchanged", "removed", "moved", "skipped"), 0) | changes
    return IndexReport(**counts, seconds=0.1, missing=[Path("/unplugged")])  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path, tiny_model: ModelPackage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    Library.create(tmp_path / "library", tiny_model.path).close()

    def reports(*_: object, **options: object) -> Iterator[IndexReport]:
        assert options["polling"] in (True, False)
        yield report(unchanged=3)
        yield report(unchanged=3, indexed=1)
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalLibrary, "sync", lambda *_: report(unchanged=3))
    monkeypatch.setattr(LocalLibrary, "watch", reports)
    return ["watch", "--library", str(tmp_path / "library")]


def test_runs_that_change_something_are_printed_until_ctrl_c(run: list[str]) -> None:
    done = CliRunner().invoke(cli, run)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith("0 indexed, 3 unchanged")
    assert "Watching the folders of" in lines[1]
    assert lines[2].startswith("1 indexed, 3 unchanged")
    assert len(lines) == 3
    assert "/unplugged" in done.stderr


def test_json_has_one_line_for_each_change(run: list[str]) -> None:
    done: Result = CliRunner().invoke(cli, [*run, "--poll", "--json"])
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["indexed"] for line in lines] == [0, 1]
    assert lines[0]["missing"] == ["/unplugged"]
