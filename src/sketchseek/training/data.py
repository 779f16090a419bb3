"""Loads the sources of an experiment: training and validation data, and their pixels in memory."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sketchseek.datasets.exclusions import all_keys, exclude, exclude_keys, listed, read_keys
from sketchseek.datasets.image_folders import photos_below
from sketchseek.datasets.records import Photo, Sketch, SketchDataset, normalize_word
from sketchseek.datasets.registry import DatasetSpec, LoadedDataset, check_training_photos, dataset_spec
from sketchseek.datasets.splits import Split, validation_split
from sketchseek.datasets.zero_shot import published_split
from sketchseek.errors import ConfigError, DatasetError
from sketchseek.evaluation.corruptions import first_strokes
from sketchseek.progress import Progress, ignore_progress
from sketchseek.sketches import RASTER_VERSION
from sketchseek.training.config import FoldConfig, SourceConfig
from sketchseek.training.folds import fold_of_photos
from sketchseek.training.photo_copies import read_training_photo, with_copies
from sketchseek.training.pixel_cache import read_with_cache
from sketchseek.training.pixel_rows import Pixels, PixelSource
from sketchseek.training.pseudo_sketches import read_training_sketch

Indices = npt.NDArray[np.int64]
T = TypeVar("T", Photo, Sketch)

SAME_WORD = {
    "car (sedan)": "car",
    "hotdog": "hot dog",
    "racket": "tennis racquet",
    "crocodilian": "crocodile",
    "shoes": "shoe",
    "outwear": "jacket",
}
"""Words of other data sets, mapped to the word that is used here."""


@dataclass(frozen=True)
class TrainingSet:
    """Photos and sketches of all sources, as pixels; large sets stay in the cache's files.

    Attributes:
        photos, sketches: All that could be read, in order.
        photo_pixels: (photos, size, size, 3) uint8.
        sketch_pixels: (sketches, size, size) uint8.
        photo_category, sketch_category: (n,) index into ``categories``.
        photo_source: (photos,) number of each photo's source.
        sketch_photo: (sketches,) index of each sketch's photo, −1 for sketches without a photo.
        sketch_pseudo: (sketches,) true for pseudo-sketches, which are extracted from the photo.
        categories: Names, sorted.
        skipped: Keys of photos and sketches that could not be read, with the reason.
    """

    photos: list[Photo]
    sketches: list[Sketch]
    photo_pixels: PixelSource
    sketch_pixels: PixelSource
    photo_category: Indices
    sketch_category: Indices
    photo_source: Indices
    sketch_photo: Indices
    sketch_pseudo: npt.NDArray[np.bool_]
    categories: list[str]
    skipped: list[str]


@dataclass(frozen=True)
class DataSplits:
    """Training and validation data of an experiment.

    Attributes:
        training, validation: The two subsets.
        fold: The part that is kept for cross-validation; empty without it.
        evaluation_photos: Photos of the sources' own test splits and of the experiment's evaluation folders. ``train``
            refuses training and validation photos that are copies of these.
    """

    training: SketchDataset
    validation: SketchDataset
    fold: SketchDataset
    evaluation_photos: tuple[Photo, ...] = ()


def load_sources(
    sources: list[SourceConfig],
    root: Path,
    validation: float,
    seed: int,
    evaluation_photos: Sequence[str] = (),
    fold: FoldConfig | None = None,
) -> DataSplits:
    """Read all sources and split them into training and validation data.

    Only training subsets are read. Of each source with pairs, a fraction of each category's photos is held out for
    validation, with their sketches. Everything else is for training. With a fold, its photos of each source with pairs
    are taken out first.

    Args:
        sources: Of the experiment.
        root: Folder that the sources' paths start from.
        validation: Fraction of photos to hold out.
        seed: Chooses the photos to hold out.
        evaluation_photos: The experiment's folders of evaluation photos.
        fold: The fold to keep from training and validation; None for none.

    Raises:
        ConfigError: There are no sources, the fold does not exist, or a source names an unknown data set, variant or
            zero-shot split.
        DatasetError: A source is missing or broken, or has photos that are on a test list.
    """
    if not sources:
        raise ConfigError("The experiment has no sources.", remedy="Add at least one to sources.")
    loaded = [dataset_spec(each.kind, "train").read(root / each.path, variant=each.variant) for each in sources]
    kept = _kept_for_fold(sources, loaded, fold)
    read = [
        _split_source(source, one, root, validation, seed, kept.get(source.kind, frozenset()))
        for source, one in zip(sources, loaded, strict=True)
    ]
    check_training_photos([photo for one in read for photo in one.dataset.photos])
    read = [_without_other_variants(one, read) for one in read]
    collected = _Collected()
    for number, one in enumerate(read):
        collected.add(one, number)
    evaluated = [one.evaluation_photos for one in read] + [photos_below(root / name) for name in evaluation_photos]
    return replace(collected.splits(root), evaluation_photos=tuple(photo for photos in evaluated for photo in photos))


@dataclass(frozen=True)
class _Source:
    """One source's training subset, and the keys of the photos that are held out of it.

    Attributes:
        held: For validation.
        fold: For cross-validation.
    """

    config: SourceConfig
    dataset: SketchDataset
    held: frozenset[str]
    fold: frozenset[str]
    evaluation_photos: tuple[Photo, ...]


def _kept_for_fold(
    sources: list[SourceConfig], loaded: list[LoadedDataset], fold: FoldConfig | None
) -> dict[str, frozenset[str]]:
    """Keys of the photos of the held-out fold, by data set."""
    if fold is None:
        return {}
    if fold.held_out >= fold.count:
        raise ConfigError(f"fold.held_out is {fold.held_out}, but folds count from 0 to {fold.count - 1}.")
    kept = {}
    for kind in {source.kind for source in sources}:
        variants = [one.training for source, one in zip(sources, loaded, strict=True) if source.kind == kind]
        if any(sketch.photo for variant in variants for sketch in variant.sketches):
            folds = fold_of_photos(variants, fold.count, fold.seed)
            kept[kind] = frozenset(key for key, number in folds.items() if number == fold.held_out)
    return kept


def _split_source(
    source: SourceConfig, loaded: LoadedDataset, root: Path, validation: float, seed: int, fold: frozenset[str]
) -> _Source:
    dataset = loaded.training
    # A data set without a split is used whole for training; that it is evaluated, too, only the experiment can say.
    tested = loaded.evaluation_photos if isinstance(loaded.split, Split) else ()
    if source.zero_shot:
        dataset = published_split(source.zero_shot, dataset.categories).training(dataset)
    held: frozenset[str] = frozenset()
    paired = {sketch.photo for sketch in dataset.sketches if sketch.photo}
    if paired:
        rest = [photo for photo in dataset.photos if photo.key not in fold]
        # Photos without sketches are split as well, so that the validation gallery has its fraction of them.
        for photos in ([p for p in rest if (p.key in paired) is has] for has in (True, False)):
            if photos and validation:
                held |= frozenset(validation_split(photos, validation, seed).test_photo_keys)
        if source.fraction < 1:
            pool = [p for p in rest if p.key in paired - held]
            kept = frozenset(validation_split(pool, source.fraction, seed).test_photo_keys)
            dataset = dataset.subset(photos={p.key for p in dataset.photos} - (paired - held - fold - kept))
    dataset = _exclude(dataset_spec(source.kind), dataset, source, root, held | fold)
    dataset = with_copies(dataset, source.copies, held | fold, seed)
    return _Source(source, dataset, held, fold, tested)


def _exclude(
    spec: DatasetSpec, dataset: SketchDataset, source: SourceConfig, root: Path, held: frozenset[str]
) -> SketchDataset:
    """Apply the source's exclusion lists: names of the release's own lists, or files.

    The data folder is searched for a file first, then the current folder.
    """
    files = []
    for name in source.exclude:
        if spec.find_list is not None and name in spec.exclusion_lists:
            entries = read_keys(spec.find_list(root / source.path, name))
            dataset = exclude_keys(dataset, listed(all_keys(dataset), entries), keep=held)
        else:
            files.append(root / name if (root / name).is_file() else Path(name))
    return exclude(dataset, files, keep=held)


def _without_other_variants(one: _Source, read: Sequence[_Source]) -> _Source:
    """Remove photos that another variant of the same data set holds out, and their sketches."""
    if not dataset_spec(one.config.kind).variants:
        return one
    others = [other.held for other in read if other is not one and other.config.kind == one.config.kind]
    return replace(one, dataset=exclude_keys(one.dataset, frozenset().union(*others) - one.held))


class _Collected:
    """Photos and sketches of all sources, with the source's number as prefix of each key."""

    def __init__(self) -> None:
        self.photos: list[Photo] = []
        self.sketches: list[Sketch] = []
        self.held_photos: list[Photo] = []
        self.held_sketches: list[Sketch] = []
        self.fold_photos: list[Photo] = []
        self.fold_sketches: list[Sketch] = []
        self.pseudo_sketches: list[Sketch] = []

    def add(self, one: _Source, number: int) -> None:
        """Add a source. Held-out photos and their sketches are validation data, or the fold."""
        for photo in one.dataset.photos:
            photos = self._place(one, photo.key, self.photos, self.held_photos, self.fold_photos)
            photos.append(_named_photo(photo, number))
            if one.config.pseudo_sketches and photos is self.photos:
                self.pseudo_sketches.append(_pseudo_sketch(self.photos[-1]))
        for sketch in one.dataset.sketches:
            sketches = self._place(one, sketch.photo, self.sketches, self.held_sketches, self.fold_sketches)
            sketches.append(_named_sketch(sketch, number))
            if one.config.partial_sketches and sketch.strokes and sketches is self.sketches:
                self.sketches.append(_partial_sketch(self.sketches[-1]))

    def splits(self, root: Path) -> DataSplits:
        """Training and validation data, without sketches of categories that have no photo."""
        # Photos of categories without sketches are negatives, unless the category shares a word with one that has
        # sketches: a "grinning cat face" is a cat.
        sketched = {sketch.category for sketch in self.sketches}
        words = {word for category in sketched for word in category.split()}
        photos = [p for p in self.photos if p.category in sketched or not words.intersection(p.category.split())]
        shown = {photo.category for photo in photos}
        keys = {photo.key for photo in photos}
        sketches = [sketch for sketch in self.sketches if sketch.category in shown]
        sketches += [sketch for sketch in self.pseudo_sketches if sketch.photo in keys]
        return DataSplits(
            SketchDataset("training", tuple(photos), tuple(sketches), root),
            SketchDataset("validation", tuple(self.held_photos), tuple(self.held_sketches), root),
            SketchDataset("fold", tuple(self.fold_photos), tuple(self.fold_sketches), root),
        )

    @staticmethod
    def _place(one: _Source, key: str | None, training: list[T], held: list[T], fold: list[T]) -> list[T]:
        return fold if key in one.fold else held if key in one.held else training


