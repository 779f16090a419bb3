from __future__ import annotations

from pathlib import Path

import pytest

from mini_sets import write_sketchy
from sketchseek.datasets.exclusions import exclude, read_keys
from sketchseek.datasets.sketchy import load_sketchy, sketchy_split
from sketchseek.errors import DatasetError


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_list_is_read_with_or_without_endings(tmp_path: Path) -> None:
    path = write(tmp_path / "list.txt", "\ufeffcat/n00_100-1.png\n\n  cat\\n01_101\ncat/n02_102.JPG\n")
    assert read_keys(path) == {"cat/n00_100-1", "cat/n01_101", "cat/n02_102"}
    assert read_keys(write(path, "\n")) == frozenset()


def test_sketches_go_alone_and_photos_with_their_sketches(tmp_path: Path) -> None:
    dataset = load_sketchy(write_sketchy(tmp_path))
    first = write(tmp_path / "a.txt", "cat/n00_100-1\n")
    second = write(tmp_path / "b.txt", "cat/n01_101.jpg\ncat/of another copy\n")
    rest = exclude(dataset, [first, second])
    assert {d.key for d in dataset.sketches} - {d.key for d in rest.sketches} == {
        "cat/n00_100-1",
        "cat/n01_101-1",
        "cat/n01_101-2",
    }
    assert {p.key for p in dataset.photos} - {p.key for p in rest.photos} == {"cat/n01_101"}


def test_what_is_held_out_to_choose_by_stays(tmp_path: Path) -> None:
    dataset = load_sketchy(write_sketchy(tmp_path))
    path = write(tmp_path / "a.txt", "cat/n00_100-1\ncat/n01_101\ncat/n02_102-1\n")
    rest = exclude(dataset, [path], keep={"cat/n00_100", "cat/n01_101"})
    assert {d.key for d in dataset.sketches} - {d.key for d in rest.sketches} == {"cat/n02_102-1"}
    assert rest.photos == dataset.photos


def test_a_list_of_the_test_part_fits_no_training_part(tmp_path: Path) -> None:
    dataset = load_sketchy(write_sketchy(tmp_path))
    training = dataset.subset(photos=sketchy_split(dataset).train_photo_keys)
    path = write(tmp_path / "a.txt", "cat/n00_100-1\ncat/n01_101\n")
    with pytest.raises(DatasetError, match="none of its 2 entries is in the training subset"):
        exclude(training, [path])
    assert exclude(training, [write(tmp_path / "none.txt", "")]) == training


def test_a_list_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"a\.txt: no such file"):
        read_keys(tmp_path / "a.txt")
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match=r"a\.txt: cannot be read"):
        read_keys(tmp_path / "a.txt")
