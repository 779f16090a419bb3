"""Zero-shot splits: seen categories are for training, unseen categories for testing.

Names and checksums show whether two results are about the same categories:

- ``sketchy-104-21``: the 21 categories of The Sketchy Database that are not among ImageNet's 1,000 (Yelamarthi, Reddy,
  Mishra, Mittal: A Zero-Shot Framework for Sketch Based Image Retrieval, ECCV 2018). The list is taken
  from published code for this split.
- ``sketchy-100-25``: 25 categories of Sketchy. Shen et al. (CVPR 2018) chose theirs at random. This is the choice that
  SAKE (Liu et al., ICCV 2019) published and later work, such as ZSE-SBIR, uses.
- ``tuberlin-220-30``: 30 categories of TU-Berlin. Shen et al. (CVPR 2018) chose theirs at random. This is the choice
  that SAKE (Liu et al., ICCV 2019) published and later work, such as ZSE-SBIR, uses.
- ``quickdraw-extended-80-30``: 30 of the 110 categories of QuickDraw-Extended (Dey et al., CVPR 2019), as ZSE-SBIR and
  later work list them.
- ``tuberlin-220-30-seed<n>``: our own random choice, by hashes of the category names and the seed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from sketchseek.datasets.records import SketchDataset, normalize_word
from sketchseek.datasets.splits import checksum, fraction_of
from sketchseek.errors import ConfigError, DatasetError

SKETCHY_UNSEEN = (
    "bat", "cabin", "cow", "dolphin", "door", "giraffe", "helicopter", "mouse", "pear", "raccoon", "rhinoceros", "saw",
    "scissors", "seagull", "skyscraper", "songbird", "sword", "tree", "wheelchair", "windmill", "window",
)  # fmt: skip

TUBERLIN_UNSEEN = (
    "ant", "banana", "bottle opener", "brain", "bread", "bridge", "bus", "canoe", "fan", "frying-pan", "horse",
    "hot air balloon", "laptop", "lighter", "parachute", "penguin", "pizza", "rollerblades", "shoe", "snowboard",
    "space shuttle", "streetlight", "suitcase", "t-shirt", "table", "teacup", "telephone", "tractor", "trombone",
    "windmill",
)  # fmt: skip

SKETCHY_UNSEEN_25 = (
    "airplane", "bell", "butterfly", "camel", "chicken", "cup", "deer", "harp", "horse", "parrot", "pineapple", "ray",
    "rifle", "scissors", "snail", "squirrel", "swan", "tank", "teddy bear", "tree", "umbrella", "volcano",
    "wheelchair", "windmill", "wine bottle",
)  # fmt: skip

QUICKDRAW_EXTENDED_UNSEEN = (
    "banana", "bat", "beach", "bread", "cactus", "cake", "campfire", "cow", "dolphin", "door", "fan", "feather",
    "fire hydrant", "frog", "giraffe", "hamburger", "helicopter", "megaphone", "mouse", "palm tree", "raccoon",
    "rhinoceros", "saw", "scissors", "shark", "skyscraper", "tiger", "tree", "windmill", "zebra",
)  # fmt: skip

_PUBLISHED = {
    "sketchy-104-21": SKETCHY_UNSEEN,
    "sketchy-100-25": SKETCHY_UNSEEN_25,
    "tuberlin-220-30": TUBERLIN_UNSEEN,
    "quickdraw-extended-80-30": QUICKDRAW_EXTENDED_UNSEEN,
}


@dataclass(frozen=True)
class CategorySplit:
    """A split of categories into seen and unseen ones.

    Attributes:
        name: Name of the split.
        seen, unseen: Sorted category names; none is in both.
        missing: Unseen categories that are missing from the data set.
    """

    name: str
    seen: tuple[str, ...]
    unseen: tuple[str, ...]
    missing: tuple[str, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """Checksum of the seen and unseen categories."""
        return checksum(self.seen, self.unseen)

    def training(self, dataset: SketchDataset) -> SketchDataset:
        """The seen categories of a data set."""
        return dataset.subset(categories=self.seen)

    def test(self, dataset: SketchDataset) -> SketchDataset:
        """The unseen categories of a data set."""
        return dataset.subset(categories=self.unseen)


def published_split(name: str, categories: Iterable[str]) -> CategorySplit:
    """The published split of that name, for the categories of a data set.

    Args:
        name: One of the published splits above.
        categories: Of the data set; matched without regard to spaces, ``_``, ``-`` and case.

    Raises:
        ConfigError: There is no such split.
        DatasetError: The data set has none of the unseen categories.
    """
    if name not in _PUBLISHED:
        raise ConfigError(f"{name!r}: no such zero-shot split.", remedy=f"Known: {', '.join(_PUBLISHED)}.")
    by_word = {normalize_word(category): category for category in categories}
    words = {normalize_word(category): category for category in _PUBLISHED[name]}
    unseen = sorted(by_word[word] for word in words if word in by_word)
    if not unseen:
        raise DatasetError(
            f"none of its {len(words)} unseen categories is in the data set.",
            subject=name,
            remedy="Use a split that was made for this data set.",
        )
    seen = sorted(set(by_word.values()).difference(unseen))
    return CategorySplit(
        name, tuple(seen), tuple(unseen), tuple(sorted(words[word] for word in words if word not in by_word))
    )


def drawn_split(name: str, categories: Iterable[str], unseen: int, seed: int) -> CategorySplit:
    """A random split, by hashes of the category names and the seed.

    Args:
        name: Prefix of the split's name, such as ``tuberlin-220-30``.
        categories: Of the data set.
        unseen: Number of unseen categories.
        seed: Chooses the unseen categories.

    Raises:
        ConfigError: ``unseen`` is not between 1 and the number of categories − 1.
    """
    names = sorted(set(categories))
    if not 0 < unseen < len(names):
        raise ConfigError(
            f"{unseen} unseen of {len(names)} categories: must be at least 1 and fewer than all.",
            remedy="Choose another number.",
        )
    ordered = sorted(names, key=lambda category: (fraction_of(category, f"zero-shot {seed}"), category))
    return CategorySplit(f"{name}-seed{seed}", tuple(sorted(ordered[unseen:])), tuple(sorted(ordered[:unseen])))
