"""Named, checksummed splits, so that two metrics can be told to be about the same photos."""

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
    """Photos to train on and photos to test on; a sketch goes where its photo goes.

    Attributes:
        name: Name of the split, such as ``sketchy-official``.
        train_photo_keys, test_photo_keys: Sorted keys; no photo is in both.
        missing: Keys that the split's list names for testing and that the data set lacks.
    """

    name: str
    train_photo_keys: tuple[str, ...]
    test_photo_keys: tuple[str, ...]
    missing: tuple[str, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """Checksum of the keys on both sides."""
        return checksum(self.train_photo_keys, self.test_photo_keys)


@dataclass(frozen=True)
class SketchSplit:
    """Sketches to train on and sketches to test on, for data sets without photos.

    Attributes:
        name: Name of the split, such as ``quickdraw-hash40``.
        train_sketch_keys, test_sketch_keys: Sorted keys; no sketch is in both.
    """

    name: str
    train_sketch_keys: tuple[str, ...]
    test_sketch_keys: tuple[str, ...]

    @cached_property
    def sha256(self) -> str:
        """Checksum of the keys on both sides."""
        return checksum(self.train_sketch_keys, self.test_sketch_keys)


def checksum(train: Iterable[str], test: Iterable[str]) -> str:
    """SHA-256 over the sorted keys of both sides, one a line, each side under its name; order does not matter."""
    digest = hashlib.sha256()
    for side, keys in (("train", train), ("test", test)):
        digest.update(f"{side}\n".encode())
        for key in sorted(keys):
            digest.update(f"{key}\n".encode())
    return digest.hexdigest()


def fraction_of(key: str, salt: str = "") -> float:
    """A number in [0, 1) that is fixed by the key (and the salt) alone: the same on every machine, in every order."""
    return int.from_bytes(hashlib.sha256(f"{salt}\n{key}".encode()).digest()[:8]) / 2**64


def validation_split(photos: Iterable[Photo], fraction: float, seed: int = 0) -> Split:
    """Take a validation part out of photos for training.

    Each category gives its share, rounded up or down so that the whole comes out right. Hashes of the keys decide, not
    their order; all sketches of a photo stay on its side.

    Args:
        photos: Photos for training only; for training on pairs pass photos that have sketches.
        fraction: Share of the validation part, above 0 and below 1.
        seed: Another seed gives another split.

    Returns:
        A split whose ``test_photo_keys`` are the validation part.

    Raises:
        ConfigError: ``fraction`` is not between 0 and 1.
    """
    if not 0.0 < fraction < 1.0:
        raise ConfigError(f"validation fraction {fraction}: must be above 0 and below 1.", remedy="0.1 is usual.")
    by_category: dict[str, list[str]] = defaultdict(list)
    for photo in photos:
        by_category[photo.category].append(photo.key)
    salt = f"validation {seed}"
    ordered = [
        key
        for category in sorted(by_category, key=lambda name: (fraction_of(name, salt), name))
        for key in sorted(by_category[category], key=lambda key: (fraction_of(key, salt), key))
    ]
    # Systematic sampling: every (1 / fraction)-th photo of the list that has each category in one piece.
    taken = {key for i, key in enumerate(ordered) if int((i + 1) * fraction) > int(i * fraction)}
    train, held_out = set(ordered) - taken, taken
    return Split(f"validation-{fraction:g}-seed{seed}", tuple(sorted(train)), tuple(sorted(held_out)))
