"""Embedding whole data sets: pictures are read by several threads while the encoder works; what fails is recorded."""

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
from sketchseek.sketches import SketchSource

BATCH = 32

Pixels = npt.NDArray[np.uint8]
Progress = Callable[[str, int, int], None]
"""Called with what is under way, how many are done and how many there are."""

T = TypeVar("T")


class EncoderPair(Protocol):
    """What evaluation needs of a pair of encoders: ``sketchseek.encoder.Encoder``, or a model in training.

    Raises, from the reading methods: InputError.
    """

    def read_photo(self, source: ImageSource) -> Pixels:
        """Pixels that ``encode_photo_pixels`` takes, of one photo."""

    def read_sketch(self, source: SketchSource) -> Pixels:
        """Pixels that ``encode_sketch_pixels`` takes, of one sketch."""

    def encode_photo_pixels(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """(batch, …) to (batch, d)."""

    def encode_sketch_pixels(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """(batch, …) to (batch, d)."""


@dataclass(frozen=True)
class Problem:
    """A photo or sketch that could not be read."""

    key: str
    reason: str


@dataclass(frozen=True)
class Embedded:
    """Embeddings of what could be read.

    Attributes:
        vectors: (read, d) float32.
        read: (read,) the place of each in the list that was handed in.
        problems: What could not be read.
    """

    vectors: npt.NDArray[np.float32]
    read: npt.NDArray[np.int64]
    problems: tuple[Problem, ...]


def encode_photo_set(
    encoder: EncoderPair, photos: Sequence[Photo], *, batch: int = BATCH, progress: Progress | None = None
) -> Embedded:
    """Embed photos from their files."""
    return _embed(
        photos, lambda photo: encoder.read_photo(photo.path), encoder.encode_photo_pixels, "photos", batch, progress
    )


def encode_sketch_set(
    encoder: EncoderPair, sketches: Sequence[Sketch], *, batch: int = BATCH, progress: Progress | None = None
) -> Embedded:
    """Embed sketches from their files or strokes."""
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
) -> Embedded:
    vectors = np.zeros((0, 0), dtype=np.float32)
    places: list[int] = []
    problems: list[Problem] = []
    done = 0

    def read_batch(part: Sequence[int]) -> list[Pixels | Problem]:
        return [_read(items[i], read) for i in part]

    parts = [range(start, min(start + batch, len(items))) for start in range(0, len(items), batch)]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for part, results in _ahead(pool, read_batch, parts):
            pixels = [result for result in results if not isinstance(result, Problem)]
            problems += [result for result in results if isinstance(result, Problem)]
            places += [i for i, result in zip(part, results, strict=True) if not isinstance(result, Problem)]
            if pixels:
                found = embed(np.stack(pixels))
                if not vectors.size:  # one array for all: joining parts at the end would hold a large gallery twice
                    vectors = np.zeros((len(items), found.shape[1]), dtype=np.float32)
                vectors[len(places) - len(pixels) : len(places)] = found
            done += len(part)
            if progress is not None:
                progress(name, done, len(items))
    return Embedded(vectors[: len(places)], np.array(places, dtype=np.int64), tuple(problems))


def _read(item: Photo | Sketch, read: Callable[..., Pixels]) -> Pixels | Problem:
    try:
        return read(item)
    except InputError as error:
        return Problem(item.key, error.message)


def _ahead(
    pool: ThreadPoolExecutor, work: Callable[[T], list[Pixels | Problem]], parts: Sequence[T], depth: int = 4
) -> Iterator[tuple[T, list[Pixels | Problem]]]:
    """Results in order, with at most ``depth`` parts under way, so that memory stays bounded."""
    waiting = [pool.submit(work, part) for part in parts[:depth]]
    for i, part in enumerate(parts):
        result = waiting.pop(0).result()
        if i + depth < len(parts):
            waiting.append(pool.submit(work, parts[i + depth]))
        yield part, result
