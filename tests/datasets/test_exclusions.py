from __future__ import annotations

from pathlib import Path

import pytest

from mini_sets import write_sketchy
from sketchseek.datasets.exclusions import exclude, listed, read_keys
from sketchseek.datasets.registry import dataset_spec
from sketchseek.datasets.sketchy import CROPPED_VARIANT, invalid_sketches, load_sketchy, sketchy_split
from sketchseek.datasets.splits import Split
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


def test_entries_without_a_category_are_names(tmp_path: Path) -> None:
    """The release's own lists have no categories; keys of other data sets can end in a suffix."""
    dataset = load_sketchy(write_sketchy(tmp_path))
    rest = exclude(dataset, [write(tmp_path / "a.txt", "n00_100-1\n")])
    gone = {d.key for d in dataset.sketches} - {d.key for d in rest.sketches}
    assert gone == {f"{category}/n00_100-1" for category in dataset.categories}
    assert listed(["cup/1.png", "saw/1.png", "p1-1"], frozenset({"cup/1", "p1-1"})) == {"cup/1.png", "p1-1"}


@pytest.mark.real_data
def test_the_release_s_own_lists_name_real_sketches(real_data: Path) -> None:
    root = real_data / "sketchy"
    loaded = dataset_spec("sketchy").read(root)
    entries = frozenset().union(*invalid_sketches(root, required=True).values())
    assert isinstance(loaded.split, Split)
    test = loaded.dataset.subset(photos=loaded.split.test_photo_keys)
    assert len(listed([sketch.key for sketch in test.sketches], entries)) == 141
    cropped = dataset_spec("sketchy").read(root, variant=CROPPED_VARIANT)
    keys = [sketch.key for sketch in (*loaded.training.sketches, *cropped.training.sketches)]
    assert len(keys) == 10_015
    assert 1_450 < sum(1 for key in keys if listed([key], entries)) < 1_600
