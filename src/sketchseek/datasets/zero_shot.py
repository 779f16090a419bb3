"""Zero-shot splits by category: some categories are seen in training, the others are the test.

Named and checksummed, so that two metrics can be told to be about the same categories:

- ``sketchy-104-21``: the 21 categories of The Sketchy Database that are not among ImageNet's 1,000 (Yelamarthi, Reddy,
  Mishra, Mittal: A Zero-Shot Framework for Sketch Based Image Retrieval, ECCV 2018). The list is the one that
  published code for this split uses.
- ``tuberlin-220-30``: 30 categories of TU-Berlin. Shen et al. (CVPR 2018) drew theirs at random; this is the draw that
  SAKE (Liu et al., ICCV 2019) published and that later work, such as ZSE-SBIR, uses.
- ``tuberlin-220-30-seed<n>``: a draw of our own, decided by hashes of the categories' names and the seed alone.
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

_PUBLISHED = {"sketchy-104-21": SKETCHY_UNSEEN, "tuberlin-220-30": TUBERLIN_UNSEEN}


@dataclass(frozen=True)
class CategorySplit:
    """Categories to train on and categories to test on.

    Attributes:
        name: Name of the split.
        seen, unseen: Sorted names of the categories; none is in both.
        missing: Categories that the split tests and that the data set lacks.
    """

    name: str
    seen: tuple[str, ...]
    unseen: tuple[str, ...]
    missing: tuple[str, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """Checksum of the categories on both sides."""
        return checksum(self.seen, self.unseen)

    def training(self, dataset: SketchDataset) -> SketchDataset:
        """The seen categories of a data set."""
        return dataset.subset(categories=self.seen)

    def test(self, dataset: SketchDataset) -> SketchDataset:
        """The unseen categories of a data set."""
        return dataset.subset(categories=self.unseen)


def published_split(name: str, categories: Iterable[str]) -> CategorySplit:
    """The split of that name, for the categories that a data set has.

    Args:
        name: ``sketchy-104-21`` or ``tuberlin-220-30``.
        categories: Of the data set; spaces, ``_``, ``-`` and case do not count.

    Raises:
        ConfigError: There is no such split.
        DatasetError: The data set has none of the categories that it tests.
    """
    if name not in _PUBLISHED:
        raise ConfigError(f"{name!r}: no such zero-shot split.", remedy=f"Known: {', '.join(_PUBLISHED)}.")
    by_word = {normalize_word(category): category for category in categories}
    words = {normalize_word(category): category for category in _PUBLISHED[name]}
    unseen = sorted(by_word[word] for word in words if word in by_word)
    if not unseen:
        raise DatasetError(
            f"{name}: none of its {len(words)} unseen categories is in the data set.",
            remedy="Check that the split belongs to the data set.",
        )
    seen = sorted(set(by_word.values()).difference(unseen))
    return CategorySplit(
        name, tuple(seen), tuple(unseen), tuple(sorted(words[word] for word in words if word not in by_word))
    )


def drawn_split(name: str, categories: Iterable[str], unseen: int, seed: int) -> CategorySplit:
    """A split that hashes of the categories' names and the seed decide.

    Args:
        name: What the split's name begins with, such as ``tuberlin-220-30``.
        categories: Of the data set.
        unseen: How many are for testing.
        seed: Another seed gives another split.

    Raises:
        ConfigError: There are not more categories than that.
    """
    names = sorted(set(categories))
    if not 0 < unseen < len(names):
        raise ConfigError(f"{unseen} unseen of {len(names)} categories: must be at least 1 and fewer than all.")
    ordered = sorted(names, key=lambda category: (fraction_of(category, f"zero-shot {seed}"), category))
    return CategorySplit(f"{name}-seed{seed}", tuple(sorted(ordered[unseen:])), tuple(sorted(ordered[:unseen])))
