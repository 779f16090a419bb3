from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mini_sets import CATEGORIES, strokes, write_categories, write_pairs, write_photo, write_sketch
from sketchseek.datasets.image_folders import load_categories, load_pairs, load_photo_folders, photos_below
from sketchseek.datasets.records import normalize_word
from sketchseek.errors import DatasetError


def test_pairs_belong_together_by_name(tmp_path: Path) -> None:
    write_pairs(tmp_path, photos=3)
    write_photo(tmp_path / "photo/armchair-2.jpg", "armchair-2")
    write_sketch(tmp_path / "sketch/armchair-2.png", "armchair-2")
    write_sketch(tmp_path / "sketch/armchair-2-1.png", "armchair-2")
    pairs = {sketch.key: photo.key for sketch, photo in load_pairs(tmp_path).pairs()}
    assert pairs == {
        **{f"p{i}-{n}": f"p{i}" for i in range(3) for n in (1, 2)},
        "armchair-2": "armchair-2",
        "armchair-2-1": "armchair-2",
    }


def test_a_sketch_without_a_photo_is_named(tmp_path: Path) -> None:
    write_pairs(tmp_path)
    (tmp_path / "photo/p1.jpg").unlink()
    with pytest.raises(DatasetError, match=r"p1-1\.png: there is no photo 'p1'"):
        load_pairs(tmp_path)
    assert load_pairs(tmp_path, allow_missing=True).missing == ("p1",)


def test_two_photos_of_one_name_are_refused(tmp_path: Path) -> None:
    write_pairs(tmp_path)
    write_photo(tmp_path / "photo/p1-1.jpg", "between")
    write_photo(tmp_path / "photo/p1.png", "p1")
    with pytest.raises(DatasetError, match=r"p1\.png: p1\.jpg has the same name"):
        load_pairs(tmp_path)


def test_categories_take_pictures_and_strokes(tmp_path: Path) -> None:
    write_categories(tmp_path)
    (tmp_path / "sketch/cat/more.ndjson").write_text(json.dumps({"drawing": strokes("cat")}) + "\n")
    dataset = load_categories(tmp_path)
    assert dataset.categories == tuple(sorted(CATEGORIES))
    assert (len(dataset.photos), len(dataset.sketches)) == (12, 7)
    assert len(dataset.subset(categories=["cat"]).sketches) == 3
    assert len({d.key for d in dataset.sketches}) == 7


def test_photo_folders_may_be_one_folder_deeper(tmp_path: Path) -> None:
    inner = tmp_path / "101_ObjectCategories"
    for name in ("a.jpg", "a.png"):
        write_photo(inner / "ant" / name, name)
    write_photo(inner / "bee/b.jpg", "b")
    assert load_photo_folders(tmp_path).photos == load_photo_folders(inner).photos
    assert [photo.key for photo in load_photo_folders(tmp_path).photos] == ["ant/a.jpg", "ant/a.png", "bee/b.jpg"]


@pytest.mark.parametrize("load", [load_pairs, load_categories, load_photo_folders])
def test_an_empty_or_absent_folder_is_an_error(tmp_path: Path, load: Any) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(DatasetError) as caught:
            load(folder)
        assert caught.value.remedy
    (tmp_path / "photo").mkdir()
    (tmp_path / "sketch").mkdir()
    with pytest.raises(DatasetError, match="no photos"):
        load(tmp_path)


def test_words_compare_however_they_are_written() -> None:
    assert {normalize_word(w) for w in ("hot-air_balloon", "Hot air  balloon", " hot_air_balloon")} == {
        "hot air balloon"
    }


@pytest.mark.real_data
def test_caltech_s_counts(real_data: Path) -> None:
    dataset = load_photo_folders(real_data / "caltech101")
    assert (len(dataset.categories), len(dataset.photos)) == (99, 7807)


def test_pictures_are_named_by_what_they_show(tmp_path: Path) -> None:
    for name in ("cat-face.jpg", "cat.jpg", "hot-dog.webp", "n07697537_hotdog.jpg", "clock-face-three-oclock.webp"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    photos = load_photo_folders(tmp_path).photos
    shown = {photo.path.name: photo.category for photo in photos}
    assert shown == {
        "cat-face.jpg": "cat",
        "cat.jpg": "cat",
        "hot-dog.webp": "hot dog",
        "n07697537_hotdog.jpg": "hotdog",
        "clock-face-three-oclock.webp": "clock face three oclock",
    }
    assert len({photo.key for photo in photos}) == 5


def test_photos_below_are_all_photos_of_a_folder_whatever_its_layout(tmp_path: Path) -> None:
    for name in ("a.jpg", "deep/er/b.png", "deep/c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert [photo.key for photo in photos_below(tmp_path)] == ["a.jpg", "deep/er/b.png"]
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "missing"):
        with pytest.raises(DatasetError):
            photos_below(tmp_path / folder)
