from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mini_sets import write_photo, write_sketch
from sketchseek.cli import cli
from sketchseek.datasets.quickdraw_extended import load_quickdraw_extended
from sketchseek.datasets.registry import dataset_spec
from sketchseek.errors import DatasetError
from tiny_model import write_tiny_package


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for category in ("palm tree", "zebra", "teapot"):
        for number in range(2):
            write_photo(tmp_path / f"QuickDraw_images_final/{category}/{number}.jpg", f"{category}{number}")
            write_sketch(tmp_path / f"QuickDraw_sketches_final/{category}/{number}.png", f"{category}{number}")
    return tmp_path


def test_both_folders_are_read(root: Path) -> None:
    dataset = load_quickdraw_extended(root)
    assert dataset.categories == ("palm tree", "teapot", "zebra")
    assert (len(dataset.photos), len(dataset.sketches)) == (6, 6)
    assert all(sketch.photo is None for sketch in dataset.sketches)
    assert dataset_spec("quickdraw-extended").read(root).split is None


def test_a_missing_or_empty_folder_is_told(root: Path) -> None:
    (root / "QuickDraw_images_final").rename(root / "images")
    with pytest.raises(DatasetError, match="QuickDraw_images_final: no such folder"):
        load_quickdraw_extended(root)
    (root / "QuickDraw_images_final/zebra").mkdir(parents=True)
    with pytest.raises(DatasetError, match="no pictures"):
        load_quickdraw_extended(root)


@pytest.mark.slow
def test_only_unseen_categories_are_evaluated(root: Path, tmp_path: Path) -> None:
    model = write_tiny_package(tmp_path / "model").path
    call = ["evaluate", "quickdraw-extended-zero-shot", str(root), "--model", str(model), "--json"]
    result = CliRunner().invoke(cli, call, catch_exceptions=False)
    report = json.loads(result.stdout)
    assert (report["queries"], report["gallery"], report["split"]) == (4, 4, "quickdraw-extended-80-30")
    assert report["unseen"] == ["palm tree", "zebra"]
