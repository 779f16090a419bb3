"""QMUL-ShoeV2 and QMUL-ChairV2 (Yu et al., IJCV 2021), in the layouts in which copies of them are found.

A sketch ``<photo>_<n>.png`` belongs to the photo ``<photo>.png``. The train / test split is given by folders::

    photo/train   sketch/train   photo/test   sketch/test
    train/photo   train/sketch   test/photo   test/sketch
    trainB        trainA         testB        testA          (photos are B, sketches A)

or by lists beside one folder of photos and one of sketches, both with or without a prefix such as ``ShoeV2_``::

    photo   sketch   photo_train.txt   photo_test.txt

``load_qmul`` also reads ChairV2 as strokes (``sketchseek.datasets.chairv2``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sketchseek.datasets.chairv2 import STROKES, chairv2_split, load_chairv2
from sketchseek.datasets.files import broken_line, pictures, read_lines, require_folder, subfolders
from sketchseek.datasets.records import Photo, Sketch, SketchDataset
from sketchseek.datasets.registry import DatasetSpec, LoadedDataset, Loader
from sketchseek.datasets.splits import Split
from sketchseek.errors import DatasetError

QmulName = Literal["chairv2", "shoev2"]

_TITLES: dict[QmulName, str] = {"chairv2": "QMUL-ChairV2", "shoev2": "QMUL-ShoeV2"}

_LAYOUT = "Known layouts: photo/train and sketch/train; trainA and trainB; photo, sketch and photo_train.txt."
_SKETCH_NAME = re.compile(r"(?P<photo>.+)_\d+")
_SIDES: tuple[Literal["train", "test"], ...] = ("train", "test")


@dataclass(frozen=True)
class _Places:
    """Folders of photos and sketches; ``side`` is ``train`` or ``test``, or empty where lists give the split."""

    photo: Path
    sketch: Path
    side: str


def load_qmul(
    root: str | os.PathLike[str], name: QmulName, *, allow_missing: bool = False
) -> tuple[SketchDataset, Split]:
    """Read ShoeV2 or ChairV2 with its own split, from strokes if there is a ``sketches.ndjson``, else from images.

    Args:
        root: The folder, in one of the layouts.
        name: ``chairv2`` or ``shoev2``.
        allow_missing: Keep sketches whose photo is missing, and list these photos in ``missing``.

    Returns:
        The whole data set, with keys ``shoe/<photo>`` or ``chair/<photo>``, and the split ``<name>-own``.

    Raises:
        DatasetError: A folder, list or photo is missing, a sketch's file name does not name its photo, or a photo is in
            both train and test.
    """
    root = Path(root)
    category = name.removesuffix("v2")
    if (root / STROKES).is_file():
        strokes = load_chairv2(root, category=category, allow_missing=allow_missing)
        return strokes, chairv2_split(strokes)
    places = _places(require_folder(root, "photos and sketches", _LAYOUT))
    photos, sides = _read_photos(places, category)
    sketches = [sketch for place in places for sketch in _read_sketches(place, category, sides)]
    if not photos or not sketches:
        raise DatasetError(f"no {'sketches' if photos else 'photos'} in it.", subject=root, remedy=_LAYOUT)
    orphans = [sketch for sketch in sketches if sketch.photo not in photos]
    if orphans and not allow_missing:
        raise DatasetError(
            f"its photo {orphans[0].photo} is missing.", subject=orphans[0].path, remedy="Unpack the photos again."
        )
    dataset = SketchDataset(
        name,
        tuple(sorted(photos.values(), key=lambda photo: photo.key)),
        tuple(sorted(sketches, key=lambda sketch: sketch.key)),
        root,
        missing=tuple(sorted({sketch.photo for sketch in orphans if sketch.photo is not None})),
    )
    return dataset, _split(dataset, sides if places[0].side else _listed(root, category))


def _read_photos(places: Sequence[_Places], category: str) -> tuple[dict[str, Photo], dict[str, str]]:
    """Return photos by key, and their sides of the split by key."""
    photos: dict[str, Photo] = {}
    sides: dict[str, str] = {}
    for place in places:
        for file in pictures(place.photo):
            key = f"{category}/{file.stem}"
            if key in photos:
                raise DatasetError(
                    f"{photos[key].path} has the same name.", subject=file, remedy="Remove one of the two."
                )
            photos[key] = Photo(file, category, key)
            sides[key] = place.side
    return photos, sides


def _read_sketches(place: _Places, category: str, sides: dict[str, str]) -> Iterator[Sketch]:
    """Yield a folder's sketches. ``sides`` gets the photos that are missing, on the side of their sketches."""
    for file in pictures(place.sketch):
        match = _SKETCH_NAME.fullmatch(file.stem)
        if match is None:
            raise DatasetError(
                "its name is not <photo>_<n>.png, so its photo is unknown.",
                subject=file,
                remedy="Rename the file, or remove it from the folder.",
            )
        photo = f"{category}/{match['photo']}"
        if place.side and sides.setdefault(photo, place.side) != place.side:
            raise DatasetError(f"its photo {photo} is in the {sides[photo]} split.", subject=file, remedy=_LAYOUT)
        yield Sketch(category, f"{category}/{file.stem}", photo, path=file)


