from __future__ import annotations

from pathlib import Path

import pytest

from mini_sets import write_sketchy
from sketchseek.datasets.sketchy import load_sketchy
from sketchseek.datasets.zero_shot import (
    QUICKDRAW_EXTENDED_UNSEEN,
    SKETCHY_UNSEEN,
    SKETCHY_UNSEEN_25,
    TUBERLIN_UNSEEN,
    drawn_split,
    published_split,
)
from sketchseek.errors import ConfigError, DatasetError


@pytest.mark.parametrize(
    ("names", "count"),
    [(SKETCHY_UNSEEN, 21), (SKETCHY_UNSEEN_25, 25), (TUBERLIN_UNSEEN, 30), (QUICKDRAW_EXTENDED_UNSEEN, 30)],
)
def test_the_published_lists_have_their_lengths(names: tuple[str, ...], count: int) -> None:
    assert len(set(names)) == len(names) == count


def test_a_published_split_parts_what_is_there_and_names_what_is_not() -> None:
    split = published_split("tuberlin-220-30", ["ant", "frying pan", "T-shirt", "zebra"])
    assert (split.seen, split.unseen) == (("zebra",), ("T-shirt", "ant", "frying pan"))
    assert len(split.missing) == 27
    assert split.sha256 == published_split("tuberlin-220-30", ["zebra", "T-shirt", "frying pan", "ant"]).sha256


def test_a_split_that_does_not_belong_or_exist_is_an_error() -> None:
    with pytest.raises(DatasetError, match="none of its 21 unseen categories"):
        published_split("sketchy-104-21", ["zebra"])
    with pytest.raises(ConfigError, match="no such zero-shot split"):
        published_split("sketchy-90-35", ["zebra"])


def test_a_drawn_split_follows_from_its_seed_alone() -> None:
    names = [f"thing {i}" for i in range(250)]
    split = drawn_split("tuberlin-220-30", names, 30, 7)
    assert (len(split.seen), len(split.unseen), split.name) == (220, 30, "tuberlin-220-30-seed7")
    assert not set(split.seen) & set(split.unseen)
    assert drawn_split("tuberlin-220-30", reversed(names), 30, 7) == split
    assert drawn_split("tuberlin-220-30", names, 30, 8).unseen != split.unseen
    with pytest.raises(ConfigError, match="must be at least 1 and fewer"):
        drawn_split("x", names, 250, 0)


def test_training_and_test_share_no_category(tmp_path: Path) -> None:
    dataset = load_sketchy(write_sketchy(tmp_path))
    split = drawn_split("mini", dataset.categories, 1, 0)
    training, test = split.training(dataset), split.test(dataset)
    assert len(training.sketches) + len(test.sketches) == len(dataset.sketches)
    assert not set(training.categories) & set(test.categories)


@pytest.mark.real_data
def test_the_real_categories(real_data: Path) -> None:
    split = published_split("sketchy-104-21", load_sketchy(real_data / "sketchy").categories)
    assert (len(split.seen), len(split.unseen), split.missing) == (104, 21, ())
    assert split.sha256.startswith("837f0a5861c6")
    other = published_split("sketchy-100-25", load_sketchy(real_data / "sketchy").categories)
    assert (len(other.seen), len(other.unseen), other.missing) == (100, 25, ())
