from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mini_sets import CATEGORIES, write_sketchy
from sketchseek.datasets.registry import dataset_spec
from sketchseek.datasets.sketchy import (
    CROPPED_VARIANT,
    VARIANT,
    invalid_sketches,
    load_sketchy,
    refuse_test_photos,
    sketchy_split,
)
from sketchseek.errors import ConfigError, DatasetError


def test_the_official_layout_gives_photos_sketches_and_their_pairs(tmp_path: Path) -> None:
    dataset = load_sketchy(write_sketchy(tmp_path))
    assert dataset.categories == tuple(sorted(CATEGORIES))
    assert (len(dataset.photos), len(dataset.sketches), len(dataset.pairs())) == (12, 24, 24)
    sketch, photo = dataset.pairs()[0]
    assert (photo.key, sketch.key, photo.path.suffix) == ("car_(sedan)/n00_100", "car_(sedan)/n00_100-1", ".jpg")
    assert sketch.source == tmp_path / f"256x256/sketch/{VARIANT}/car_(sedan)/n00_100-1.png"


def test_the_folder_256x256_itself_and_other_places_of_the_list_do(tmp_path: Path) -> None:
    write_sketchy(tmp_path)
    split = sketchy_split(load_sketchy(tmp_path))
    assert sketchy_split(load_sketchy(tmp_path / "256x256")).sha256 == split.sha256
    (tmp_path / "info-06-04").mkdir()
    (tmp_path / "info").rename(tmp_path / "info-06-04/info")
    assert sketchy_split(load_sketchy(tmp_path)) == split


def test_the_official_split_is_the_list_and_the_rest(tmp_path: Path) -> None:
    dataset = load_sketchy(write_sketchy(tmp_path))
    split = sketchy_split(dataset)
    assert (len(split.test_photo_keys), len(split.train_photo_keys), split.missing) == (6, 6, ())
    assert not set(split.test_photo_keys) & set(split.train_photo_keys)
    assert {d.photo for d in dataset.subset(photos=split.train_photo_keys).sketches} == set(split.train_photo_keys)


def test_listed_photos_that_are_not_there_are_named(tmp_path: Path) -> None:
    write_sketchy(tmp_path)
    with (tmp_path / "info/testset.txt").open("a") as file:
        file.write("cat/n99_1.jpg\n")
    assert sketchy_split(load_sketchy(tmp_path)).missing == ("cat/n99_1",)


def test_a_missing_photo_is_named(tmp_path: Path) -> None:
    write_sketchy(tmp_path)
    (tmp_path / f"256x256/photo/{VARIANT}/cat/n01_101.jpg").unlink()
    with pytest.raises(DatasetError, match=r"n01_101-1\.png: its photo cat/n01_101 is missing, and the photos of 1"):
        load_sketchy(tmp_path)
    dataset = load_sketchy(tmp_path, allow_missing=True)
    assert dataset.missing == ("cat/n01_101",)
    assert len(dataset.sketches) == 24
    assert len(dataset.paired().sketches) == len(dataset.pairs()) == 22


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: shutil.rmtree(root), "no such folder"),
        (lambda root: shutil.rmtree(root / "256x256"), "neither 256x256/photo nor"),
        (lambda root: shutil.rmtree(root / "256x256/sketch"), "sketch/tx_000000000000: no such folder"),
        (lambda root: (root / "info/testset.txt").unlink(), r"testset\.txt: no such file"),
        (lambda root: (root / "info/testset.txt").write_text("\n"), r"testset\.txt: empty"),
        (lambda root: (root / "info/testset.txt").write_bytes(b"\xff\xfe\x00"), r"testset\.txt: cannot be read"),
        (lambda root: (root / "info/testset.txt").write_text("cat/1.jpg\ncat\n"), r"testset\.txt, line 2: 'cat'"),
        (lambda root: (root / "info/testset.txt").write_text("cat/1.jpg\n"), r"testset\.txt: none of its 1 photos"),
        (
            lambda root: (root / f"256x256/sketch/{VARIANT}/cat/odd.png").write_bytes(b""),
            r"odd\.png: its name is not <photo>-<n>\.png",
        ),
    ],
)
def test_what_is_missing_or_broken_is_named(tmp_path: Path, damage: Any, message: str) -> None:
    root = write_sketchy(tmp_path / "sketchy")
    damage(root)
    with pytest.raises(DatasetError, match=message) as caught:
        sketchy_split(load_sketchy(root))
    assert caught.value.remedy


