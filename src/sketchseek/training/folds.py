"""Folds for cross-validation: every photo is held out once, with all its sketches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sketchseek.datasets.records import SketchDataset
from sketchseek.datasets.splits import fraction_of


def fold_of_photos(variants: Iterable[SketchDataset], count: int, seed: int) -> dict[str, int]:
    """The fold, from 0, of each photo by its key.

    Photos with sketches and photos without are dealt out separately, category by category, so that folds hold equally
    many of each. Hashes of the keys decide, not their order.

    Args:
        variants: The training subsets of one data set's variants. A photo has one key, so one fold, in all of them.
        count: Number of folds.
        seed: Chooses the folds.
    """
    categories: dict[str, str] = {}
    drawn: set[str] = set()
    for variant in variants:
        categories |= {photo.key: photo.category for photo in variant.photos}
        drawn |= {sketch.photo for sketch in variant.sketches if sketch.photo}
    salt = f"folds {seed}"
    by_category: dict[tuple[bool, str], list[str]] = defaultdict(list)
    for key, category in categories.items():
        by_category[key in drawn, category].append(key)
    ordered = [
        key
        for group in sorted(by_category, key=lambda group: (group[0], fraction_of(group[1], salt)))
        for key in sorted(by_category[group], key=lambda key: fraction_of(key, salt))
    ]
    return {key: place % count for place, key in enumerate(ordered)}
