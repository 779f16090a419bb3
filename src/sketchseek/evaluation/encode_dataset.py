"""Encode whole data sets: threads read images while the encoder runs; unreadable files are recorded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from sketchseek.datasets.records import Photo, Sketch
from sketchseek.errors import InputError
from sketchseek.images import ImageSource
from sketchseek.progress import Progress
from sketchseek.sketches import SketchSource

BATCH = 32

Pixels = npt.NDArray[np.uint8]
"""Called with the name of the step, the number of items done and their total."""

T = TypeVar("T")


class EncoderPair(Protocol):
    """A dual encoder to evaluate: ``sketchseek.encoder.Encoder``, or a model in training.

    The ``read_`` methods raise InputError for unreadable files.
    """

    def read_photo(self, source: ImageSource) -> Pixels:
        """Pixels of one photo for ``encode_photo_pixels``."""

    def read_sketch(self, source: SketchSource) -> Pixels:
        """Pixels of one sketch for ``encode_sketch_pixels``."""

    def encode_photo_pixels(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """Embeddings (batch, d) of pixels (batch, …)."""

    def encode_sketch_pixels(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """Embeddings (batch, d) of pixels (batch, …)."""


@dataclass(frozen=True)
class Problem:
    """An unreadable photo or sketch."""

    key: str
    reason: str


@dataclass(frozen=True)
class EncodedItems:
    """Embeddings of all readable items.

    Attributes:
        embeddings: (read, d) float32.
        read: (read,) index of each embedding's item in the input.
        problems: Unreadable items.
    """

    embeddings: npt.NDArray[np.float32]
    read: npt.NDArray[np.int64]
    problems: tuple[Problem, ...]


def encode_photo_set(
    encoder: EncoderPair, photos: Sequence[Photo], *, batch: int = BATCH, progress: Progress | None = None
) -> EncodedItems:
    """Encode photos from their files."""
    return _embed(
        photos, lambda photo: encoder.read_photo(photo.path), encoder.encode_photo_pixels, "photos", batch, progress
    )


def encode_sketch_set(
    encoder: EncoderPair, sketches: Sequence[Sketch], *, batch: int = BATCH, progress: Progress | None = None
) -> EncodedItems:
    """Encode sketches from their files or strokes."""
    return _embed(
        sketches,
        lambda sketch: encoder.read_sketch(sketch.source),
        encoder.encode_sketch_pixels,
        "sketches",
        batch,
        progress,
    )


def _embed(
    items: Sequence[Photo] | Sequence[Sketch],
    read: Callable[..., Pixels],
    embed: Callable[[Pixels], npt.NDArray[np.float32]],
    name: str,
    batch: int,
    progress: Progress | None,
) -> EncodedItems:
    embeddings = np.zeros((0, 0), dtype=np.float32)
    places: list[int] = []
    problems: list[Problem] = []
    done = 0

    def read_batch(indices: Sequence[int]) -> list[Pixels | Problem]:
        return [_read(items[i], read) for i in indices]

    batches = [range(start, min(start + batch, len(items))) for start in range(0, len(items), batch)]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for indices, results in _prefetch(pool, read_batch, batches):
            pixels = [result for result in results if not isinstance(result, Problem)]
            problems += [result for result in results if isinstance(result, Problem)]
            places += [i for i, result in zip(indices, results, strict=True) if not isinstance(result, Problem)]
            if pixels:
                found = embed(np.stack(pixels))
                if not embeddings.size:  # one array: concatenating batches would hold a large gallery twice
                    embeddings = np.zeros((len(items), found.shape[1]), dtype=np.float32)
                embeddings[len(places) - len(pixels) : len(places)] = found
            done += len(indices)
            if progress is not None:
                progress(name, done, len(items))
    return EncodedItems(embeddings[: len(places)], np.array(places, dtype=np.int64), tuple(problems))


def _read(item: Photo | Sketch, read: Callable[..., Pixels]) -> Pixels | Problem:
    try:
        return read(item)
    except InputError as error:
        return Problem(item.key, error.message)


def _prefetch(
    pool: ThreadPoolExecutor, work: Callable[[T], list[Pixels | Problem]], batches: Sequence[T], depth: int = 4
) -> Iterator[tuple[T, list[Pixels | Problem]]]:
    """Results in order, with at most ``depth`` batches in progress to bound memory."""
    waiting = [pool.submit(work, item) for item in batches[:depth]]
    for i, item in enumerate(batches):
        result = waiting.pop(0).result()
        if i + depth < len(batches):
            waiting.append(pool.submit(work, batches[i + depth]))
        yield item, result
