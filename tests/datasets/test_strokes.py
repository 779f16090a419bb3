"""Quick, Draw! and ChairV2: sketches that come as strokes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mini_sets import write_chairv2, write_quickdraw
from sketchseek.datasets.chairv2 import chairv2_split, load_chairv2
from sketchseek.datasets.quickdraw import load_quickdraw, quickdraw_split
from sketchseek.errors import DatasetError
from sketchseek.sketches import rasterize_sketch


def test_quickdraw_words_are_lower_case_with_spaces(tmp_path: Path) -> None:
    write_quickdraw(tmp_path, words=("cat", "teddy-bear", "The Sun"))
    dataset = load_quickdraw(tmp_path)
    assert dataset.categories == ("cat", "teddy bear", "the sun")
    assert dataset.sketches[0].key == "cat/0"
    assert len(dataset.sketches) == 9
    assert load_quickdraw(tmp_path / "simplified").sketches == dataset.sketches
    assert (rasterize_sketch(dataset.sketches[0].source, 32) < 128).any()


def test_quickdraw_reads_only_what_is_asked_for(tmp_path: Path) -> None:
    write_quickdraw(tmp_path)
    dataset = load_quickdraw(tmp_path, words=["the_sun"], limit=2)
    assert [d.key for d in dataset.sketches] == ["the sun/0", "the sun/1"]
    with pytest.raises(DatasetError, match="no sketches of dog"):
        load_quickdraw(tmp_path, words=["dog"])


def test_quickdraw_splits_by_key_alone(tmp_path: Path) -> None:
    write_quickdraw(tmp_path, count=200)
    whole = quickdraw_split(load_quickdraw(tmp_path))
    part = quickdraw_split(load_quickdraw(tmp_path, words=["cat"]))
    assert set(part.test_sketch_keys) == {key for key in whole.test_sketch_keys if key.startswith("cat/")}
    assert 0.3 < len(whole.test_sketch_keys) / 600 < 0.5
    assert not set(whole.test_sketch_keys) & set(whole.train_sketch_keys)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "not a JSON object"),
        ('{"drawing": []}', "key_id or drawing is missing"),
        ('{"key_id": "1", "drawing": 5}', "its sketch is not"),
        ('{"key_id": "1", "drawing": [[[1, 2], [3]]]}', "more x than y"),
        ('{"key_id": "1", "drawing": [[["a"], ["b"]]]}', "its sketch is not"),
    ],
)
def test_a_broken_line_of_strokes_is_named(tmp_path: Path, line: str, message: str) -> None:
    write_quickdraw(tmp_path)
    with (tmp_path / "simplified/cat.ndjson").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DatasetError, match=rf"cat\.ndjson, line 4: .*{message}"):
        load_quickdraw(tmp_path)


def test_quickdraw_without_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no \.ndjson files"):
        load_quickdraw(tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        load_quickdraw(tmp_path / "none")


def test_chairv2_gives_pairs_and_its_own_split(tmp_path: Path) -> None:
    dataset = load_chairv2(write_chairv2(tmp_path))
    split = chairv2_split(dataset)
    assert (len(dataset.photos), len(dataset.sketches), len(dataset.pairs())) == (4, 8, 8)
    assert split.test_photo_keys == ("chair/chair.0_v1", "chair/chair.1_v1")
    assert len(dataset.subset(photos=split.test_photo_keys).sketches) == 4


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"split": "test"', '"split": "exam"', "line 1: its split is 'exam'"),
        ('"photo": "chair.0_v1.jpg"', '"photo": "none.jpg"', r"line 1: its photo .*none\.jpg is missing"),
        ('"split": "test"', '"split": "train"', r"line 2: its photo chair\.0_v1\.jpg is in both"),
        ('"key"', '"name"', "line 1: it lacks key"),
    ],
)
def test_a_broken_chairv2_is_named(tmp_path: Path, before: str, after: str, message: str) -> None:
    path = write_chairv2(tmp_path) / "sketches.ndjson"
    path.write_text(path.read_text().replace(before, after, 1))
    with pytest.raises(DatasetError, match=message):
        chairv2_split(load_chairv2(tmp_path))


def test_a_chairv2_without_one_photo_can_be_had(tmp_path: Path) -> None:
    write_chairv2(tmp_path)
    (tmp_path / "photo/chair.0_v1.jpg").unlink()
    dataset = load_chairv2(tmp_path, allow_missing=True)
    assert dataset.missing == chairv2_split(dataset).missing == ("chair/chair.0_v1",)


@pytest.mark.real_data
def test_the_real_counts(real_data: Path) -> None:
    chairs = load_chairv2(real_data / "chairv2")
    split = chairv2_split(chairs)
    assert (len(chairs.photos), len(chairs.sketches)) == (400, 1275)
    assert (len(split.train_photo_keys), len(split.test_photo_keys)) == (300, 100)
    assert len(chairs.subset(photos=split.train_photo_keys).sketches) == 952
    assert len(chairs.subset(photos=split.test_photo_keys).sketches) == 323
    sketches = load_quickdraw(real_data / "quickdraw")
    assert (len(sketches.categories), len(sketches.sketches)) == (345, 9570)
