"""From the sources of an experiment to one training set in memory, and a part of it to choose by."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sketchseek.datasets.chairv2 import chairv2_split, load_chairv2
from sketchseek.datasets.exclusions import exclude
from sketchseek.datasets.image_folders import load_categories, load_named_photos, load_pairs, load_photo_folders
from sketchseek.datasets.quickdraw import load_quickdraw, quickdraw_split
from sketchseek.datasets.records import Photo, Sketch, SketchDataset, normalize_word
from sketchseek.datasets.sketchy import load_sketchy, sketchy_split
from sketchseek.datasets.splits import validation_split
from sketchseek.datasets.zero_shot import published_split
from sketchseek.errors import ConfigError, DatasetError, InputError
from sketchseek.evaluation.corruptions import first_strokes
from sketchseek.images import read_photo
from sketchseek.sketches import RASTER_VERSION, rasterize_sketch
from sketchseek.training.config import SourceConfig
from sketchseek.training.pseudo_sketches import sketch_source

Indices = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]
T = TypeVar("T", Photo, Sketch)

_SAME = {
    "car (sedan)": "car",
    "hotdog": "hot dog",
    "racket": "tennis racquet",
    "crocodilian": "crocodile",
    "shoes": "shoe",
    "outwear": "jacket",
}
"""Words for one thing in The Sketchy Database and in Quick, Draw!"""


@dataclass(frozen=True)
class TrainingSet:
    """Photos and sketches of all sources, as pixels.

    Attributes:
        photos, sketches: What was read, in order.
        photo_pixels: (photos, size, size, 3) uint8.
        sketch_pixels: (sketches, size, size) uint8.
        photo_category, sketch_category: (n,) index into ``categories``.
        photo_source: (photos,) number of the source that each photo came from.
        sketch_photo: (sketches,) position of each sketch's photo, −1 where it belongs to none.
        sketch_traced: (sketches,) true where a line sketch was extracted from the photo.
        categories: Names.
        skipped: What could not be read, with the reason.
    """

    photos: list[Photo]
    sketches: list[Sketch]
    photo_pixels: Pixels
    sketch_pixels: Pixels
    photo_category: Indices
    sketch_category: Indices
    photo_source: Indices
    sketch_photo: Indices
    sketch_traced: npt.NDArray[np.bool_]
    categories: list[str]
    skipped: list[str]


@dataclass(frozen=True)
class Parts:
    """What an experiment trains on and what it chooses by."""

    training: SketchDataset
    validation: SketchDataset


def load_sources(sources: list[SourceConfig], root: Path, validation: float, seed: int) -> Parts:
    """Read the lists of all sources and part them.

    Nothing on a test list is read. Photos of validation, with their sketches, are a share of each category of the
    sources that
    have pairs; everything else trains.

    Raises:
        ConfigError: There are no sources.
        DatasetError: A source is missing or broken.
    """
    if not sources:
        raise ConfigError("the experiment has no sources.")
    photos: list[Photo] = []
    sketches: list[Sketch] = []
    held_photos: list[Photo] = []
    held_sketches: list[Sketch] = []
    lines: list[Sketch] = []
    for number, source in enumerate(sources):
        dataset = _load(source, root)
        if source.zero_shot:
            dataset = published_split(source.zero_shot, dataset.categories).training(dataset)
        held: frozenset[str] = frozenset()
        if any(sketch.photo for sketch in dataset.sketches):
            drawn = {sketch.photo for sketch in dataset.sketches}
            # Photos without sketches are split too: they make the gallery as large as its share.
            for of in ([p for p in dataset.photos if (p.key in drawn) is part] for part in (True, False)):
                held |= frozenset(validation_split(of, validation, seed).test_photo_keys if of and validation else ())
            if source.fraction < 1:
                pool = [p for p in dataset.photos if p.key in drawn - held]
                kept = frozenset(validation_split(pool, source.fraction, seed).test_photo_keys)
                dataset = dataset.subset(photos={p.key for p in dataset.photos} - (drawn - held - kept))
        dataset = exclude(dataset, [_list(root, name) for name in source.exclude], keep=held)
        for photo in dataset.photos:
            (held_photos if photo.key in held else photos).append(_named_photo(photo, number))
            if source.pseudo_sketches and photo.key not in held:
                lines.append(_line_sketch_of(photos[-1]))
        for sketch in dataset.sketches:
            (held_sketches if sketch.photo in held else sketches).append(_named_sketch(sketch, number))
            if source.partial_sketches and sketch.strokes and sketch.photo not in held:
                sketches.append(_unfinished(sketches[-1]))
    # Photos that nobody drew stay as negatives, unless their name shares a word with a drawn one: a "grinning cat face"
    # is a cat, though its category is another.
    sketched = {sketch.category for sketch in sketches}
    parts_of_words = {part for word in sketched for part in word.split()}
    photos = [p for p in photos if p.category in sketched or not parts_of_words.intersection(p.category.split())]
    shown = {photo.category for photo in photos}
    sketches = [sketch for sketch in sketches if sketch.category in shown]
    there = {photo.key for photo in photos}
    sketches += [sketch for sketch in lines if sketch.photo in there]
    return Parts(
        SketchDataset("training", tuple(photos), tuple(sketches), root),
        SketchDataset("validation", tuple(held_photos), tuple(held_sketches), root),
    )


def read_pixels(
    dataset: SketchDataset,
    photo_size: int,
    sketch_size: int,
    cache: Path | None,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> TrainingSet:
    """Decode everything once.

    Args:
        dataset: What to read.
        photo_size, sketch_size: Sides in pixels.
        cache: Folder in which decoded pixels are kept for the next run; None for no cache.
        progress: Called with what is read, how many are done, and of how many.

    Raises:
        DatasetError: Nothing could be read.
    """
    skipped: list[str] = []
    photos, photo_pixels = _read(
        "photos",
        dataset.photos,
        lambda p: read_photo(p.path, photo_size),
        (photo_size, photo_size, 3),
        cache,
        progress,
        skipped,
    )
    sketches, sketch_pixels = _read(
        "sketches",
        dataset.sketches,
        lambda d: rasterize_sketch(sketch_source(d), sketch_size),
        (sketch_size, sketch_size),
        cache,
        progress,
        skipped,
    )
    if not photos or not sketches:
        raise DatasetError(f"{dataset.source}: no photos or no sketches could be read.", remedy="; ".join(skipped[:3]))
    names = sorted({photo.category for photo in photos} | {sketch.category for sketch in sketches})
    number = {name: i for i, name in enumerate(names)}
    place = {photo.key: i for i, photo in enumerate(photos)}
    return TrainingSet(
        photos,
        sketches,
        photo_pixels,
        sketch_pixels,
        np.array([number[photo.category] for photo in photos], dtype=np.int64),
        np.array([number[sketch.category] for sketch in sketches], dtype=np.int64),
        np.unique([photo.key.split("/")[0] for photo in photos], return_inverse=True)[1].astype(np.int64),
        np.array([place.get(sketch.photo or "", -1) for sketch in sketches], dtype=np.int64),
        np.array([sketch.traced for sketch in sketches], dtype=np.bool_),
        names,
        skipped,
    )


def _load(source: SourceConfig, root: Path) -> SketchDataset:
    path = root / source.path
    if source.kind == "sketchy":
        dataset = load_sketchy(path)
        return dataset.subset(photos=sketchy_split(dataset, path).train_photo_keys)
    if source.kind == "quickdraw":
        dataset = load_quickdraw(path)
        return dataset.subset(sketches=quickdraw_split(dataset).train_sketch_keys)
    if source.kind == "chairv2":
        dataset = load_chairv2(path)
        return dataset.subset(photos=chairv2_split(dataset).train_photo_keys)
    if source.kind == "photos":
        return load_photo_folders(path)
    if source.kind == "pairs":
        return load_pairs(path)
    if source.kind == "categories":
        return load_categories(path)
    return load_named_photos(path)


def _list(root: Path, name: str) -> Path:
    """Where a list to exclude is: in the data folder, as the official ones are, or else from the current folder on."""
    return root / name if (root / name).is_file() else Path(name)


def _named_photo(photo: Photo, source: int) -> Photo:
    return Photo(photo.path, _word(photo.category), f"{source}/{photo.key}")


def _named_sketch(sketch: Sketch, source: int) -> Sketch:
    photo = f"{source}/{sketch.photo}" if sketch.photo else None
    return Sketch(_word(sketch.category), f"{source}/{sketch.key}", photo, sketch.path, sketch.strokes)


def _unfinished(sketch: Sketch) -> Sketch:
    """The first 30 to 80 % of a sketch's lines; how much is settled by its key."""
    share = 0.3 + 0.5 * zlib.crc32(sketch.key.encode()) / 2**32
    strokes = first_strokes(sketch.strokes or (), share)
    frozen = tuple(tuple(tuple(values) for values in stroke) for stroke in strokes)
    return replace(sketch, key=f"{sketch.key}#first", strokes=frozen)


