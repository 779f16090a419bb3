"""Photos for training that show the very picture of an evaluation photo: re-encoded, rescaled or mirrored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sketchseek.datasets.chairv2 import chairv2_split, load_chairv2
from sketchseek.datasets.image_folders import load_photo_folders
from sketchseek.datasets.records import Photo
from sketchseek.datasets.same_pictures import HASH_BITS, SAME_PIXELS, SmallPictures, small_pictures
from sketchseek.datasets.sketchy import load_sketchy, sketchy_split

_COUNTS = np.array([bin(byte).count("1") for byte in range(256)], dtype=np.uint8)


def evaluation_photos(root: Path) -> list[Photo]:
    """Every photo of an evaluation gallery: Caltech-101, and the test photos of Sketchy and ChairV2."""
    sketchy = load_sketchy(root / "sketchy")
    chairs = load_chairv2(root / "chairv2")
    caltech = load_photo_folders(root / "caltech101").photos
    return [
        *caltech,
        *sketchy.subset(photos=sketchy_split(sketchy).test_photo_keys).photos,
        *chairs.subset(photos=chairv2_split(chairs).test_photo_keys).photos,
    ]


def twins_between(training: SmallPictures, held: SmallPictures) -> list[tuple[int, int, float]]:
    """(training photo, held photo, correlation) of every pair that is one picture, mirrored ones included."""
    found = []
    held_unit = [_unit(held.pixels), _unit(held.pixels[:, :, ::-1])]
    for number in range(len(training.pixels)):
        row = _unit(training.pixels[number : number + 1])
        candidates = np.zeros(len(held.pixels), dtype=bool)
        for hashes in (held.hashes, held.mirrored):
            differing = _COUNTS[hashes ^ training.hashes[number]].sum(axis=1)
            candidates |= differing <= HASH_BITS
        for other in np.flatnonzero(candidates):
            best = max(float(row[0] @ unit[other]) for unit in held_unit)
            if best >= SAME_PIXELS:
                found.append((number, int(other), best))
    return found


def leaking_photos(photos: Sequence[Photo], root: Path) -> list[tuple[Photo, Photo, float]]:
    """Training photos that are also evaluation photos, with which, and how well their small pictures correlate."""
    held = evaluation_photos(root)
    pairs = twins_between(small_pictures(photos), small_pictures(held))
    return [(photos[a], held[b], value) for a, b, value in pairs]


def _unit(pixels: np.ndarray) -> np.ndarray:
    rows = pixels.reshape(len(pixels), -1).astype(np.float32)
    flat = rows.std(axis=1) < 4.0
    rows -= rows.mean(axis=1, keepdims=True)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    rows[flat] = 0
    return rows