def test_invalid_lists_are_read_where_they_are(tmp_path: Path) -> None:
    write_sketchy(tmp_path)
    assert invalid_sketches(tmp_path) == {}
    (tmp_path / "info/invalid-error.txt").write_text("cat/n00_100-1.png\n\ncat/n00_100-2\n")
    (tmp_path / "info/invalid-pose.txt").write_text("")
    lists = invalid_sketches(tmp_path)
    assert lists == {"error": frozenset({"cat/n00_100-1", "cat/n00_100-2"}), "pose": frozenset()}
    dataset = load_sketchy(tmp_path)
    assert len(dataset.subset(without_sketches=lists["error"]).sketches) == 22
    with pytest.raises(DatasetError, match=r"invalid-context\.txt: no such file"):
        invalid_sketches(tmp_path, ("context",), required=True)
    with pytest.raises(DatasetError, match="no such list"):
        invalid_sketches(tmp_path, ("ugly",))


def test_litter_of_file_systems_is_passed_over(tmp_path: Path) -> None:
    write_sketchy(tmp_path)
    photos = tmp_path / f"256x256/photo/{VARIANT}"
    (photos / ".DS_Store").write_bytes(b"x")
    (photos / "cat/._n00_100.jpg").write_bytes(b"x")
    (photos / "cat/Thumbs.db").write_bytes(b"x")
    (photos / "__MACOSX").mkdir()
    assert len(load_sketchy(tmp_path).photos) == 12


@pytest.mark.real_data
def test_the_real_subset_s_counts(real_data: Path) -> None:
    dataset = load_sketchy(real_data / "sketchy")
    split = sketchy_split(dataset)
    assert (len(dataset.categories), len(dataset.photos), len(dataset.sketches)) == (125, 3436, 6648)
    assert len(dataset.paired().photos) == 1172
    assert (len(split.test_photo_keys), split.missing) == (1225, ())
    assert len(dataset.subset(photos=split.test_photo_keys).sketches) == 848


def test_the_cropped_variant_has_the_same_keys(tmp_path: Path) -> None:
    root = write_sketchy(tmp_path)
    for kind in ("photo", "sketch"):
        shutil.copytree(root / f"256x256/{kind}/{VARIANT}/cat", root / f"256x256/{kind}/{CROPPED_VARIANT}/cat")
    cropped = dataset_spec("sketchy").read(root, variant=CROPPED_VARIANT)
    whole = dataset_spec("sketchy").read(root)
    assert whole.dataset == load_sketchy(root)
    assert cropped.dataset.categories == ("cat",)
    assert {photo.key for photo in cropped.dataset.photos} < {photo.key for photo in whole.dataset.photos}
    files = [item.path for item in cropped.dataset.photos] + [item.path for item in cropped.dataset.sketches]
    assert all(CROPPED_VARIANT in str(file) for file in files)
    assert {photo.key for photo in cropped.training.photos} == {"cat/n02_102", "cat/n03_103"}
    with pytest.raises(ConfigError, match="sketchy has no variant 'tx_9'"):
        dataset_spec("sketchy").read(root, variant="tx_9")


@pytest.mark.real_data
def test_the_real_cropped_variant_is_for_training_only(real_data: Path) -> None:
    cropped = dataset_spec("sketchy", "train").read(real_data / "sketchy", variant=CROPPED_VARIANT)
    assert (len(cropped.training.photos), len(cropped.training.sketches)) == (727, 4215)
    refuse_test_photos(cropped.training.photos)
    refuse_test_photos(dataset_spec("sketchy").read(real_data / "sketchy").training.photos)
