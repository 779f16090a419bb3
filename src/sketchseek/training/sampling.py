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
    """Positions of a batch's members in the training set.

    Attributes:
        photos: (p,) each photo once.
        sketches: (s,) sketches, of those photos or of their categories.
    """

    photos: Indices
    sketches: Indices


class CategorySampler:
    """Batches of a few categories with several photos each: negatives of the same category are the hard ones.

    Args:
        photo_category: (photos,) category of each photo.
        sketch_category: (sketches,) category of each sketch.
        sketch_photo: (sketches,) position of each sketch's photo, −1 where it belongs to none.
        photo_source: (photos,) number of each photo's source. Within a category, the photos that nobody drew come from
            each source equally often: its two emoji are seen as often as its fifty photographs.
        config: What a batch is made of.
        seed: Seed; batch *i* is the same whatever was drawn before, so that a resumed run continues exactly.
        sketch_traced: (sketches,) true where a sketch was extracted from its photo: that makes no photo a drawn one.

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
        sketch_traced: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        self.config = config
        self.seed = seed
        self._own: dict[int, Indices] = {}
        self._sketch_photo = sketch_photo
        traced = np.zeros(len(sketch_photo), dtype=np.bool_) if sketch_traced is None else sketch_traced
        self._traced = np.flatnonzero(traced)
        sketch_photo = np.where(traced, -1, sketch_photo)
        order = np.argsort(sketch_photo, kind="stable")
        for photo, start, count in zip(
            *np.unique(sketch_photo[order], return_index=True, return_counts=True), strict=True
        ):
            if photo >= 0:
                self._own[int(photo)] = order[start : start + count]
        drawn_photos = np.zeros(len(photo_category), dtype=bool)
        drawn_photos[list(self._own)] = True
        loose = (sketch_photo < 0) & ~traced
        self._drawn, self._plain, self._loose, self._categories = {}, {}, {}, []
        self._even: dict[int, npt.NDArray[np.float64]] = {}
        weights = []
        for category in np.union1d(photo_category, sketch_category).tolist():
            here = photo_category == category
            self._drawn[category] = np.flatnonzero(here & drawn_photos)
            self._plain[category] = np.flatnonzero(here & ~drawn_photos)
            _, source, count = np.unique(photo_source[self._plain[category]], return_inverse=True, return_counts=True)
            self._even[category] = 1.0 / (count[source] * len(count))
            self._loose[category] = np.flatnonzero((sketch_category == category) & loose)
            if here.any() and (len(self._drawn[category]) or len(self._loose[category])):
                self._categories.append(category)
                weights.append(max(1, len(self._drawn[category])) ** config.balance)
        undrawn = [self._plain[category] for category in self._plain if category not in self._categories]
        self._distractors = np.concatenate([*undrawn, np.zeros(0, dtype=np.int64)])
        if not self._categories:
            raise DatasetError(
                "no category has both photos and sketches.", remedy="Check the sources of the experiment."
            )
        self._probability = np.array(weights) / np.sum(weights)

    def batch(self, number: int) -> Batch:
        """The batch of this number."""
        random = np.random.default_rng([self.seed, number])
        config = self.config
        count = min(config.categories, len(self._categories))
        photos: list[Indices] = [_some(random, self._distractors, config.distractors)]
        traced = _some(random, self._traced, config.pseudo_sketches)
        photos.append(self._sketch_photo[traced])
        sketches: list[Indices] = [traced]
        for category in random.choice(self._categories, count, replace=False, p=self._probability).tolist():
            drawn = _some(random, self._drawn[category], config.photos)
            # A quarter stays free for photos that nobody drew: they are negatives that the pairs alone never show.
            drawn = drawn[: config.photos - min(len(self._plain[category]), config.photos // 4)]
            photos += [drawn, _some(random, self._plain[category], config.photos - len(drawn), self._even[category])]
            sketches += [_some(random, self._own[int(photo)], config.sketches) for photo in drawn]
            loose = config.unpaired_sketches if len(drawn) else max(config.unpaired_sketches, config.photos)
            sketches.append(_some(random, self._loose[category], loose))
        return Batch(
            np.array(list(dict.fromkeys(np.concatenate(photos).tolist())), dtype=np.int64), np.concatenate(sketches)
        )


def _some(
    random: np.random.Generator, values: Indices, count: int, chances: npt.NDArray[np.float64] | None = None
) -> Indices:
    return random.choice(values, min(count, len(values)), replace=False, p=chances) if len(values) else values
