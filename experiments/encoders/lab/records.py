"""Photos and sketches for training, read from every source, with test data refused.

Every photo and sketch has a key ``<source>/<key of the source>`` and a word, which is a category's name in one common
spelling. Nothing that a test set names is read, and a photo on the official Sketchy test list is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sketchseek.datasets.chairv2 import chairv2_split, load_chairv2
from sketchseek.datasets.exclusions import key_of
from sketchseek.datasets.image_folders import load_named_photos, load_photo_folders
from sketchseek.datasets.quickdraw import load_quickdraw, quickdraw_split
from sketchseek.datasets.records import Photo, Sketch, SketchDataset, normalize_word
from sketchseek.datasets.sketchy import load_sketchy, sketchy_split
from sketchseek.datasets.tuberlin import load_tuberlin
from sketchseek.errors import DatasetError
from sketchseek.training.data import SAME_WORD

CROPPED = "tx_000100000000"
"""The Sketchy variant with photos cropped to the object's box."""

MORE_WORDS = SAME_WORD | {
    "teddy": "teddy bear",
    "lightbulb": "light bulb",
    "motorcycle": "motorbike",
    "pistol": "pistol",
    "bicycle built for two": "tandem bicycle",
}
"""Words of different data sets for one thing. ``teddy-bear`` and ``teddy_bear`` are one by normalization."""


@dataclass(frozen=True)
class Sources:
    """All training material.

    Attributes:
        photos: Every photo, with keys and words in the common form.
        sketches: Every sketch; ``photo`` is the key of the photo that it shows, or None.
    """

    photos: list[Photo]
    sketches: list[Sketch]


def word_of(category: str) -> str:
    """A category's name in the common spelling."""
    word = normalize_word(category)
    return MORE_WORDS.get(word, word)


def refuse_official_test(photos: list[Photo], root: Path) -> None:
    """Raise DatasetError if a photo is on the official Sketchy test list or on this subset's.

    Args:
        photos: Photos of The Sketchy Database, any variant, with the data set's own keys.
        root: The Sketchy folder, which holds ``info``.
    """
    for name in ("testset.txt", "official-testset.txt"):
        file = root / "info" / name
        if not file.is_file():
            raise DatasetError(f"{file}: no such file, so test photos cannot be refused.", remedy="Unpack info/.")
        listed = {key_of(line) for line in file.read_text(encoding="utf-8").split("\n") if line.strip()}
        found = sorted(photo.key for photo in photos if photo.key in listed)
        if found:
            raise DatasetError(
                f"{len(found)} training photos are on {name}, such as {found[0]}.", remedy="Remove them from training."
            )


def evaluation_photos(root: Path) -> list[Photo]:
    """Every photo of an evaluation gallery: Caltech-101, and the test photos of Sketchy and ChairV2."""
    sketchy = load_sketchy(root / "sketchy")
    chairs = load_chairv2(root / "chairv2")
    return [
        *load_photo_folders(root / "caltech101").photos,
        *sketchy.subset(photos=sketchy_split(sketchy).test_photo_keys).photos,
        *chairs.subset(photos=chairv2_split(chairs).test_photo_keys).photos,
    ]


def load_sources(root: Path) -> Sources:
    """Read every source below ``root`` (a folder as ``sketchseek.release.data.link_data`` makes it)."""
    photos: list[Photo] = []
    sketches: list[Sketch] = []

    def add(name: str, dataset: SketchDataset) -> None:
        photos.extend(Photo(p.path, word_of(p.category), f"{name}/{p.key}") for p in dataset.photos)
        sketches.extend(
            Sketch(
                word_of(d.category),
                f"{name}/{d.key}",
                f"{name}/{d.photo}" if d.photo else None,
                path=d.path,
                strokes=d.strokes,
            )
            for d in dataset.sketches
        )

    sketchy = load_sketchy(root / "sketchy")
    sketchy = sketchy.subset(photos=sketchy_split(sketchy).train_photo_keys)
    refuse_official_test(list(sketchy.photos), root / "sketchy")
    add("sketchy", sketchy)
    cropped = load_sketchy(root / "sketchy", CROPPED)
    refuse_official_test(list(cropped.photos), root / "sketchy")
    add("cropped", cropped)
    quickdraw = load_quickdraw(root / "quickdraw")
    add("quickdraw", quickdraw.subset(sketches=quickdraw_split(quickdraw).train_sketch_keys))
    chairs = load_chairv2(root / "chairv2")
    add("chairv2", chairs.subset(photos=chairv2_split(chairs).train_photo_keys))
    add("tuberlin", load_tuberlin(root / "tuberlin"))
    add("imagenet", load_named_photos(root / "imagenet-sample"))
    add("pacs", load_photo_folders(root / "pacs-photo"))
    add("clothing", load_photo_folders(root / "clothing" / "train"))
    add("emoji", load_named_photos(root / "emoji"))
    return Sources(photos, sketches)
