"""Your own data in folders: pairs, categories, or photos by category (the layout of Caltech-101)."""

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
from sketchseek.datasets.registry import DatasetSpec, LoadedDataset
from sketchseek.errors import DatasetError

_SYNSET = re.compile(r"^n\d{8}_")  # ImageNet's prefix
_PAIRS = "Pairs are photo/<name>.jpg and sketch/<name>-<n>.png."
_CATEGORIES = "Categories are photo/<category>/* and sketch/<category>/*."


def load_pairs(root: str | os.PathLike[str], *, allow_missing: bool = False) -> SketchDataset:
    """Read pairs: ``photo/<name>.jpg`` and its sketches ``sketch/<name>-<n>.png`` or ``sketch/<name>.png``.

    Args:
        root: The folder that holds ``photo`` and ``sketch``.
        allow_missing: Keep sketches whose photo is missing, and list these photos in ``missing``.

    Returns:
        Photos with the category "" and their stem as key. Sketches can also be SVG or JSON strokes.

    Raises:
        DatasetError: A folder is missing or empty, two photos have the same name, or a sketch's photo is missing.
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
                raise DatasetError(f"there is no photo {name!r} in {root / 'photo'}.", subject=file, remedy=_PAIRS)
            missing.add(name)
        sketches.append(Sketch("", file.stem, name, path=file))
    if not sketches:
        raise DatasetError("no sketches.", subject=root / "sketch", remedy=_PAIRS)
    return SketchDataset(root.resolve().name, tuple(photos), tuple(sketches), root, missing=tuple(sorted(missing)))


def load_categories(root: str | os.PathLike[str]) -> SketchDataset:
    """Read ``photo/<category>/*`` and ``sketch/<category>/*``. Sketch folders can also hold ``.ndjson`` strokes.

    Raises:
        DatasetError: A folder is missing, or there are no photos or no sketches.
    """
    root = Path(root)
    photos = _by_category(require_folder(root / "photo", "one folder of photos per category", _CATEGORIES))
    sketches: list[Sketch] = []
    for folder in subfolders(require_folder(root / "sketch", "one folder of sketches per category", _CATEGORIES)):
        name = folder.name
        sketches += [Sketch(name, f"{name}/{file.name}", path=file) for file in pictures(folder, SKETCH_SUFFIXES)]
        for file in pictures(folder, {".ndjson"}):
            for number, line in read_ndjson(file):
                strokes = read_strokes(file, number, line.get("drawing", line.get("strokes")))
                sketches.append(Sketch(name, f"{name}/{file.name}/{number}", strokes=strokes))
    if not photos or not sketches:
        raise DatasetError(f"no {'sketches' if photos else 'photos'} in it.", subject=root, remedy=_CATEGORIES)
    return SketchDataset(root.resolve().name, tuple(photos), tuple(sketches), root)


def load_photo_folders(root: str | os.PathLike[str]) -> SketchDataset:
    """Read photos without sketches: ``<category>/*``, or images named by a word (``load_named_photos``).

    If the folder holds only one folder, that one is read: ``caltech101`` and ``caltech101/101_ObjectCategories`` both
    work.

    Raises:
        DatasetError: There are no photos.
    """
    source = Path(root)
    folder = require_folder(source, "one folder of photos per category", "Photos are <category>/*.jpg.")
    photos = _by_category(folder)
    inner = subfolders(folder)
    if not photos and len(inner) == 1:
        photos = _by_category(inner[0])
    if not photos:
        return load_named_photos(source)
    return SketchDataset(source.resolve().name, tuple(photos), (), source)


def photos_of(root: str | os.PathLike[str], categories: Collection[str]) -> tuple[Photo, ...]:
    """Photos of the given categories, from one folder of photos per category.

    Folder names are matched without regard to spaces, ``_``, ``-`` and case. Photos get the given category's spelling.

    Raises:
        DatasetError: No folder matches a category.
    """
    by_word = {normalize_word(category): category for category in categories}
    shown = tuple(
        replace(photo, category=by_word[normalize_word(photo.category)])
        for photo in load_photo_folders(root).photos
        if normalize_word(photo.category) in by_word
    )
    if not shown:
        raise DatasetError(
            "no folder in it has the name of a sketch category.",
            subject=root,
            remedy="Photos are <category>/*.jpg, such as alarm clock/1.jpg.",
        )
    return shown


def load_named_photos(root: str | os.PathLike[str]) -> SketchDataset:
    """Read images whose file name is their category.

    ``hot-dog.webp`` is a hot dog, ``cat-face.webp`` a cat, ``n07697537_hotdog.jpg`` (an ImageNet synset) a hotdog.

    Raises:
        DatasetError: There are no images.
    """
    source = Path(root)
    photos = []
    for file in pictures(
        require_folder(source, "images named by their category", "Name files by category, such as cat.jpg.")
    ):
        word = normalize_word(_SYNSET.sub("", file.stem)).removesuffix(" face")
        photos.append(Photo(file, word, f"{word}/{file.name}"))
    if not photos:
        raise DatasetError("no photos in it.", subject=root, remedy="Photos are <category>/*.jpg, or <word>.jpg.")
    return SketchDataset(source.resolve().name, tuple(photos), (), source)


def photos_below(root: str | os.PathLike[str]) -> tuple[Photo, ...]:
    """All photos in a folder and its subfolders, whatever the layout; keys are paths, and categories are empty.

    Raises:
        DatasetError: There is no such folder, or there are no photos in it.
    """
    folder = require_folder(Path(root), "photos", "Name a folder of photos.")
    photos = [
        Photo(file, "", file.relative_to(folder).as_posix())
        for each in sorted((folder, *(entry for entry in folder.rglob("*") if entry.is_dir())))
        for file in pictures(each)
    ]
    if not photos:
        raise DatasetError("no photos in it.", subject=root, remedy="Name a folder of photos.")
    return tuple(photos)


def _by_category(folder: Path) -> list[Photo]:
    return [photo for category in subfolders(folder) for photo in _photos(category, category=category.name)]


def _photos(folder: Path, category: str) -> list[Photo]:
    """Photos in one folder. With a category, keys include the file's suffix, so that no two are equal."""
    if category:
        return [Photo(file, category, f"{category}/{file.name}") for file in pictures(folder)]
    photos = sorted((Photo(file, "", file.stem) for file in pictures(folder)), key=lambda photo: photo.key)
    for first, second in pairwise(photos):
        if first.key == second.key:
            raise DatasetError(
                f"{first.path.name} has the same name.", subject=second.path, remedy="Rename one of the two."
            )
    if not photos:
        raise DatasetError("no photos.", subject=folder, remedy=_PAIRS)
    return photos


def _load_pairs(root: Path, *, variant: str, allow_missing: bool) -> LoadedDataset:
    return LoadedDataset(load_pairs(root, allow_missing=allow_missing))


def _load_categories(root: Path, *, variant: str, allow_missing: bool) -> LoadedDataset:
    return LoadedDataset(load_categories(root))


def _load_photos(root: Path, *, variant: str, allow_missing: bool) -> LoadedDataset:
    return LoadedDataset(load_photo_folders(root))


def _load_named(root: Path, *, variant: str, allow_missing: bool) -> LoadedDataset:
    return LoadedDataset(load_named_photos(root))


SPECS = (
    DatasetSpec("pairs", "Your own pairs", _PAIRS, _load_pairs, relevance="photo", audits=True, strokes=True),
    DatasetSpec(
        "categories",
        "Your own categories",
        _CATEGORIES,
        _load_categories,
        relevance="category",
        audits=True,
        strokes=True,
    ),
    DatasetSpec("photos", "Photos by category, without sketches", "Photos are <category>/*.", _load_photos),
    DatasetSpec("named", "Photos named by their category, without sketches", "Photos are <word>.jpg.", _load_named),
)
