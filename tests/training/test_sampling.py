from __future__ import annotations

import numpy as np
import pytest

from sketchseek.errors import DatasetError
from sketchseek.training.config import BatchConfig
from sketchseek.training.sampling import CategorySampler


@pytest.fixture
def lists() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Five categories of 12 photos; the first six of each have three sketches; each category has four unpaired ones."""
    photo_category = np.repeat(np.arange(5), 12)
    drawn = np.flatnonzero(np.arange(60) % 12 < 6)
    sketch_photo = np.concatenate([np.repeat(drawn, 3), np.full(20, -1)])
    sketch_category = np.concatenate([photo_category[np.repeat(drawn, 3)], np.repeat(np.arange(5), 4)])
    return photo_category, sketch_category, sketch_photo, np.zeros(60, int)


def test_a_batch_holds_what_it_is_asked_for(lists: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]) -> None:
    photo_category, sketch_category, sketch_photo, _ = lists
    sampler = CategorySampler(*lists, BatchConfig(categories=3, photos=4, sketches=2, unpaired_sketches=1), seed=0)
    for number in range(20):
        batch = sampler.batch(number)
        assert len(set(batch.photos.tolist())) == len(batch.photos) == 12
        assert len(set(batch.sketches.tolist())) == len(batch.sketches) == 3 * (3 * 2 + 1)
        kinds = set(photo_category[batch.photos].tolist())
        assert len(kinds) == 3
        assert set(sketch_category[batch.sketches].tolist()) == kinds
        own = sketch_photo[batch.sketches]
        assert set(own[own >= 0].tolist()) <= set(batch.photos.tolist())


def test_a_batch_depends_on_seed_and_number_alone(lists: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]) -> None:
    first, again, other = (CategorySampler(*lists, BatchConfig(), seed=seed) for seed in (0, 0, 1))
    first.batch(0)
    np.testing.assert_array_equal(first.batch(7).sketches, again.batch(7).sketches)
    assert first.batch(7).sketches.tolist() != first.batch(8).sketches.tolist()
    assert first.batch(7).sketches.tolist() != other.batch(7).sketches.tolist()


@pytest.mark.parametrize(("balance", "share"), [(0.0, 0.5), (1.0, 0.9)])
def test_balance_sets_how_often_a_large_category_comes(balance: float, share: float) -> None:
    photo_category = np.array([0] * 9 + [1])
    sketch_photo = np.arange(10)
    sampler = CategorySampler(
        photo_category,
        photo_category,
        sketch_photo,
        np.zeros(10, int),
        BatchConfig(categories=1, balance=balance),
        seed=0,
    )
    large = np.mean([photo_category[sampler.batch(i).photos[0]] == 0 for i in range(2000)])
    assert abs(large - share) < 0.04


def test_a_category_without_pairs_gives_its_loose_sketches() -> None:
    sampler = CategorySampler(
        np.zeros(3, int),
        np.zeros(5, int),
        np.full(5, -1),
        np.zeros(3, int),
        BatchConfig(photos=4, unpaired_sketches=2),
        seed=0,
    )
    batch = sampler.batch(0)
    assert (len(batch.photos), len(batch.sketches)) == (3, 4)


def test_distractors_come_from_categories_without_sketches(
    lists: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    photo_category, sketch_category, sketch_photo, _ = lists
    photo_category = np.concatenate([photo_category, [7, 7, 8]])
    config = BatchConfig(categories=2, photos=4, distractors=2)
    sampler = CategorySampler(
        photo_category, sketch_category, sketch_photo, np.zeros_like(photo_category), config, seed=0
    )
    for number in range(10):
        batch = sampler.batch(number)
        kinds = photo_category[batch.photos]
        assert (kinds > 4).sum() == 2
        assert len(set(batch.photos.tolist())) == len(batch.photos)
        assert not set(sketch_category[batch.sketches]) & {7, 8}


def test_categories_without_photos_or_sketches_are_an_error() -> None:
    with pytest.raises(DatasetError, match="no category has both"):
        CategorySampler(np.array([0]), np.array([1]), np.array([-1]), np.array([0]), BatchConfig(), seed=0)


def test_every_source_of_a_category_is_shown_as_often() -> None:
    """Two emoji of a cat among forty photographs of cats are half of what is shown."""
    source = np.array([0] * 40 + [1] * 2)
    config = BatchConfig(categories=1, photos=1, unpaired_sketches=1)
    sampler = CategorySampler(np.zeros(42, int), np.zeros(3, int), np.full(3, -1), source, config, seed=0)
    shown = np.mean([source[sampler.batch(number).photos[0]] for number in range(2000)])
    assert abs(shown - 0.5) < 0.04


def test_line_sketches_come_with_their_photos_and_make_no_photo_a_drawn_one(
    lists: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    photo_category, sketch_category, sketch_photo, source = lists
    sketches = len(sketch_photo)
    pseudo = np.arange(sketches + 60) >= sketches  # a line sketch of each photo
    lists = photo_category, np.append(sketch_category, photo_category), np.append(sketch_photo, np.arange(60)), source
    config = BatchConfig(categories=2, photos=4, sketches=2, unpaired_sketches=0, pseudo_sketches=10)
    sampler = CategorySampler(*lists, config, 0, pseudo)
    for number in range(20):
        batch = sampler.batch(number)
        lines = batch.sketches[pseudo[batch.sketches]]
        assert len(lines) == 10
        assert len(batch.sketches) == 10 + 2 * 3 * 2
        assert set(lists[2][batch.sketches].tolist()) <= set(batch.photos.tolist())
        assert len(set(batch.photos.tolist())) == len(batch.photos) <= 10 + 2 * 4


def test_a_photo_comes_with_its_near_duplicate(lists: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]) -> None:
    """Photos 0 and 1, 2 and 3 of each category are near-duplicates; the others have none."""
    place = np.arange(60) % 12
    copy_of = np.where(place < 4, np.arange(60) ^ 1, -1)
    for with_copies, fewest in ((True, 20), (False, 0)):
        config = BatchConfig(categories=3, photos=4, sketches=1, unpaired_sketches=0, with_copies=with_copies)
        sampler = CategorySampler(*lists, config, seed=0, copy_of=copy_of)
        split, whole = 0, 0
        for number in range(20):
            photos = set(sampler.batch(number).photos.tolist())
            assert len(photos) == 12
            partners = [int(copy_of[photo]) in photos for photo in photos if copy_of[photo] >= 0]
            whole += sum(partners)
            split += len(partners) - sum(partners)
        assert whole > split if with_copies else split > whole
        assert whole >= fewest
