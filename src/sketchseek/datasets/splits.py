"""Splits with names and checksums, which show whether two results are about the same photos."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from sketchseek.datasets.records import Photo
from sketchseek.errors import ConfigError


@dataclass(frozen=True)
class Split:
    """A train / test split by photo. A sketch is in the split of its photo.

    Attributes:
        name: Name of the split, such as ``sketchy-official``.
        train_photo_keys, test_photo_keys: Sorted keys; no photo is in both.
        missing: Keys of test photos that are missing from the data set.
    """

    name: str
    train_photo_keys: tuple[str, ...]
    test_photo_keys: tuple[str, ...]
    missing: tuple[str, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """Checksum of the train and test keys."""
        return checksum(self.train_photo_keys, self.test_photo_keys)


@dataclass(frozen=True)
class SketchSplit:
    """A train / test split by sketch, for data sets without photos.

    Attributes:
        name: Name of the split, such as ``quickdraw-hash40``.
        train_sketch_keys, test_sketch_keys: Sorted keys; no sketch is in both.
    """

    name: str
    train_sketch_keys: tuple[str, ...]
    test_sketch_keys: tuple[str, ...]

    @cached_property
    def sha256(self) -> str:
        """Checksum of the train and test keys."""
        return checksum(self.train_sketch_keys, self.test_sketch_keys)


def checksum(train: Iterable[str], test: Iterable[str]) -> str:
    """SHA-256 of the train and test keys. The keys are sorted first, so their order does not matter."""
    digest = hashlib.sha256()
    for side, keys in (("train", train), ("test", test)):
        digest.update(f"{side}\n".encode())
        for key in sorted(keys):
            digest.update(f"{key}\n".encode())
    return digest.hexdigest()


def fraction_of(key: str, salt: str = "") -> float:
    """A pseudo-random number in [0, 1) from a hash of the key and the salt, the same on every machine."""
    return int.from_bytes(hashlib.sha256(f"{salt}\n{key}".encode()).digest()[:8]) / 2**64


def validation_split(photos: Iterable[Photo], fraction: float, seed: int = 0) -> Split:
    """Split training photos into training and validation photos.

    The fraction holds for each category, rounded up or down so that it holds for the total. Hashes of the keys decide,
    not their order.

    Args:
        photos: Photos of the training split. For training on pairs, pass photos with sketches.
        fraction: Fraction of validation photos, above 0 and below 1.
        seed: Chooses the photos.

    Returns:
        A split whose ``test_photo_keys`` are the validation photos.

    Raises:
        ConfigError: ``fraction`` is not between 0 and 1.
    """
    if not 0.0 < fraction < 1.0:
        raise ConfigError(
            f"The validation fraction is {fraction}. It must be above 0 and below 1.", remedy="Use 0.1, for example."
        )
    by_category: dict[str, list[str]] = defaultdict(list)
    for photo in photos:
        by_category[photo.category].append(photo.key)
    salt = f"validation {seed}"
    ordered = [
        key
        for category in sorted(by_category, key=lambda name: (fraction_of(name, salt), name))
        for key in sorted(by_category[category], key=lambda key: (fraction_of(key, salt), key))
    ]
    # Systematic sampling: every (1 / fraction)-th photo of a list that is grouped by category.
    taken = {key for i, key in enumerate(ordered) if int((i + 1) * fraction) > int(i * fraction)}
    train, held_out = set(ordered) - taken, taken
    return Split(f"validation-{fraction:g}-seed{seed}", tuple(sorted(train)), tuple(sorted(held_out)))