def read_pixels(
    dataset: SketchDataset,
    photo_size: int,
    sketch_size: int,
    cache: Path | None,
    progress: Progress = ignore_progress,
    processes: int = 1,
) -> TrainingSet:
    """Decode all photos and sketches.

    Args:
        dataset: Training or validation data.
        photo_size, sketch_size: Side lengths in pixels.
        cache: Folder in which decoded pixels are kept for the next run; None for no cache.
        progress: Called with ``photos`` or ``sketches``, the number done and the total.
        processes: Number of processes that decode.

    Raises:
        DatasetError: No photo or no sketch could be read.
    """
    skipped: list[str] = []
    photos, photo_pixels = _read(
        "photos",
        dataset.photos,
        partial(read_training_photo, size=photo_size),
        (photo_size, photo_size, 3),
        cache,
        progress,
        skipped,
        processes,
    )
    sketches, sketch_pixels = _read(
        "sketches",
        dataset.sketches,
        partial(read_training_sketch, size=sketch_size),
        (sketch_size, sketch_size),
        cache,
        progress,
        skipped,
        processes,
    )
    if not photos or not sketches:
        raise DatasetError(
            "no photos or no sketches could be read.", subject=dataset.source, remedy="; ".join(skipped[:3])
        )
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
        np.array([sketch.pseudo for sketch in sketches], dtype=np.bool_),
        names,
        skipped,
    )


