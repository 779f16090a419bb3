"""The one validation split: photos, sketches and distractors that no run trains on, stored as a file with a checksum.

Photos that are one picture (in both Sketchy variants, re-encoded or mirrored) form a group and stay on one side.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lab.records import Sources
from sketchseek.audit.near_duplicates import find_near_duplicates
from sketchseek.datasets.records import Photo
from sketchseek.datasets.same_pictures import small_pictures
from sketchseek.datasets.splits import fraction_of

SALT = "validation 2026-11-27"
DRAWN_FRACTION = 0.06
"""Fraction of the drawn photos of a large category that is held out."""
SMALL_CATEGORY = 12
"""Categories with fewer drawn photos, three at least, give one photo, and not all of them do."""
SMALL_FRACTION = 0.6
DISTRACTORS = 400
CHAIRS = 40
WORD_SKETCHES = 3
"""Quick, Draw! sketches a word that are held out."""


@dataclass(frozen=True)
class ValidationSplit:
    """Keys that are held out.

    Attributes:
        drawn: Photos whose sketches are the queries at instance level.
        distractors: Photos without sketches that are only in the gallery.
        chairs: ChairV2 photos, with their sketches.
        word_sketches: Quick, Draw! sketches for validation by word.
        dropped: Photos that are in no set: copies of held-out ones.
    """

    drawn: list[str]
    distractors: list[str]
    chairs: list[str]
    word_sketches: list[str]
    dropped: list[str]

    @property
    def sha256(self) -> str:
        """Checksum of all keys."""
        return hashlib.sha256(json.dumps(self._lists(), sort_keys=True).encode()).hexdigest()

    def _lists(self) -> dict[str, list[str]]:
        names = ("drawn", "distractors", "chairs", "word_sketches", "dropped")
        return {name: sorted(getattr(self, name)) for name in names}

    def write(self, file: Path) -> None:
        """Store it."""
        file.write_text(json.dumps({"sha256": self.sha256, **self._lists()}, indent=1) + "\n", encoding="utf-8")


def read_split(file: Path) -> ValidationSplit:
    """Read a stored split; ValueError if its checksum is wrong."""
    data = json.loads(file.read_text(encoding="utf-8"))
    said = data.pop("sha256")
    split = ValidationSplit(**data)
    if split.sha256 != said:
        raise ValueError(f"{file}: its checksum is wrong. Restore the file.")
    return split


def groups_of(photos: Sequence[Photo]) -> dict[str, int]:
    """Number of each photo's group: photos that are one picture, by file name within Sketchy or by pixels."""
    parent = list(range(len(photos)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    by_stem: dict[str, int] = {}
    for number, photo in enumerate(photos):
        source, _, key = photo.key.partition("/")
        if source in ("sketchy", "cropped"):
            parent[root(number)] = root(by_stem.setdefault(key, number))
    nothing = np.zeros((len(photos), 1), dtype=np.float32)
    for pair in find_near_duplicates(small_pictures(photos), nothing, near=None):
        parent[root(pair.first)] = root(pair.second)
    return {photo.key: root(number) for number, photo in enumerate(photos)}


def make_split(sources: Sources, groups: dict[str, int]) -> ValidationSplit:
    """Choose by hashes of keys alone, so that the order of files does not count."""
    drawn = {sketch.photo for sketch in sources.sketches if sketch.photo}
    by_category: dict[str, list[str]] = defaultdict(list)
    for photo in sources.photos:
        if photo.key in drawn and photo.key.startswith(("sketchy/", "cropped/")):
            by_category[photo.category].append(photo.key)
    held: list[str] = []
    for category, keys in sorted(by_category.items()):
        keys.sort(key=lambda key: (fraction_of(key, SALT), key))
        if len(keys) >= SMALL_CATEGORY:
            held += keys[: max(1, round(DRAWN_FRACTION * len(keys)))]
        elif len(keys) >= 3 and fraction_of(category, SALT) < SMALL_FRACTION:
            held += keys[:1]
    held_groups = {groups[key] for key in held}
    undrawn = [p.key for p in sources.photos if p.key.startswith(("sketchy/", "cropped/")) and p.key not in drawn]
    undrawn = sorted(
        (k for k in undrawn if groups[k] not in held_groups), key=lambda key: (fraction_of(key, SALT), key)
    )
    distractors = undrawn[:DISTRACTORS]
    chairs = sorted({s.photo for s in sources.sketches if s.key.startswith("chairv2/") and s.photo})
    chairs = sorted(chairs, key=lambda key: (fraction_of(key, SALT), key))[:CHAIRS]
    by_word: dict[str, list[str]] = defaultdict(list)
    for sketch in sources.sketches:
        if sketch.key.startswith("quickdraw/"):
            by_word[sketch.category].append(sketch.key)
    words = [k for keys in by_word.values() for k in sorted(keys, key=lambda k: fraction_of(k, SALT))[:WORD_SKETCHES]]
    kept = {*held, *distractors, *chairs}
    closed = {groups[key] for key in kept}
    dropped = {p.key for p in sources.photos if groups[p.key] in closed and p.key not in kept}
    return ValidationSplit(sorted(held), sorted(distractors), chairs, sorted(words), sorted(dropped))