def _split(dataset: SketchDataset, sides: dict[str, str]) -> Split:
    known = dataset.photo_by_key
    keys_of = {side: sorted(key for key, of in sides.items() if of == side) for side in _SIDES}
    for side, keys in keys_of.items():
        if not keys:
            raise DatasetError(f"no photo is in the {side} split.", subject=dataset.source, remedy=_LAYOUT)
    return Split(
        f"{dataset.name}-own",
        tuple(key for key in keys_of["train"] if key in known),
        tuple(key for key in keys_of["test"] if key in known),
        missing=tuple(key for key in keys_of["test"] if key not in known),
    )


def _listed(root: Path, category: str) -> dict[str, str]:
    sides: dict[str, str] = {}
    for side in _SIDES:
        path = root / f"photo_{side}.txt"
        for number, line in enumerate(read_lines(path, f"names of the {side} photos", _LAYOUT), 1):
            key = f"{category}/{re.sub(r'[.](png|jpe?g)$', '', Path(line).name, flags=re.IGNORECASE)}"
            if sides.setdefault(key, side) != side:
                raise broken_line(path, number, f"its photo {line} is in both train and test")
    return sides


def _places(root: Path) -> list[_Places]:
    for photo, sketch in (("photo/{}", "sketch/{}"), ("{}/photo", "{}/sketch"), ("{}B", "{}A")):
        places = [_Places(root / photo.format(side), root / sketch.format(side), side) for side in _SIDES]
        folders = [folder for place in places for folder in (place.photo, place.sketch)]
        there = [folder for folder in folders if folder.is_dir()]
        if len(there) == len(folders):
            return places
        if there:
            absent = next(folder for folder in folders if folder not in there)
            raise DatasetError(f"no such folder, but there is {there[0]}.", subject=absent, remedy=_LAYOUT)
    flat = {
        kind: next((folder for folder in subfolders(root) if re.fullmatch(rf"(.+_)?{kind}(_png)?", folder.name)), None)
        for kind in ("photo", "sketch")
    }
    if flat["photo"] is None or flat["sketch"] is None:
        raise DatasetError("no folder of photos and of sketches in it.", subject=root, remedy=_LAYOUT)
    return [_Places(flat["photo"], flat["sketch"], "")]


def _loader(name: QmulName) -> Loader:
    def load(root: Path, *, variant: str, allow_missing: bool) -> LoadedDataset:
        return LoadedDataset(*load_qmul(root, name, allow_missing=allow_missing))

    return load


SPECS = tuple(
    DatasetSpec(
        name,
        title,
        "The folder holds photo and sketches.ndjson (strokes), or images: photo/train, sketch/train …, or "
        "trainA, trainB …, or photo, sketch and photo_train.txt ….",
        _loader(name),
        terms="research use",
        relevance="photo",
        audits=True,
        strokes=True,
        splits=(f"{name}-own",),
        accuracy=True,
    )
    for name, title in _TITLES.items()
)
