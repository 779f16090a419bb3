from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from sketchseek.datasets.records import Photo
from sketchseek.datasets.splits import Split, checksum, validation_split
from sketchseek.errors import ConfigError

PHOTOS = [Photo(Path(f"{i}.jpg"), f"kind{i % 7}", f"kind{i % 7}/{i}") for i in range(140)]


def test_the_checksum_depends_on_the_keys_and_their_side_but_not_on_their_order() -> None:
    assert checksum(["a", "b"], ["c"]) == checksum(["b", "a"], ["c"])
    assert len({checksum(["a", "b"], ["c"]), checksum(["a"], ["b", "c"]), checksum(["c"], ["a", "b"])}) == 3
    assert Split("x", ("a",), ("b",)).sha256 == Split("y", ("a",), ("b",)).sha256


def test_the_checksum_stays_what_it_was() -> None:
    # Printed with results: a change would make old results look as if they were of other photos.
    assert checksum(["a"], ["b"]) == "fba8ab1f08a1f3b2035356a95f9fb8c4cb793b48609fa0656f49a95c1eab559a"


def test_validation_takes_its_share_of_every_category() -> None:
    split = validation_split(PHOTOS, 0.1)
    assert len(split.test_photo_keys) == 14
    assert set(Counter(key.split("/")[0] for key in split.test_photo_keys).values()) == {2}
    assert sorted(split.train_photo_keys + split.test_photo_keys) == sorted(photo.key for photo in PHOTOS)


def test_small_categories_do_not_swell_the_share() -> None:
    photos = [Photo(Path("x"), f"kind{i // 4}", f"kind{i // 4}/{i}") for i in range(400)]
    split = validation_split(photos, 0.1)
    assert len(split.test_photo_keys) == 40
    assert max(Counter(key.split("/")[0] for key in split.test_photo_keys).values()) == 1


def test_validation_does_not_depend_on_the_order_but_on_the_seed() -> None:
    shuffled = random.Random(0).sample(PHOTOS, len(PHOTOS))
    assert validation_split(shuffled, 0.2) == validation_split(PHOTOS, 0.2)
    assert validation_split(PHOTOS, 0.2, seed=1).test_photo_keys != validation_split(PHOTOS, 0.2).test_photo_keys


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_a_fraction_that_leaves_a_side_empty_is_refused(fraction: float) -> None:
    with pytest.raises(ConfigError, match="fraction"):
        validation_split(PHOTOS, fraction)
