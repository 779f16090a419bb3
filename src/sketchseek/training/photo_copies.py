"""Near-duplicates of training photos, made on purpose, for ablations of losses that should withstand them.

A copy is a photo of its own to every loss, and gets half of the original's sketches. So a sketch has a negative that
shows the same picture as its photo.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sketchseek.datasets.records import Photo, Sketch, SketchDataset
from sketchseek.datasets.splits import fraction_of
from sketchseek.images import read_photo

SUFFIX = "#copy"
"""End of a copy's key, which else is the key of the original."""

KEPT = 0.95
"""Fraction of each side that a copy keeps."""

BRIGHTNESS = 0.1
"""Maximum relative change of a copy's brightness."""


def with_copies(dataset: SketchDataset, fraction: float, keep: Collection[str], seed: int) -> SketchDataset:
    """Add near-duplicates of photos with at least two sketches; every second sketch goes to the copy.

    Args:
        dataset: A training subset.
        fraction: Fraction of these photos that get a copy. Hashes of the keys decide, so that a larger fraction has the
            copies of a smaller one.
        keep: Keys of held-out photos, which get none.
        seed: Chooses the photos.
    """
    sketches_of: dict[str, list[Sketch]] = defaultdict(list)
    for sketch in dataset.sketches:
        if fraction and sketch.photo is not None and sketch.photo not in keep:
            sketches_of[sketch.photo].append(sketch)
    chosen = {
        key for key, drawn in sketches_of.items() if len(drawn) > 1 and fraction_of(key, f"copies {seed}") < fraction
    }
    moved = {sketch.key for key in chosen for sketch in sketches_of[key][1::2]}
    copies = [replace(p, key=p.key + SUFFIX, copy=True) for p in dataset.photos if p.key in chosen]
    return replace(
        dataset,
        photos=(*dataset.photos, *copies),
        sketches=tuple(
            replace(sketch, photo=f"{sketch.photo}{SUFFIX}") if sketch.key in moved else sketch
            for sketch in dataset.sketches
        ),
    )


def places_of_copies(keys: Sequence[str]) -> npt.NDArray[np.int64]:
    """For each photo the place of its copy or, for a copy, of its original; −1 for none."""
    place = {key: i for i, key in enumerate(keys)}
    partners = [key.removesuffix(SUFFIX) if key.endswith(SUFFIX) else key + SUFFIX for key in keys]
    return np.array([place.get(partner, -1) for partner in partners], dtype=np.int64)


def read_training_photo(photo: Photo, size: int) -> npt.NDArray[np.uint8]:
    """Pixels (size, size, 3) of a photo or of a copy. The copy's key determines its crop and its brightness.

    Raises:
        InputError: The file cannot be read.
    """
    if not photo.copy:
        return read_photo(photo.path, size)
    random = np.random.default_rng(zlib.crc32(photo.key.encode()))
    large = round(size / KEPT)
    top, left = random.integers(0, large - size + 1, 2)
    pixels = read_photo(photo.path, large)[top : top + size, left : left + size]
    factor = 1 + random.uniform(-BRIGHTNESS, BRIGHTNESS)
    changed: npt.NDArray[np.uint8] = np.clip(np.rint(pixels * factor), 0, 255).astype(np.uint8)
    return changed
