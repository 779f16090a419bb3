"""Which categories are taken for which, and how many negatives of each are in truth positives."""

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
    """Sketches of one category whose nearest other photo shows another.

    Attributes:
        category, taken_for: The two.
        sketches: How many.
        share: Of the category's sketches.
    """

    category: str
    taken_for: str
    sketches: int
    share: float

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self) | {"share": round(self.share, 4)}


def confusion_matrix(drawn: npt.NDArray[np.int64], found: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """(count, count): how many sketches of category i found a photo of category j first.

    Args:
        drawn: (sketches,) category of each sketch.
        found: (sketches,) category of the nearest photo that is not its own.
        count: Number of categories.
    """
    matrix = np.zeros((count, count), dtype=np.int64)
    np.add.at(matrix, (drawn, found), 1)
    return matrix


def confusions(matrix: npt.NDArray[np.int64], categories: Sequence[str]) -> list[Confusion]:
    """All confusions, the largest share first; a category is not confused with itself."""
    totals = matrix.sum(axis=1)
    found = [
        Confusion(categories[i], categories[j], int(matrix[i, j]), float(matrix[i, j] / totals[i]))
        for i, j in zip(*np.nonzero(matrix), strict=True)
        if i != j
    ]
    return sorted(found, key=lambda c: (-c.share, -c.sketches, c.category, c.taken_for))


@dataclass(frozen=True)
class FalseNegatives:
    """How often a negative of a category's photo is in truth a positive: a duplicate of it.

    Attributes:
        category: Name.
        photos: In the category.
        duplicate_pairs: Pairs of them that are duplicates.
        in_category: Share of a photo's negatives of its own category that are its duplicates, on average: what a batch of
            photos of one category has.
        in_gallery: Share of all other photos that are its duplicates, on average.
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
    """One entry a category, the largest share first. NearDuplicates of two categories count for the gallery of both."""
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