def _line_sketch_of(photo: Photo) -> Sketch:
    return Sketch(photo.category, f"{photo.key}#lines", photo.key, photo.path, traced=True)


def _word(category: str) -> str:
    word = normalize_word(category)
    return _SAME.get(word, word)


def _read(
    what: str,
    items: Sequence[T],
    read: Callable[[T], Pixels],
    shape: tuple[int, ...],
    cache: Path | None,
    progress: Callable[[str, int, int], None],
    skipped: list[str],
) -> tuple[list[T], Pixels]:
    """Read every item, or take all from the cache; what cannot be read is noted and left out."""
    file = None if cache is None else cache / f"{what}-{_checksum(items, shape)}.npz"
    if file is not None and file.is_file():
        with np.load(file) as kept:
            good, pixels = kept["good"], kept["pixels"]
            skipped.extend(str(reason) for reason in kept["skipped"])
        return [items[i] for i in good], pixels
    pixels = np.empty((len(items), *shape), dtype=np.uint8)
    good_list: list[int] = []
    reasons: list[str] = []
    for i, item in enumerate(items):
        try:
            pixels[len(good_list)] = read(item)
            good_list.append(i)
        except InputError as error:
            reasons.append(f"{item.key}: {error.message}")
        progress(what, i + 1, len(items))
    pixels = pixels[: len(good_list)]
    skipped.extend(reasons)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        aside = file.with_suffix(".tmp.npz")
        np.savez(aside, pixels=pixels, good=np.array(good_list, dtype=np.int64), skipped=np.array(reasons, dtype=str))
        aside.replace(file)
    return [items[i] for i in good_list], pixels


def _checksum(items: Sequence[Photo | Sketch], shape: tuple[int, ...]) -> str:
    digest = hashlib.sha256(f"{RASTER_VERSION} {shape}".encode())
    for item in items:
        stat = item.path.stat() if item.path is not None and item.path.is_file() else None
        stamp = f"{stat.st_size} {stat.st_mtime_ns}" if stat else hash(getattr(item, "strokes", None))
        digest.update(f"{item.key} {item.path} {stamp}\n".encode())
    return digest.hexdigest()[:16]
