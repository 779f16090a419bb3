"""What a whole release holds, so that a report can say whether a figure is about all of it.

A subset is no error: it is said to be one. A copy with all of a release's categories and more or fewer files in one of
them is said to be damaged, with the category's name.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from sketchseek.datasets.records import SketchDataset


@dataclass(frozen=True)
class Release:
    """Counts of a whole release; None where it says nothing or the number differs between copies.

    Attributes:
        categories: Number of categories.
        photos, sketches: In all.
        photos_each, sketches_each: In each category.
        names: SHA-256 of the categories' names, sorted, joined by line ends; empty where it is not known.
    """

    categories: int
    photos: int | None = None
    sketches: int | None = None
    photos_each: int | None = None
    sketches_each: int | None = None
    names: str = ""


RELEASES = {
    # 75,471 sketches by the paper; copies of the archive hold a few more, so that the photos decide.
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
    """How much of a release a data set is.

    Attributes:
        release: Name of the release; empty where none is known for the data set.
        kind: ``whole``, ``subset``, ``more`` (than the release holds), or ``unknown``.
        notes: Sentences for people, the counts first.
    """

    release: str
    kind: Literal["whole", "subset", "more", "unknown"]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"release": self.release, "kind": self.kind, "notes": list(self.notes)}


def coverage(dataset: SketchDataset) -> Coverage:
    """Compare a whole data set, as a loader gave it, with the release of its name."""
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
