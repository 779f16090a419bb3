"""Which categories are taken for which, and how many negatives are false negatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchseek.audit.near_duplicates import NearDuplicates
from sketchseek.datasets.records import Photo


@dataclass(frozen=True)
class Confusion:
    """Sketches of one category whose nearest photo, apart from their own, is of another.

    Attributes:
        category, taken_for: Category of the sketches, and of the photos that they find.
        sketches: Number of these sketches.
        fraction: Fraction of the category's sketches.
    """

    category: str
    taken_for: str
    sketches: int
    fraction: float

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self) | {"fraction": round(self.fraction, 4)}


def confusion_matrix(drawn: npt.NDArray[np.int64], found: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """(count, count) number of sketches of category i whose nearest photo is of category j.

    Args:
        drawn: (sketches,) category of each sketch.
        found: (sketches,) category of the nearest photo apart from the sketch's own.
        count: Number of categories.
    """
    matrix = np.zeros((count, count), dtype=np.int64)
    np.add.at(matrix, (drawn, found), 1)
    return matrix


def confusions(matrix: npt.NDArray[np.int64], categories: Sequence[str]) -> list[Confusion]:
    """All confusions between different categories, the largest fraction first."""
    totals = matrix.sum(axis=1)
    found = [
        Confusion(categories[i], categories[j], int(matrix[i, j]), float(matrix[i, j] / totals[i]))
        for i, j in zip(*np.nonzero(matrix), strict=True)
        if i != j
    ]
    return sorted(found, key=lambda c: (-c.fraction, -c.sketches, c.category, c.taken_for))


@dataclass(frozen=True)
class FalseNegatives:
    """How often a negative of a category's photos is a false negative, that is, a duplicate of the photo.

    Attributes:
        category: Name.
        photos: Number of photos in the category.
        duplicate_pairs: Number of pairs of them that are duplicates.
        in_category: Mean fraction of a photo's negatives within its category that are its duplicates, as in a batch of
            one category.
        in_gallery: Mean fraction of all other photos that are its duplicates.
    """

    category: str
    photos: int
    duplicate_pairs: int
    in_category: float
    in_gallery: float

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self) | {"in_category": round(self.in_category, 6), "in_gallery": round(self.in_gallery, 6)}


def false_negatives(photos: Sequence[Photo], duplicates: Sequence[NearDuplicates]) -> list[FalseNegatives]:
    """One entry per category, the largest fraction first. Pairs across categories count for ``in_gallery`` of both."""
    sizes: dict[str, int] = {}
    for photo in photos:
        sizes[photo.category] = sizes.get(photo.category, 0) + 1
    within = dict.fromkeys(sizes, 0)
    ends = dict.fromkeys(sizes, 0)
    for pair in duplicates:
        first, second = photos[pair.first].category, photos[pair.second].category
        ends[first] += 1
        ends[second] += 1
        within[first] += first == second
    found = []
    for category, size in sizes.items():
        pairs = size * (size - 1) // 2
        others = size * (len(photos) - 1)
        found.append(
            FalseNegatives(
                category,
                size,
                within[category],
                within[category] / pairs if pairs else 0.0,
                ends[category] / others if others else 0.0,
            )
        )
    return sorted(found, key=lambda f: (-f.in_category, -f.duplicate_pairs, f.category))
