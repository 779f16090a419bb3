"""Batches of sketches and photos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketchseek.errors import DatasetError
from sketchseek.training.config import BatchConfig

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Positions of a batch's photos and sketches in the training set.

    Attributes:
        photos: (p,) without duplicates.
        sketches: (s,) sketches of these photos or of their categories.
    """

    photos: Indices
    sketches: Indices


@dataclass(frozen=True)
class _Category:
    """The photos and sketches of one category.

    Attributes:
        with_sketches: Photos that have sketches.
        without_sketches: Photos that have none.
        chances: Sampling probability of each photo in ``without_sketches``.
        unpaired: Sketches that belong to no photo.
    """

    with_sketches: Indices
    without_sketches: Indices
    chances: npt.NDArray[np.float64]
    unpaired: Indices


class CategorySampler:
    """Samples batches of a few categories with several photos each, since same-category negatives are the hard ones.

    Args:
        photo_category: (photos,) category of each photo.
        sketch_category: (sketches,) category of each sketch.
        sketch_photo: (sketches,) position of each sketch's photo, −1 for unpaired sketches.
        photo_source: (photos,) number of each photo's source. Within a category, photos without sketches come from
            each source equally often: two emoji are sampled as often as fifty photographs.
        config: The contents of a batch.
        seed: Seed. Batch *i* does not depend on the batches before it, so that a resumed run continues exactly.
        copy_of: (photos,) position of each photo's near-duplicate, −1 for none; used with ``config.with_copies``. None
            for no near-duplicates.
        sketch_pseudo: (sketches,) which are pseudo-sketches. A photo with only pseudo-sketches counts as one without
            sketches. None for no pseudo-sketches.

    Raises:
        DatasetError: No category has both photos and sketches.
    """

    def __init__(
        self,
        photo_category: Indices,
        sketch_category: Indices,
        sketch_photo: Indices,
        photo_source: Indices,
        config: BatchConfig,
        seed: int,
        sketch_pseudo: npt.NDArray[np.bool_] | None = None,
        copy_of: Indices | None = None,
    ) -> None:
        self.config = config
        self.seed = seed
        self._sketch_photo = sketch_photo
        self._copy_of = copy_of if config.with_copies else None
        pseudo = np.zeros(len(sketch_photo), dtype=np.bool_) if sketch_pseudo is None else sketch_pseudo
        self._pseudo = np.flatnonzero(pseudo)
        self._sketches_of = _group_by_photo(np.where(pseudo, -1, sketch_photo))
        has_sketches = np.zeros(len(photo_category), dtype=np.bool_)
        has_sketches[list(self._sketches_of)] = True
        unpaired = (sketch_photo < 0) & ~pseudo
        self._categories: list[_Category] = []
        distractors: list[Indices] = []
        for number in np.union1d(photo_category, sketch_category).tolist():
            photos = np.flatnonzero(photo_category == number)
            without = photos[~has_sketches[photos]]
            _, source, count = np.unique(photo_source[without], return_inverse=True, return_counts=True)
            category = _Category(
                photos[has_sketches[photos]],
                without,
                1.0 / (count[source] * len(count)),
                np.flatnonzero((sketch_category == number) & unpaired),
            )
            if len(photos) and (len(category.with_sketches) or len(category.unpaired)):
                self._categories.append(category)
            else:
                distractors.append(without)
        if not self._categories:
            raise DatasetError(
                "no category has both photos and sketches.", remedy="Check the sources of the experiment."
            )
        self._distractors = np.concatenate([*distractors, np.zeros(0, dtype=np.int64)])
        weights = np.array([max(1, len(each.with_sketches)) ** config.balance for each in self._categories])
        self._probability = weights / weights.sum()

    def batch(self, number: int) -> Batch:
        """Batch ``number``."""
        random = np.random.default_rng([self.seed, number])
        config = self.config
        count = min(config.categories, len(self._categories))
        photos: list[Indices] = [_sample(random, self._distractors, config.distractors)]
        pseudo = _sample(random, self._pseudo, config.pseudo_sketches)
        photos.append(self._sketch_photo[pseudo])
        sketches: list[Indices] = [pseudo]
        for place in random.choice(len(self._categories), count, replace=False, p=self._probability).tolist():
            category = self._categories[place]
            chosen = _sample(random, category.with_sketches, config.photos)
            if self._copy_of is not None:
                chosen = _with_partners(chosen, self._copy_of)
            # A quarter of the places is for photos without sketches: negatives that the pairs alone never show.
            chosen = chosen[: config.photos - min(len(category.without_sketches), config.photos // 4)]
            rest = config.photos - len(chosen)
            photos += [chosen, _sample(random, category.without_sketches, rest, category.chances)]
            sketches += [_sample(random, self._sketches_of[int(photo)], config.sketches) for photo in chosen]
            unpaired = config.unpaired_sketches if len(chosen) else max(config.unpaired_sketches, config.photos)
            sketches.append(_sample(random, category.unpaired, unpaired))
        return Batch(
            np.array(list(dict.fromkeys(np.concatenate(photos).tolist())), dtype=np.int64), np.concatenate(sketches)
        )


def _group_by_photo(sketch_photo: Indices) -> dict[int, Indices]:
    """The sketches of each photo."""
    order = np.argsort(sketch_photo, kind="stable")
    photos, starts, counts = np.unique(sketch_photo[order], return_index=True, return_counts=True)
    return {
        int(photo): order[start : start + count]
        for photo, start, count in zip(photos, starts, counts, strict=True)
        if photo >= 0
    }


def _with_partners(photos: Indices, copy_of: Indices) -> Indices:
    """As many photos, each followed by its near-duplicate if it has one."""
    both = [place for photo in photos.tolist() for place in (photo, int(copy_of[photo])) if place >= 0]
    return np.array(list(dict.fromkeys(both))[: len(photos)], dtype=np.int64)


def _sample(
    random: np.random.Generator, values: Indices, count: int, chances: npt.NDArray[np.float64] | None = None
) -> Indices:
    """At most ``count`` of the values, without replacement."""
    return random.choice(values, min(count, len(values)), replace=False, p=chances) if len(values) else values
