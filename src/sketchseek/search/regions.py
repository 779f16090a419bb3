"""Regions of photos: embeddings of halves, by which the objects of a sketch find their places in a photo.

A library with regions (``Library.add(regions=True)``) has, besides each photo's embedding, those of its left, right,
upper and lower half. The two objects of a sketch (``sketchseek.sketches.parts``) are each compared with the whole photo
and with the halves that the middle of the object lies in; the mean of the best is the photo's score.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from sketchseek.encoder import Encoder
from sketchseek.errors import ImageError
from sketchseek.models.package import Distance
from sketchseek.search.catalog import Catalog
from sketchseek.search.catalog.region_store import Embeddings, RegionStore
from sketchseek.search.derived_index import index_missing
from sketchseek.search.photo_reader import PhotoReader
from sketchseek.search.results import ProgressCallback

HALVES = ((0, 0, 0.5, 1), (0.5, 0, 1, 1), (0, 0, 1, 0.5), (0, 0.5, 1, 1))
"""Left, top, right and bottom of each region."""

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
    """Embed the halves of the photos that lack them; see ``derived_index.index_missing``.

    Args:
        library: The library's folder.
        catalog: Its catalog; the caller holds the writer's lock.
        encoder: Opened with ``threads=1``.
        folders: Absolute paths; only photos in them are read.
        progress: Called after each commit.
    """
    manifest = encoder.manifest
    size = manifest.photo.size

    def embed(block: Sequence[tuple[bytes, bytes | str]]) -> list[tuple[bytes, Embeddings]]:
        read = []
        for digest, source in block:
            with suppress(ImageError, OSError, MemoryError):
                read.append((digest, halves_of(reader.read(source).pixels, size)))
        if not read:
            return []
        every = encoder.encode_photo_pixels(np.concatenate([crops for _, crops in read])).astype(np.float16)
        found = zip((digest for digest, _ in read), every.reshape(len(read), len(HALVES), -1), strict=True)
        return [(digest, some) for digest, some in found if np.isfinite(some).all()]

    with (
        RegionStore.writing(library, manifest.fingerprint, manifest.dimensions) as store,
        PhotoReader(2 * size) as reader,
    ):
        index_missing(store, catalog, folders, embed, stage="regions", progress=progress)


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
