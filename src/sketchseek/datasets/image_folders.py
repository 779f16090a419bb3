"""Anybody's own data in folders: pairs, categories, or photos by category alone (the form of Caltech-101)."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from sketchseek.datasets.files import (
    SKETCH_SUFFIXES,
    pictures,
    read_ndjson,
    read_strokes,
    require_folder,
    subfolders,
)
from sketchseek.datasets.records import Photo, Sketch, SketchDataset, normalize_word
from sketchseek.errors import DatasetError

_SYNSET = re.compile(r"^n\d{8}_")  # what ImageNet puts before a word
_PAIRS = "Pairs are photo/<name>.jpg and sketch/<name>-<n>.png."
_CATEGORIES = "Categories are photo/<category>/* and sketch/<category>/*."


def load_pairs(root: str | os.PathLike[str], *, allow_missing: bool = False) -> SketchDataset:
    """Read pairs: ``photo/<name>.jpg`` and its sketches ``sketch/<name>-<n>.png`` or ``sketch/<name>.png``.

    Args:
        root: The folder that holds ``photo`` and ``sketch``.
        allow_missing: Keep sketches whose photo is not there, and name those photos in ``missing``.

    Returns:
        Photos with the category "" and their stem as key; sketches may also be SVG or JSON strokes.

    Raises:
        DatasetError: A folder is missing or empty, two photos have one name, or a sketch's photo is missing.
    """
    root = Path(root)
    photos = _photos(require_folder(root / "photo", "the photos", _PAIRS), category="")
    known = {photo.key for photo in photos}
    sketches: list[Sketch] = []
    missing: set[str] = set()
    for file in pictures(require_folder(root / "sketch", "the sketches", _PAIRS), SKETCH_SUFFIXES):
        name = re.sub(r"-\d+$", "", file.stem)
        if name not in known and file.stem in known:
            name = file.stem
        if name not in known:
            if not allow_missing:
                raise DatasetError(f"{file}: there is no photo {name!r} in {root / 'photo'}.", remedy=_PAIRS)
            missing.add(name)
        sketches.append(Sketch("", file.stem, name, path=file))
    if not sketches:
        raise DatasetError(f"{root / 'sketch'}: no sketches.", remedy=_PAIRS)
    return SketchDataset(root.resolve().name, tuple(photos), tuple(sketches), root, missing=tuple(sorted(missing)))


def load_categories(root: str | os.PathLike[str]) -> SketchDataset:
    """Read ``photo/<category>/*`` and ``sketch/<category>/*``; a folder of sketches may also hold ``.ndjson`` strokes.

    Raises:
        DatasetError: A folder is missing, or there are no photos or no sketches.
    """
    root = Path(root)
    photos = _by_category(require_folder(root / "photo", "a folder of photos a category", _CATEGORIES))
    sketches: list[Sketch] = []
    for folder in subfolders(require_folder(root / "sketch", "a folder of sketches a category", _CATEGORIES)):
        name = folder.name
        sketches += [Sketch(name, f"{name}/{file.name}", path=file) for file in pictures(folder, SKETCH_SUFFIXES)]
        for file in pictures(folder, {".ndjson"}):
            for number, line in read_ndjson(file):
                strokes = read_strokes(file, number, line.get("drawing", line.get("strokes")))
                sketches.append(Sketch(name, f"{name}/{file.name}/{number}", strokes=strokes))
    if not photos or not sketches:
        raise DatasetError(f"{root}: no {'sketches' if photos else 'photos'} in it.", remedy=_CATEGORIES)
    return SketchDataset(root.resolve().name, tuple(photos), tuple(sketches), root)


def load_photo_folders(root: str | os.PathLike[str]) -> SketchDataset:
    """Read photos without sketches: ``<category>/*``, or pictures whose file name is a word (``load_named_photos``).

    A folder that holds only such a folder is looked into, so both ``caltech101`` and
    ``caltech101/101_ObjectCategories`` will do.

    Raises:
        DatasetError: There are no photos.
    """
    source = Path(root)
    folder = require_folder(source, "a folder of photos a category", "Photos are <category>/*.jpg.")
    photos = _by_category(folder)
    inner = subfolders(folder)
    if not photos and len(inner) == 1:
        photos = _by_category(inner[0])
    if not photos:
        return load_named_photos(source)
    return SketchDataset(source.resolve().name, tuple(photos), (), source)


def photos_of(root: str | os.PathLike[str], categories: Collection[str]) -> tuple[Photo, ...]:
    """Photos of these categories out of a folder of photos a category, under the categories' own names.

    Spaces, ``_``, ``-`` and case of the folders' names do not count.

    Raises:
        DatasetError: No photo shows any of them.
    """
    by_word = {normalize_word(category): category for category in categories}
    shown = tuple(
        replace(photo, category=by_word[normalize_word(photo.category)])
        for photo in load_photo_folders(root).photos
        if normalize_word(photo.category) in by_word
    )
    if not shown:
        raise DatasetError(
            f"{root}: no folder in it is named as a category of the sketches is.",
            remedy="Photos are <category>/*.jpg, such as alarm clock/1.jpg.",
        )
    return shown


def load_named_photos(root: str | os.PathLike[str]) -> SketchDataset:
    """Read pictures whose file name is the word for what they show.

    ``hot-dog.webp`` shows a hot dog, ``cat-face.webp`` a cat, ``n07697537_hotdog.jpg`` (an ImageNet synset) a hotdog.

    Raises:
        DatasetError: There are no pictures.
    """
    source = Path(root)
    photos = []
    for file in pictures(require_folder(source, "a folder of pictures named by what they show", "Such as cat.jpg.")):
        word = normalize_word(_SYNSET.sub("", file.stem)).removesuffix(" face")
        photos.append(Photo(file, word, f"{word}/{file.name}"))
    if not photos:
        raise DatasetError(f"{root}: no photos in it.", remedy="Photos are <category>/*.jpg, or <word>.jpg.")
    return SketchDataset(source.resolve().name, tuple(photos), (), source)


def _by_category(folder: Path) -> list[Photo]:
    return [photo for category in subfolders(folder) for photo in _photos(category, category=category.name)]


def _photos(folder: Path, category: str) -> list[Photo]:
    """Photos in one folder; where the category is given their keys have the ending, so that none can clash."""
    if category:
        return [Photo(file, category, f"{category}/{file.name}") for file in pictures(folder)]
    photos = sorted((Photo(file, "", file.stem) for file in pictures(folder)), key=lambda photo: photo.key)
    for first, second in pairwise(photos):
        if first.key == second.key:
            raise DatasetError(f"{second.path}: {first.path.name} has the same name.", remedy="Rename one of the two.")
    if not photos:
        raise DatasetError(f"{folder}: no photos.", remedy=_PAIRS)
    return photos
