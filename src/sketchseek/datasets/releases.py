"""Compares a data set with the counts of its whole release, so that reports can state what they cover.

A subset is not an error. If a copy has all of a release's categories but a wrong number of files in a few, the notes
name these categories.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from sketchseek.datasets.records import SketchDataset


@dataclass(frozen=True)
class Release:
    """Counts of a whole release; None if a count is unknown or differs between copies.

    Attributes:
        categories: Number of categories.
        photos, sketches: Total numbers.
        photos_each, sketches_each: Numbers per category.
        names: SHA-256 of the sorted category names, joined by newlines; empty if unknown.
    """

    categories: int
    photos: int | None = None
    sketches: int | None = None
    photos_each: int | None = None
    sketches_each: int | None = None
    names: str = ""


RELEASES = {
    # The paper counts 75,471 sketches; copies of the archive have a few more, so only photos are compared.
    "sketchy": Release(
        categories=125,
        photos=12_500,
        photos_each=100,
        names="abf1daadf32bc05eeaf6c76c52b505e648db44220e2b342db46f3b80973374a3",
    ),
    "chairv2": Release(categories=1, photos=400, sketches=1_275),
    "shoev2": Release(categories=1, photos=2_000, sketches=6_730),
    "tuberlin": Release(categories=250, sketches=20_000, sketches_each=80),
    "quickdraw": Release(
        categories=345,
        sketches=50_426_266,
        names="abe68a03e8d4bb7c811fa1008170aa1695fce9ee3448945358f2f2cb873cc544",
    ),
}


@dataclass(frozen=True)
class Coverage:
    """How much of a release a data set covers.

    Attributes:
        release: Name of the release; empty if unknown.
        kind: ``whole``, ``subset``, ``more`` (than the release has), or ``unknown``.
        notes: Sentences for people, starting with the counts.
    """

    release: str
    kind: Literal["whole", "subset", "more", "unknown"]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"release": self.release, "kind": self.kind, "notes": list(self.notes)}


def coverage(dataset: SketchDataset) -> Coverage:
    """Compare a data set, as its loader returned it, with the release of its name."""
    release = RELEASES.get(dataset.name)
    if release is None:
        return Coverage("", "unknown", ())
    photos = Counter(photo.category for photo in dataset.photos)
    sketches = Counter(sketch.category for sketch in dataset.sketches)
    categories = set(photos) if release.photos is not None else set(sketches)
    have = {
        "categories": (len(categories), release.categories),
        "photos": (sum(photos.values()), release.photos),
        "sketches": (sum(sketches.values()), release.sketches),
    }
    told = {name: (count, whole) for name, (count, whole) in have.items() if whole is not None}
    counts = ", ".join(f"{count:,} of {whole:,} {name}" for name, (count, whole) in told.items())
    odd = [
        f"{category}: {counted[category]:,} {name} instead of {each:,}"
        for name, counted, each in (
            ("photos", photos, release.photos_each),
            ("sketches", sketches, release.sketches_each),
        )
        if each is not None
        for category in sorted(categories)
        if counted[category] != each
    ]
    if release.names and len(categories) == release.categories:
        digest = hashlib.sha256("\n".join(sorted(categories)).encode()).hexdigest()
        odd += ["the categories' names are others"] if digest != release.names else []
    if any(count > whole for count, whole in told.values()):
        return Coverage(dataset.name, "more", (f"More than the release {dataset.name} holds: {counts}.", *_few(odd)))
    if all(count == whole for count, whole in told.values()):
        return Coverage(dataset.name, "whole", (f"The whole release {dataset.name}: {counts}.", *_few(odd)))
    notes = [f"A subset of the release {dataset.name}: {counts}."]
    if len(categories) == release.categories and len(odd) < release.categories // 2:
        notes += _few(odd)  # nearly whole: a damaged copy, perhaps
    return Coverage(dataset.name, "subset", tuple(notes))


def _few(odd: list[str]) -> list[str]:
    if not odd:
        return []
    return ["Not as in the release: " + "; ".join(odd[:3]) + (f" and {len(odd) - 3:,} more." if len(odd) > 3 else ".")]
