from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mini_sets import write_photo, write_tuberlin
from sketchseek.datasets.tuberlin import load_tuberlin
from sketchseek.errors import DatasetError
from sketchseek.sketches import rasterize_sketch


@pytest.mark.parametrize("form", ["png", "svg"])
@pytest.mark.parametrize("listed", [True, False])
def test_the_official_layout_gives_sketches(tmp_path: Path, form: str, listed: bool) -> None:
    write_tuberlin(tmp_path, form=form)
    if not listed:
        (tmp_path / form / "filelist.txt").unlink()
    dataset = load_tuberlin(tmp_path)
    assert dataset.categories == ("alarm clock", "ant", "windmill", "zebra")
    assert [sketch.key for sketch in dataset.sketches][:3] == ["alarm clock/3", "alarm clock/4", "ant/1"]
    assert (rasterize_sketch(dataset.sketches[0].source, 32) < 128).any()
    assert load_tuberlin(tmp_path / form).sketches == dataset.sketches


def test_either_form_can_be_asked_for(tmp_path: Path) -> None:
    write_tuberlin(write_tuberlin(tmp_path, form="svg"), form="png")
    assert str(load_tuberlin(tmp_path).sketches[0].path).endswith(".png")
    assert str(load_tuberlin(tmp_path, form="svg").sketches[0].path).endswith(".svg")


def test_photos_are_matched_by_their_folders_names(tmp_path: Path) -> None:
    write_tuberlin(tmp_path)
    for folder in ("alarm_clock", "Ant", "bus"):
        write_photo(tmp_path / f"photos/{folder}/1.jpg", folder)
    dataset = load_tuberlin(tmp_path, tmp_path / "photos")
    assert [photo.category for photo in dataset.photos] == ["ant", "alarm clock"]
    with pytest.raises(DatasetError, match="no folder in it has the name of a sketch category"):
        load_tuberlin(tmp_path, tmp_path / "photos/bus")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: (root / "png/ant/1.png").unlink(), r"filelist\.txt, line 1: .*ant/1\.png is missing"),
        (lambda root: (root / "png/filelist.txt").write_text("1.png\n"), r"filelist\.txt, line 1: '1\.png' is not"),
        (lambda root: (root / "png").rename(root / "pictures"), "neither png nor svg"),
        (lambda root: root.rename(root.parent / "elsewhere"), "no such folder"),
    ],
)
def test_what_is_missing_or_broken_is_named(tmp_path: Path, damage: Any, message: str) -> None:
    root = write_tuberlin(tmp_path / "tuberlin")
    damage(root)
    with pytest.raises(DatasetError, match=message) as caught:
        load_tuberlin(root)
    assert caught.value.remedy
