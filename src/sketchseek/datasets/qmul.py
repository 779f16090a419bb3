"""QMUL-Shoe-V2 and QMUL-Chair-V2 (Yu et al., IJCV 2021) as pictures, in the layouts in which they are handed on.

A sketch ``<photo>_<n>.png`` belongs to the photo ``<photo>.png``. The train and test parts are either folders::

    photo/train   sketch/train   photo/test   sketch/test
    train/photo   train/sketch   test/photo   test/sketch
    trainB        trainA         testB        testA          (photos are B, sketches A)

or lists beside one folder of photos and one of sketches, both with or without a prefix such as ``ShoeV2_``::

    photo   sketch   photo_train.txt   photo_test.txt

ChairV2 as strokes is ``sketchseek.datasets.chairv2``; ``load_qmul`` reads either.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sketchseek.datasets.chairv2 import STROKES, chairv2_split, load_chairv2
from sketchseek.datasets.files import broken_line, pictures, read_lines, require_folder, subfolders
from sketchseek.datasets.records import Photo, Sketch, SketchDataset
from sketchseek.datasets.splits import Split
from sketchseek.errors import DatasetError

QmulName = Literal["chairv2", "shoev2"]

_LAYOUT = "Layouts that are known: photo/train and sketch/train; trainA and trainB; photo, sketch and photo_train.txt."
_SKETCH_NAME = re.compile(r"(?P<photo>.+)_\d+")
_SIDES: tuple[Literal["train", "test"], ...] = ("train", "test")


@dataclass(frozen=True)
class _Places:
    """Folders of photos and sketches; ``side`` is empty where lists tell the parts."""

    photo: Path
    sketch: Path
    side: str


def load_qmul(
    root: str | os.PathLike[str], name: QmulName, *, allow_missing: bool = False
) -> tuple[SketchDataset, Split]:
    """Read ShoeV2 or ChairV2 with its own split, from pictures or, where there is ``sketches.ndjson``, from strokes.

    Args:
        root: The folder that holds one of the layouts.
        name: ``chairv2`` or ``shoev2``.
        allow_missing: Keep sketches whose photo is not there, and name those photos in ``missing``.

    Returns:
        The whole data set, with keys ``shoe/<photo>`` or ``chair/<photo>``, and the split ``<name>-own``.

    Raises:
        DatasetError: A folder, list or photo is missing, a sketch's name tells no photo, or a photo is in both parts.
    """
    root = Path(root)
    category = name.removesuffix("v2")
    if (root / STROKES).is_file():
        strokes = load_chairv2(root, category=category, allow_missing=allow_missing)
        return strokes, chairv2_split(strokes)
    places = _places(require_folder(root, "photos and sketches", _LAYOUT))
    photos: dict[str, Photo] = {}
    sides: dict[str, str] = {}
    sketches: list[Sketch] = []
    for place in places:
        for file in pictures(place.photo):
            key = f"{category}/{file.stem}"
            if key in photos:
                raise DatasetError(f"{file}: {photos[key].path} has the same name.", remedy="Take one of the two out.")
            photos[key] = Photo(file, category, key)
            sides[key] = place.side
        for file in pictures(place.sketch):
            match = _SKETCH_NAME.fullmatch(file.stem)
            if match is None:
                raise DatasetError(
                    f"{file}: its name is not <photo>_<n>.png, so that its photo is unknown.",
                    remedy="Rename it, or take it out of the folder.",
                )
            photo = f"{category}/{match['photo']}"
            if place.side and sides.setdefault(photo, place.side) != place.side:
                raise DatasetError(f"{file}: its photo {photo} is in the {sides[photo]} part.", remedy=_LAYOUT)
            sketches.append(Sketch(category, f"{category}/{file.stem}", photo, path=file))
    if not photos or not sketches:
        raise DatasetError(f"{root}: no {'sketches' if photos else 'photos'} in it.", remedy=_LAYOUT)
    orphans = [sketch for sketch in sketches if sketch.photo not in photos]
    if orphans and not allow_missing:
        raise DatasetError(
            f"{orphans[0].path}: its photo {orphans[0].photo} is missing.", remedy="Unpack the photos again."
        )
    dataset = SketchDataset(
        name,
        tuple(sorted(photos.values(), key=lambda photo: photo.key)),
        tuple(sorted(sketches, key=lambda sketch: sketch.key)),
        root,
        missing=tuple(sorted({sketch.photo for sketch in orphans if sketch.photo is not None})),
    )
    return dataset, _split(dataset, sides if places[0].side else _listed(root, category))


def _split(dataset: SketchDataset, sides: dict[str, str]) -> Split:
    known = dataset.photo_by_key
    parts = {side: sorted(key for key, of in sides.items() if of == side) for side in _SIDES}
    for side, keys in parts.items():
        if not keys:
            raise DatasetError(f"{dataset.source}: no photo is in the {side} part.", remedy=_LAYOUT)
    return Split(
        f"{dataset.name}-own",
        tuple(key for key in parts["train"] if key in known),
        tuple(key for key in parts["test"] if key in known),
        missing=tuple(key for key in parts["test"] if key not in known),
    )


def _listed(root: Path, category: str) -> dict[str, str]:
    sides: dict[str, str] = {}
    for side in _SIDES:
        path = root / f"photo_{side}.txt"
        for number, line in enumerate(read_lines(path, f"names of the photos of the {side} part", _LAYOUT), 1):
            key = f"{category}/{re.sub(r'[.](png|jpe?g)$', '', Path(line).name, flags=re.IGNORECASE)}"
            if sides.setdefault(key, side) != side:
                raise broken_line(path, number, f"its photo {line} is in both parts")
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
            raise DatasetError(f"{absent}: no such folder, but there is {there[0]}.", remedy=_LAYOUT)
    flat = {
        kind: next((folder for folder in subfolders(root) if re.fullmatch(rf"(.+_)?{kind}(_png)?", folder.name)), None)
        for kind in ("photo", "sketch")
    }
    if flat["photo"] is None or flat["sketch"] is None:
        raise DatasetError(f"{root}: no folder of photos and of sketches in it.", remedy=_LAYOUT)
    return [_Places(flat["photo"], flat["sketch"], "")]
