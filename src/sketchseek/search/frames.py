"""Frames of videos and animated pictures, so that a sketch finds what is shown later than at the beginning.

A library with frames (``Library.add(frames=True)``) has embeddings of up to ``images.frames.FRAMES`` frames of each
video and animated picture, besides that of the picture by which the file is shown. A file's score is that of its best
frame. All frames are compared in memory: a library has few videos compared with photos.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sketchseek.encoder import Encoder
from sketchseek.errors import ImageError, LibraryError
from sketchseek.images.frames import may_have_frames
from sketchseek.models.package import Distance
from sketchseek.search.catalog import Catalog, LibraryMetadata
from sketchseek.search.catalog.frame_store import FrameStore, StoredFrames
from sketchseek.search.derived_index import index_missing
from sketchseek.search.index.protocol import Ids, Scores
from sketchseek.search.photo_reader import PhotoReader
from sketchseek.search.results import ProgressCallback

Embedding = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FrameIndex:
    """Frames of the photos of one state of a library.

    Attributes:
        photos: Id of each frame's photo, (n,), ascending.
        times: Seconds from the beginning, (n,).
        embeddings: (n, d).
        distance: How embeddings are compared.
    """

    photos: Ids
    times: npt.NDArray[np.float64]
    embeddings: Embedding
    distance: Distance

    def merged(self, query: Embedding, found: tuple[Ids, Scores], k: int, allowed: Ids | None) -> tuple[Ids, Scores]:
        """Return the ``k`` best of photos that were found by their own embeddings, and of those with frames.

        Args:
            query: (d,), checked.
            found: Ids and scores of the ``k`` photos nearest to the query.
            k: Maximum number of photos.
            allowed: Ids that may be returned, ascending; None for all.
        """
        if not len(self.photos):
            return found
        scores = self._scores(query, slice(None))
        if allowed is not None:
            scores = np.where(np.isin(self.photos, allowed), scores, -np.inf)
        unique, first = np.unique(self.photos, return_index=True)
        best = np.maximum.reduceat(scores, first)
        unique, best = unique[np.isfinite(best)], best[np.isfinite(best)]
        # A photo that was not found has an own score below all that were: its best frame is as good as it, or better.
        ids = np.concatenate([found[0], unique])
        every = np.concatenate([found[1], best.astype(np.float32)])
        order = np.lexsort((ids, -every))
        ids, every = ids[order], every[order]
        _, place = np.unique(ids, return_index=True)
        kept = np.sort(place)[:k]
        return ids[kept], every[kept]

    def among(self, ids: Ids) -> list[int]:
        """Return those of some photos that have frames."""
        return ids[np.isin(ids, self.photos)].tolist() if len(self.photos) else []

    def time_of(self, photo: int, query: Embedding, own: Embedding) -> float | None:
        """Return the time of the frame that matches best; None if the photo's own embedding does.

        Args:
            photo: A photo that has frames.
            query: (d,).
            own: The photo's embedding, (d,).
        """
        start, end = np.searchsorted(self.photos, [photo, photo + 1])
        scores = self._scores(query, slice(start, end))
        best = int(np.argmax(scores))
        alone = FrameIndex(self.photos[:1], self.times[:1], own[None], self.distance)._scores(query, slice(None))
        return float(self.times[start + best]) if scores[best] > alone[0] + 1e-3 else None  # beyond rounding to float16

    def _scores(self, query: Embedding, rows: slice) -> Embedding:
        embeddings = self.embeddings[rows]
        if self.distance == "cosine":
            length = np.float32(max(float(np.linalg.norm(query)), 1e-12))
            return np.asarray(embeddings @ (query / length), np.float32)
        return np.asarray(-np.linalg.norm(embeddings - query, axis=1), np.float32)


class FrameCache:
    """The frames of a library in memory, read when it is searched and has changed.

    Args:
        library: The library's folder.
    """

    def __init__(self, library: Path) -> None:
        self._library = library
        self._state: object = None
        self._index: FrameIndex | None = None

    def current(self, catalog: Catalog, metadata: LibraryMetadata) -> FrameIndex:
        """Return the frames of the photos in the catalog. Call inside a ``snapshot``."""
        state = (metadata.changes, metadata.fingerprint, self._stamp())
        if self._index is None or self._state != state:
            self._index, self._state = self._read(catalog, metadata), state
        return self._index

    def _stamp(self) -> object:
        """Return what changes when the file does: it is written after the catalog."""
        stamps = []
        for name in (FrameStore.FILE, f"{FrameStore.FILE}-wal"):
            with suppress(OSError):
                status = (self._library / name).stat()
                stamps.append((status.st_size, status.st_mtime_ns, status.st_ino))
        return tuple(stamps)

    def _read(self, catalog: Catalog, metadata: LibraryMetadata) -> FrameIndex:
        stored: dict[bytes, StoredFrames] = {}
        with FrameStore.reading(self._library, metadata.fingerprint, metadata.dimensions) as store:
            if store is not None:
                with suppress(LibraryError):  # the next update makes them again
                    stored = {digest: frames for digest, frames in store.read_all().items() if len(frames.times)}
        photos = sorted((photo, digest) for digest in stored for photo in catalog.ids_with_digest(digest))
        counts = [len(stored[digest].times) for _, digest in photos]
        empty = np.zeros((0, metadata.dimensions), np.float16)
        return FrameIndex(
            np.repeat(np.array([photo for photo, _ in photos], np.int64), counts),
            np.concatenate([np.zeros(0), *(stored[digest].times for _, digest in photos)]),
            np.concatenate([empty, *(stored[digest].embeddings for _, digest in photos)]).astype(np.float32),
            metadata.distance,
        )


def index_frames(
    library: Path,
    catalog: Catalog,
    encoder: Encoder,
    folders: Sequence[bytes],
    progress: ProgressCallback | None = None,
) -> None:
    """Embed the frames of videos and animated pictures that lack them; see ``regions.index_regions``."""
    manifest = encoder.manifest

    def embed(block: Sequence[tuple[bytes, bytes | str]]) -> list[tuple[bytes, StoredFrames]]:
        found = []
        for digest, source in block:
            with suppress(ImageError, OSError, MemoryError):
                frames = reader.read_frames(source)
                embeddings = np.zeros((0, manifest.dimensions), np.float16)
                if frames:
                    pixels = np.stack([frame.pixels for frame in frames])
                    embeddings = encoder.encode_photo_pixels(pixels).astype(np.float16)
                if np.isfinite(embeddings).all():
                    found.append((digest, StoredFrames(np.array([frame.time for frame in frames]), embeddings)))
        return found

    with (
        FrameStore.writing(library, manifest.fingerprint, manifest.dimensions) as store,
        PhotoReader(manifest.photo.size) as reader,
    ):
        index_missing(
            store,
            catalog,
            folders,
            embed,
            stage="frames",
            progress=progress,
            wanted=lambda path: may_have_frames(os.fsdecode(path)),
        )
