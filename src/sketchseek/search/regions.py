"""Regions of photos: embeddings of halves, by which the objects of a sketch find their places in a photo.

A library with regions (``Library.add(regions=True)``) has, besides each photo's embedding, those of its left, right,
upper and lower half. The two objects of a sketch (``sketchseek.sketches.parts``) are each compared with the whole photo
and with the halves that the middle of the object lies in; the mean of the best is the photo's score.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from sketchseek.encoder import Encoder
from sketchseek.errors import ImageError
from sketchseek.images.sources import open_regular
from sketchseek.models.package import Distance
from sketchseek.search.catalog import Catalog
from sketchseek.search.catalog.region_store import Embeddings, written_regions
from sketchseek.search.index.engine import available_cores
from sketchseek.search.photo_reader import PhotoReader
from sketchseek.search.pipeline import READ_WHOLE
from sketchseek.search.results import IndexProgress, ProgressCallback
from sketchseek.search.scan import lies_in_any

HALVES = ((0, 0, 0.5, 1), (0.5, 0, 1, 1), (0, 0, 1, 0.5), (0, 0.5, 1, 1))
"""Left, top, right and bottom of each region."""

COMMIT_EVERY = 2.0
_BATCH = 8
"""Photos whose halves are encoded at once."""

Floats = npt.NDArray[np.float32]


def layout_scores(
    parts: Floats, middles: Sequence[tuple[float, float]], photos: Floats, regions: Floats, distance: Distance
) -> Floats:
    """Return how well photos match the objects of a sketch in their places.

    Args:
        parts: Embeddings of the objects, (n, d).
        middles: Where the middle of each lies, x and y from 0 to 1.
        photos: Embeddings of the photos, (m, d).
        regions: Embeddings of their halves, (m, 4, d).
        distance: How embeddings are compared.

    Returns:
        (m,).
    """
    every = np.concatenate([photos[:, None], regions], axis=1)  # (m, 5, d)
    best = []
    for part, (x, y) in zip(parts, middles, strict=True):
        allowed = [0, *(row for row, (a, b, c, d) in enumerate(HALVES, start=1) if a <= x <= c and b <= y <= d)]
        some = every[:, allowed]
        scores = some @ part if distance == "cosine" else -np.linalg.norm(some - part, axis=2)
        best.append(scores.max(axis=1))
    return np.asarray(np.mean(best, axis=0), np.float32)


def index_regions(
    library: Path,
    catalog: Catalog,
    encoder: Encoder,
    folders: Sequence[bytes],
    progress: ProgressCallback | None = None,
) -> None:
    """Embed the halves of the photos that lack them, and forget those of photos that are gone.

    An exception, including KeyboardInterrupt, leaves everything before it committed. A photo that cannot be read now,
    or has changed since it was embedded, is left for the next update.

    Args:
        library: The library's folder.
        catalog: Its catalog; the caller holds the writer's lock.
        encoder: Opened with ``threads=1``.
        folders: Absolute paths; only photos in them are read.
        progress: Called after each commit.
    """
    shape = (len(HALVES), encoder.manifest.dimensions)
    with written_regions(library, encoder.manifest.fingerprint, shape) as store:
        there = store.digests()
        known = catalog.digests()
        store.drop(there.difference(known))
        lacking = [(digest, path) for digest, path in known.items() if digest not in there]
        waiting: list[tuple[bytes, Embeddings]] = []
        done, committed = 0, time.monotonic()
        for count, found in _embedded(encoder, lacking, folders):
            done += count
            waiting += found
            if time.monotonic() - committed >= COMMIT_EVERY or done == len(lacking):
                store.add(waiting)
                waiting.clear()
                committed = time.monotonic()
                if progress is not None:
                    progress(IndexProgress("regions", done, len(lacking)))


def _embedded(
    encoder: Encoder, lacking: Sequence[tuple[bytes, bytes]], folders: Sequence[bytes]
) -> Iterator[tuple[int, list[tuple[bytes, Embeddings]]]]:
    """Yield the number of photos visited, and digest and regions of those that could be read, block by block."""
    cores = available_cores()
    blocks = [lacking[start : start + _BATCH] for start in range(0, len(lacking), _BATCH)]
    with PhotoReader(2 * encoder.manifest.photo.size) as reader, ThreadPoolExecutor(cores) as threads:

        def embed(block: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, Embeddings]]:
            read = [
                (digest, pixels)
                for digest, path in block
                if lies_in_any(path, folders) and (pixels := _read(reader, digest, path)) is not None
            ]
            if not read:
                return []
            crops = np.concatenate([halves_of(pixels, encoder.manifest.photo.size) for _, pixels in read])
            embeddings = encoder.encode_photo_pixels(crops).astype(np.float16).reshape(len(read), len(HALVES), -1)
            return [
                (digest, some) for (digest, _), some in zip(read, embeddings, strict=True) if np.isfinite(some).all()
            ]

        for start in range(0, len(blocks), 2 * cores):  # few blocks at a time, so that an interrupt waits for few
            some = blocks[start : start + 2 * cores]
            for block, found in zip(some, threads.map(embed, some), strict=True):
                yield len(block), found


def _read(reader: PhotoReader, digest: bytes, path: bytes) -> npt.NDArray[np.uint8] | None:
    """Return the pixels of a photo; None if it cannot be read, or is not what was embedded."""
    try:
        with open_regular(os.fsdecode(path)) as file:
            if os.fstat(file.fileno()).st_size > READ_WHOLE:
                same = _digest_of(file) == digest
                return reader.read(os.fsdecode(path)).pixels if same else None
            data = file.read()
        return reader.read(data).pixels if hashlib.sha256(data).digest() == digest else None
    except (ImageError, OSError, MemoryError):
        return None


def _digest_of(file: BinaryIO) -> bytes:
    digest = hashlib.sha256()
    while data := file.read(1 << 20):
        digest.update(data)
    return digest.digest()


def halves_of(pixels: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Return the halves of a photo, squashed to squares as whole photos are.

    Args:
        pixels: The photo, squashed to a square, (s, s, 3).
        size: Side of the squares.

    Returns:
        (4, size, size, 3).
    """
    image = Image.fromarray(pixels)
    boxes = [tuple(round(one * pixels.shape[0]) for one in half) for half in HALVES]
    resized = [image.crop(box).resize((size, size), Image.Resampling.BILINEAR, reducing_gap=2.0) for box in boxes]
    return np.stack([np.asarray(one) for one in resized])
