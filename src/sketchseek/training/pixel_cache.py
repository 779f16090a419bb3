"""Decoded pixels on disk, by picture, for runs that read the same or overlapping sets."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sketchseek.atomic_write import atomic_path
from sketchseek.errors import InputError

Pixels = npt.NDArray[np.uint8]

_KEY = "S40"

_log = logging.getLogger(__name__)


def read_with_cache(
    folder: Path | None, names: Sequence[str], shape: tuple[int, ...], read: Callable[[int], Pixels]
) -> tuple[list[int], Pixels, dict[int, str]]:
    """Read pictures, those that the folder lacks by ``read``; these are added to it as one more file.

    Args:
        folder: The cache's folder; None for no cache.
        names: What identifies each picture and its file's state.
        shape: Of a picture's pixels.
        read: Reads a picture by its place.

    Returns:
        Places of the readable pictures, their pixels (n, *shape), and by place why others are unreadable.
    """
    keys = [hashlib.blake2b(name.encode(), digest_size=20).hexdigest().encode() for name in names]
    chunks = [] if folder is None else _chunks(folder, shape)
    known = {key: (chunk, row) for chunk, part in enumerate(chunks) for row, key in enumerate(part["key"].tolist())}
    new, failed = np.empty((sum(key not in known for key in keys), *shape), dtype=np.uint8), {}
    places: list[int] = []
    for place, key in enumerate(keys):
        if key not in known:
            try:
                new[len(places)] = read(place)
                places.append(place)
            except InputError as error:
                failed[place] = error.message
    new = new[: len(places)]
    if folder is not None and places:
        _add(folder, [keys[place] for place in places], new)
    good = [place for place in range(len(keys)) if place not in failed]
    pixels = np.empty((len(good), *shape), dtype=np.uint8)
    row_of = {place: row for row, place in enumerate(good)}
    pixels[[row_of[place] for place in places]] = new
    for number, chunk in enumerate(chunks):
        found = [(row_of[place], known[key][1]) for place, key in enumerate(keys) if known.get(key, (-1,))[0] == number]
        if found:
            to, of = np.array(found).T
            pixels[to] = chunk["pixels"][of]
    return good, pixels, failed


def _chunks(folder: Path, shape: tuple[int, ...]) -> list[npt.NDArray[np.void]]:
    """The folder's files, memory-mapped."""
    chunks = []
    for file in sorted(folder.glob("*.npy")):
        try:
            chunk = np.load(file, mmap_mode="r", allow_pickle=False)
            if chunk.dtype != _dtype(shape):
                raise ValueError(f"its pictures are {chunk.dtype}")
            chunks.append(chunk)
        except (OSError, ValueError) as error:
            _log.warning("Reading its pictures again: %s is damaged (%s).", file, error)
    return chunks


def _add(folder: Path, keys: list[bytes], pixels: Pixels) -> None:
    chunk = np.empty(len(keys), dtype=_dtype(pixels.shape[1:]))
    chunk["key"], chunk["pixels"] = keys, pixels
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.blake2b(b"".join(keys), digest_size=8).hexdigest()
    with atomic_path(folder / f"{name}.npy", durable=False) as aside, aside.open("wb") as opened:
        np.save(opened, chunk)


def _dtype(shape: tuple[int, ...]) -> np.dtype[np.void]:
    return np.dtype([("key", _KEY), ("pixels", np.uint8, shape)])