def _named_photo(photo: Photo, source: int) -> Photo:
    return replace(photo, category=_word(photo.category), key=f"{source}/{photo.key}")


def _named_sketch(sketch: Sketch, source: int) -> Sketch:
    photo = f"{source}/{sketch.photo}" if sketch.photo else None
    return Sketch(_word(sketch.category), f"{source}/{sketch.key}", photo, sketch.path, sketch.strokes)


def _partial_sketch(sketch: Sketch) -> Sketch:
    """The partial sketch with the first 30 to 80 % of the ink; a hash of the key determines the fraction."""
    fraction = 0.3 + 0.5 * zlib.crc32(sketch.key.encode()) / 2**32
    strokes = first_strokes(sketch.strokes or (), fraction)
    frozen = tuple(tuple(tuple(values) for values in stroke) for stroke in strokes)
    return replace(sketch, key=f"{sketch.key}#first", strokes=frozen)


def _pseudo_sketch(photo: Photo) -> Sketch:
    return Sketch(photo.category, f"{photo.key}#lines", photo.key, photo.path, pseudo=True)


def _word(category: str) -> str:
    word = normalize_word(category)
    return SAME_WORD.get(word, word)


def _read(
    what: str,
    items: Sequence[T],
    read: Callable[[T], Pixels],
    shape: tuple[int, ...],
    cache: Path | None,
    progress: Progress,
    skipped: list[str],
    processes: int,
) -> tuple[list[T], PixelSource]:
    """Read every item, from the cache where it is there. Unreadable items are left out and added to ``skipped``."""
    folder = None if cache is None else cache / f"{what}-{'x'.join(map(str, shape))}-{RASTER_VERSION}"
    good, pixels, failed = read_with_cache(
        folder,
        items,
        [_state(item) for item in items],
        shape,
        read,
        progress=partial(progress, what),
        processes=processes,
    )
    skipped.extend(f"{items[place].key}: {reason}" for place, reason in failed.items())
    return [items[i] for i in good], pixels


def _state(item: Photo | Sketch) -> str:
    """What identifies a picture and its content. Keys and categories of a picture may differ between experiments."""
    stat = item.path.stat() if item.path is not None and item.path.is_file() else None
    stamp = f"{stat.st_size} {stat.st_mtime_ns}" if stat else str(getattr(item, "strokes", None))
    kind = f"copy {item.key}" if getattr(item, "copy", False) else "pseudo" if getattr(item, "pseudo", False) else ""
    return f"{kind} {item.path} {stamp}"
