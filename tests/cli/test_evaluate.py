from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mini_sets import (
    write_categories,
    write_chairv2,
    write_pairs,
    write_qmul,
    write_quickdraw,
    write_sketchy,
    write_tuberlin,
)
from sketchseek.cli import cli
from sketchseek.errors import DatasetError, ModelPackageError
from sketchseek.models.package import ModelPackage


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["evaluate", *map(str, arguments)], catch_exceptions=False)


@pytest.mark.slow
def test_every_protocol_prints_its_fixed_names(tmp_path: Path, tiny_model: ModelPackage) -> None:
    write_quickdraw(tmp_path / "quickdraw", count=9)
    write_categories(tmp_path / "categories")
    write_tuberlin(tmp_path / "tuberlin", categories=("cat",))
    protocols = {
        ("shoev2", write_qmul(tmp_path / "shoev2")): (4, 2),
        ("tuberlin", tmp_path / "tuberlin", tmp_path / "categories/photo", "--split", "all"): (2, 4),
        ("sketchy", write_sketchy(tmp_path / "sketchy")): (12, 6),
        ("pairs", write_pairs(tmp_path / "pairs")): (10, 5),
        ("categories", tmp_path / "categories"): (6, 12),
        ("chairv2", write_chairv2(tmp_path / "chairv2")): (4, 2),
        ("words", tmp_path / "quickdraw", tmp_path / "categories/photo", "--split", "all"): (18, 12),
    }
    for arguments, counts in protocols.items():
        result = run(*arguments, "--model", tiny_model.path, "--threads", 1, "--json")
        data = json.loads(result.stdout)
        assert (data["queries"], data["gallery"]) == counts
        assert {"recall@1", "recall@5", "recall@10", "interval", "model", "fingerprint", "split_sha256"} <= set(data)
        assert ("mAP" in data) == (arguments[0] in ("categories", "words", "tuberlin"))
        if arguments[0] == "categories":
            assert {"mAP", "P@10", "P@100"} <= set(data)


def test_people_get_a_table_and_files_where_they_want_them(tmp_path: Path, tiny_model: ModelPackage) -> None:
    root = write_pairs(tmp_path / "pairs")
    (root / "photo/p0.jpg").unlink()
    out, page = tmp_path / "out/report.json", tmp_path / "out/page.html"
    result = run("pairs", root, "--model", tiny_model.path, "--out", out, "--report", page)
    assert "recall@10" in result.stdout
    assert "8 sketches → 4 photos" in result.stdout
    assert "not in the gallery: 1" in result.stdout
    assert json.loads(out.read_text())["missing"] == ["p0"]
    assert page.read_text().startswith("<!doctype html>")


def test_errors_of_the_user_are_raised_as_such(tmp_path: Path, tiny_model: ModelPackage) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        run("sketchy", tmp_path / "none", "--model", tiny_model.path)
    with pytest.raises(ModelPackageError, match="no model package"):
        run("sketchy", write_sketchy(tmp_path / "sketchy"), "--model", tmp_path / "none")


def test_invalid_sketches_are_left_out_on_request(tmp_path: Path, tiny_model: ModelPackage) -> None:
    root = write_sketchy(tmp_path)
    (root / "info/invalid-pose.txt").write_text("cat/n00_100-1\n")
    result = run("sketchy", root, "--model", tiny_model.path, "--exclude", "pose", "--json")
    assert json.loads(result.stdout)["queries"] == 11


@pytest.mark.slow
def test_evaluation_runs_without_torch(tmp_path: Path, tiny_model: ModelPackage) -> None:
    root = write_pairs(tmp_path, photos=2, sketches=1)
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'timm', 'torchvision', 'onnx', 'faiss'])); "
        "from sketchseek.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "evaluate", "pairs", str(root), "--model", str(tiny_model.path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["queries"] == 2
