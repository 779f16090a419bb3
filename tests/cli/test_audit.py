from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mini_sets import write_pairs, write_sketchy
from sketchseek.cli import cli
from sketchseek.models.package import ModelPackage


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["audit", *map(str, arguments)], catch_exceptions=False)


def test_people_get_a_table_a_report_and_lists(tmp_path: Path, tiny_model: ModelPackage) -> None:
    root = write_sketchy(tmp_path / "sketchy")
    result = run("sketchy", root, "--model", tiny_model.path, "--out", tmp_path / "out", "--threads", 1)
    assert "Near-duplicate photos" in result.stdout
    assert (tmp_path / "out/report.html").read_text().startswith("<!doctype html>")
    assert {file.name for file in (tmp_path / "out/lists").iterdir()} >= {"invalid-error.txt", "near-duplicates.txt"}
    assert not (tmp_path / "out/test-split").exists()


def test_programs_get_the_findings_and_the_test_split_is_apart(tmp_path: Path, tiny_model: ModelPackage) -> None:
    root = write_sketchy(tmp_path / "sketchy")
    common = ("--model", tiny_model.path, "--out", tmp_path / "out", "--threads", 1)
    result = run("sketchy", root, *common, "--split", "test", "--json")
    data = json.loads(result.stdout)
    assert (data["kind"], data["subset"], data["photos"], data["sketches"]) == ("sketchy", "test", 6, 12)
    assert {"counts", "findings", "confusions", "negatives", "thresholds", "lists", "split_sha256"} <= set(data)
    assert json.loads((tmp_path / "out/test-split/findings.json").read_text()) == data
    assert not (tmp_path / "out/report.html").exists()


@pytest.mark.slow
def test_an_audit_runs_without_torch(tmp_path: Path, tiny_model: ModelPackage) -> None:
    root = write_pairs(tmp_path / "pairs", photos=3, sketches=1)
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'timm', 'torchvision', 'onnx', 'faiss'])); "
        "from sketchseek.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "audit", "pairs", str(root), "--model", str(tiny_model.path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert json.loads(done.stdout)["sketches"] == 3
    assert (tmp_path / "audit-pairs/report.html").is_file()
