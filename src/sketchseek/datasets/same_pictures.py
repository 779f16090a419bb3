"""Photos that are one picture: encoded twice, rescaled or mirrored.

Photos of an evaluation set must not be trained on under another name. Difference hashes find candidates, and
thumbnails decide. A photo that was cropped from another is not found.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from sketchseek.datasets.records import Photo
from sketchseek.errors import DatasetError, InputError
from sketchseek.images import read_photo
from sketchseek.progress import Progress

HASH_BITS = 10
"""Maximum number of differing bits, of 64, between two difference hashes for pixels to be compared."""

SAME_PIXELS = 0.97
"""Minimum correlation of two thumbnails for an exact duplicate; re-encoded copies reach 0.99."""

_SMALL = 32
_BLOCK = 512
_BITS = np.array([byte.bit_count() for byte in range(256)], dtype=np.uint8)  # that are set in each byte


@dataclass(frozen=True)
class SamePicture:
    """A training photo that is also an evaluation photo.

    Attributes:
        training, evaluation: The two photos.
        mirrored: Whether one is the mirror image of the other.
        correlation: Of the two small pictures, the one mirrored where ``mirrored`` says so.
    """

    training: Photo
    evaluation: Photo
    mirrored: bool
    correlation: float


@dataclass(frozen=True)
class SmallPictures:
    """Thumbnails of photos.

    Attributes:
        pixels: (photos, 32, 32, 3) uint8.
        hashes, mirrored: (photos, 8) uint8, difference hashes of the photos and of their mirror images.
        read: (photos,) false for unreadable photos.
    """

    pixels: npt.NDArray[np.uint8]
    hashes: npt.NDArray[np.uint8]
    mirrored: npt.NDArray[np.uint8]
    read: npt.NDArray[np.bool_]


def small_pictures(photos: Sequence[Photo], progress: Progress | None = None) -> SmallPictures:
    """Read thumbnails of all photos, on several threads."""
    pixels = np.zeros((len(photos), _SMALL, _SMALL, 3), dtype=np.uint8)
    read = np.ones(len(photos), dtype=np.bool_)

    def fill(i: int) -> None:
        try:
            pixels[i] = read_photo(photos[i].path, _SMALL)
        except InputError:
            read[i] = False

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for done, _ in enumerate(pool.map(fill, range(len(photos))), 1):
            if progress is not None and (done % 64 == 0 or done == len(photos)):
                progress("small pictures", done, len(photos))
    hashes = [(difference_hash(picture), difference_hash(picture[:, ::-1])) for picture in pixels]
    both = np.array(hashes, dtype=np.uint8).reshape(len(photos), 2, 8)
    return SmallPictures(pixels, both[:, 0], both[:, 1], read)


def difference_hash(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(8,) uint8 difference hash (dHash): for each of 8 × 8 cells, whether it is lighter than its right neighbor."""
    gray = Image.fromarray(picture).convert("L").resize((9, 8), Image.Resampling.BOX)
    cells = np.asarray(gray, dtype=np.int16)
    return np.packbits((cells[:, :-1] > cells[:, 1:]).reshape(-1))


def find_same_pictures(
    training: Sequence[Photo], evaluation: Sequence[Photo], progress: Progress | None = None
) -> list[SamePicture]:
    """Every pair of a training and an evaluation photo that are one picture, in the order of the training photos.

    Photos that cannot be read, and those without contrast, are like no other.

    Args:
        training, evaluation: The photos.
        progress: Called with what is being done, the number done and the total.
    """
    found: list[SamePicture] = []
    if not training or not evaluation:
        return found
    ours, theirs = small_pictures(training, progress), small_pictures(evaluation, progress)
    for start in range(0, len(training), _BLOCK):  # block by block: all pairs at once would be too many numbers
        hashes = ours.hashes[start : start + _BLOCK]
        candidates = differing_bits(hashes, theirs.hashes) <= HASH_BITS
        candidates |= differing_bits(hashes, theirs.mirrored) <= HASH_BITS
        for i, j in np.argwhere(candidates).tolist():
            first, second = ours.pixels[start + i], theirs.pixels[j]
            straight, mirrored = correlation(first, second), correlation(first[:, ::-1], second)
            best = max(straight, mirrored)
            if best >= SAME_PIXELS and ours.read[start + i] and theirs.read[j]:
                found.append(SamePicture(training[start + i], evaluation[j], mirrored > straight, best))
    return found


def require_no_same_pictures(
    training: Sequence[Photo], evaluation: Sequence[Photo], progress: Progress | None = None
) -> None:
    """Check before training that no photo is an evaluation photo.

    Raises:
        DatasetError: Some are; the message names the first few.
    """
    found = find_same_pictures(training, evaluation, progress)
    if found:
        named = "; ".join(f"{pair.training.path} is {pair.evaluation.path}" for pair in found[:3])
        count = len({pair.training.path for pair in found})
        photos = (
            "1 training photo is an evaluation photo"
            if count == 1
            else f"{count} training photos are evaluation photos"
        )
        raise DatasetError(f"{named}.", subject=photos, remedy="Remove them from the training sources.")


def correlation(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> float:
    """Correlation of two thumbnails; 0 if one has no contrast, since it matches any other of its brightness."""
    a, b = first.astype(np.float64).reshape(-1), second.astype(np.float64).reshape(-1)
    if min(a.std(), b.std()) < 4.0:
        return 0.0
    return float(((a - a.mean()) * (b - b.mean())).mean() / (a.std() * b.std()))


def differing_bits(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """(first, second) number of differing bits of two hashes."""
    total = np.zeros((len(first), len(second)), dtype=np.uint16)
    for byte in range(first.shape[1]):
        total += _BITS[first[:, byte, None] ^ second[None, :, byte]]
    return total
