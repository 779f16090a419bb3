from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mini_sets import QMUL_LAYOUTS, write_chairv2, write_photo, write_qmul, write_sketch
from sketchseek.datasets.qmul import load_qmul
from sketchseek.errors import DatasetError


@pytest.mark.parametrize("layout", QMUL_LAYOUTS)
def test_every_layout_gives_the_same_pairs_and_split(tmp_path: Path, layout: str) -> None:
    dataset, split = load_qmul(write_qmul(tmp_path, layout), "shoev2")
    assert (dataset.name, dataset.categories, len(dataset.pairs())) == ("shoev2", ("shoe",), 8)
    assert dataset.pairs()[0][0].key == "shoe/100_1"
    assert split.name == "shoev2-own"
    assert split.test_photo_keys == ("shoe/100", "shoe/101")
    assert split.train_photo_keys == ("shoe/102", "shoe/103")
    assert len(dataset.subset(photos=split.test_photo_keys).sketches) == 4


def test_chairs_as_strokes_and_as_pictures_have_one_checksum(tmp_path: Path) -> None:
    strokes, of_strokes = load_qmul(write_chairv2(tmp_path / "strokes"), "chairv2")
    root = tmp_path / "pictures"
    for photo in strokes.photos:
        side = "test" if photo.key in of_strokes.test_photo_keys else "train"
        write_photo(root / f"{side}B/{photo.path.name}", photo.key)
        write_sketch(root / f"{side}A/{photo.path.stem}_1.png", photo.key)
    pictures, of_pictures = load_qmul(root, "chairv2")
    assert pictures.name == strokes.name == "chairv2"
    assert (of_pictures.name, of_pictures.sha256) == (of_strokes.name, of_strokes.sha256)


def test_shoes_as_strokes_are_shoes(tmp_path: Path) -> None:
    dataset, split = load_qmul(write_chairv2(tmp_path), "shoev2")
    assert (dataset.categories, split.name, split.test_photo_keys[0]) == (("shoe",), "shoev2-own", "shoe/chair.0_v1")


@pytest.mark.parametrize(
    ("layout", "damage", "message"),
    [
        ("A and B", lambda r: (r / "testA").rename(r / "lost"), r"testA: no such folder, but there is .*trainB"),
        (
            "A and B",
            lambda r: (r / "testB/100.png").rename(r / "trainB/100.png"),
            r"100_1\.png: its photo shoe/100 is in",
        ),
        ("A and B", lambda r: (r / "trainB/102.png").unlink(), r"102_1\.png: its photo shoe/102 is missing"),
        ("A and B", lambda r: write_photo(r / "trainB/100.png", "x"), r"100\.png: .*100\.png has the same name"),
        ("lists", lambda r: (r / "ShoeV2_sketch/odd.png").write_bytes(b""), r"odd\.png: its name is not <photo>_<n>"),
        ("lists", lambda r: (r / "photo_test.txt").unlink(), r"photo_test\.txt: no such file"),
        ("lists", lambda r: (r / "photo_test.txt").write_text("102.png\n"), r"photo_test\.txt, line 1: its photo 102"),
        ("lists", lambda r: (r / "ShoeV2_photo").rename(r / "pictures"), "no folder of photos and of sketches"),
    ],
)
def test_what_is_missing_or_broken_is_named(tmp_path: Path, layout: str, damage: Any, message: str) -> None:
    root = write_qmul(tmp_path, layout)
    damage(root)
    with pytest.raises(DatasetError, match=message) as caught:
        load_qmul(root, "shoev2")
    assert caught.value.remedy


def test_a_missing_photo_can_be_passed_over(tmp_path: Path) -> None:
    root = write_qmul(tmp_path)
    (root / "ShoeV2_photo/100.png").unlink()
    dataset, split = load_qmul(root, "shoev2", allow_missing=True)
    assert dataset.missing == split.missing == ("shoe/100",)
    assert split.test_photo_keys == ("shoe/101",)


@pytest.mark.real_data
def test_the_real_chairs(real_data: Path) -> None:
    dataset, split = load_qmul(real_data / "chairv2", "chairv2")
    assert (len(dataset.photos), len(split.test_photo_keys)) == (400, 100)
