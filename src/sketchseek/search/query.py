"""The query engine: encodes queries, searches the current index and fetches the results."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from sketchseek.encoder import Encoder
from sketchseek.errors import InputError
from sketchseek.images import ImageSource
from sketchseek.models.package import ModelPackage
from sketchseek.search.catalog import Catalog, LibraryMetadata
from sketchseek.search.feedback import rocchio
from sketchseek.search.filters import FilterCache
from sketchseek.search.index_mirror import IndexMirror
from sketchseek.search.index_search import check_embedding, nearest
from sketchseek.search.library_model import package_of
from sketchseek.search.params import Filter, SearchParams
from sketchseek.search.results import SearchResult
from sketchseek.search.scan import absolute
from sketchseek.sketches import SketchSource

Embedding = npt.NDArray[np.float32]


class QueryEngine:
    """Searches a library, with a connection to its catalog, an index that mirrors it, and the encoder.

    Args:
        path: The library's folder.
        catalog: Used only while the lock is held.
        lock: Guards the catalog's connection.
        chosen: The model package that the user asked for, if any.
    """

    def __init__(self, path: Path, catalog: Catalog, lock: threading.RLock, chosen: ModelPackage | None) -> None:
        self._path = path
        self._catalog = catalog
        self._lock = lock
        self._chosen = chosen
        self._encoder: Encoder | None = None
        self._filters = FilterCache()
        self._counted = (-1, 0)  # the catalog's change counter, and its number of photos then
        self.mirror = IndexMirror.of(path, catalog.metadata())

    def use(self, package: ModelPackage) -> None:
        """Switch to the model package that the library was embedded again with."""
        with self._lock:
            self._chosen, self._encoder = package, None
            self.mirror = IndexMirror.of(self._path, self._catalog.metadata())

    def package(self, metadata: LibraryMetadata) -> ModelPackage:
        """Return the package that the library was built with. See ``package_of``."""
        return package_of(self._path, metadata, self._chosen)

    @property
    def encoder(self) -> Encoder:
        """The encoder; see ``Library.encoder``."""
        with self._lock:
            metadata = self._catalog.metadata()
            if self._encoder is None or self._encoder.manifest.fingerprint != metadata.fingerprint:
                # More threads wait for cores that the browser keeps busy: slower, at times much slower.
                self._encoder = Encoder(self.package(metadata), threads=1)
            return self._encoder

    def embedding(self, photo: int) -> Embedding:
        """Return a photo's embedding; see ``Library.embedding``."""
        with self._lock:
            embedding = self._catalog.embedding(photo)
        if embedding is None:
            raise InputError(f"there is no photo with id {photo}.", subject=self._path)
        return np.frombuffer(embedding, np.float16).astype(np.float32)

    def count(self, filter: Filter) -> int:
        """See ``Library.count``."""
        with self._lock, self._catalog.snapshot():
            changes = self._catalog.metadata().changes
            if filter:
                return len(self._filters.ids(self._catalog, filter.bounds(), changes))
            if self._counted[0] != changes:
                self._counted = (changes, self._catalog.count())
            return self._counted[1]

    def search_sketch(self, sketch: SketchSource, params: SearchParams) -> list[SearchResult]:
        """See ``Library.search``."""
        return self._search_encoded(lambda encoder: encoder.encode_sketch(sketch), params)

    def search_photo(self, photo: ImageSource | int, params: SearchParams) -> list[SearchResult]:
        """See ``Library.search_photo``."""
        known: int | None = None
        if isinstance(photo, (int, np.integer)):
            known = int(photo)
        elif isinstance(photo, (str, os.PathLike)):
            with self._lock:
                known = self._catalog.id_of(absolute(photo))
        if known is None:
            source = cast(ImageSource, photo)
            return self._search_encoded(lambda encoder: encoder.encode_photo(source), params)
        while True:
            with self._lock, self._catalog.snapshot():
                embedding, space = self.embedding(known), self._catalog.metadata().fingerprint
            try:
                return self._search(embedding, params, without={known}, space=space)
            except _ReEmbeddedError:
                continue

    def search_embedding(self, embedding: npt.ArrayLike, params: SearchParams) -> list[SearchResult]:
        """See ``Library.search_embedding``."""
        return self._search(_numbers(embedding), params)

    def refine(
        self,
        sketch: SketchSource | None,
        embedding: npt.ArrayLike | None,
        photo: ImageSource | int | None,
        positive: Sequence[int],
        negative: Sequence[int],
        params: SearchParams,
    ) -> list[SearchResult]:
        """See ``Library.refine``."""
        if sum(one is not None for one in (sketch, embedding, photo)) != 1:
            raise InputError("the query must be exactly one of sketch, embedding and photo.")
        if both := sorted({*positive} & {*negative}):
            raise InputError(
                f"photo {both[0]} has both positive and negative feedback.", remedy="Give it only one of them."
            )
        without = {*negative, *([int(photo)] if isinstance(photo, (int, np.integer)) else [])}
        while True:
            with self._lock, self._catalog.snapshot():
                metadata = self._catalog.metadata()
                known = self.embedding(int(photo)) if isinstance(photo, (int, np.integer)) else None
                marked = [[self.embedding(one) for one in ids] for ids in (positive, negative)]
            dimension, distance = metadata.embedding, metadata.distance
            if embedding is not None:
                query = check_embedding(_numbers(embedding), dimension, distance)
            elif known is not None:
                query = known
            elif photo is not None:
                query = self.encoder.encode_photo(cast(ImageSource, photo))
            else:
                query = self.encoder.encode_sketch(cast(SketchSource, sketch))
            good, bad = (np.array(embeddings, np.float32).reshape(-1, dimension) for embeddings in marked)
            try:
                moved = rocchio(query, good, bad, distance=distance)
                return self._search(moved, params, without=without, space=metadata.fingerprint)
            except _ReEmbeddedError:
                continue

    def _search_encoded(self, encode: Callable[[Encoder], Embedding], params: SearchParams) -> list[SearchResult]:
        while True:
            encoder = self.encoder
            try:
                return self._search(encode(encoder), params, space=encoder.manifest.fingerprint)
            except _ReEmbeddedError:
                continue

    def _search(
        self, embedding: Embedding, params: SearchParams, *, without: Collection[int] = (), space: str | None = None
    ) -> list[SearchResult]:
        start, end = params.offset, params.offset + params.k
        with self._lock, self._catalog.snapshot():
            metadata = self._catalog.metadata()
            if space is not None and metadata.fingerprint != space:
                raise _ReEmbeddedError
            query = check_embedding(embedding, metadata.embedding, metadata.distance)
            if (self.mirror.dimension, self.mirror.distance) != (len(query), metadata.distance):
                self.mirror = IndexMirror.of(self._path, metadata)
            index = self.mirror.current(self._catalog, metadata)
            allowed = None
            if params.filter:
                allowed = self._filters.ids(self._catalog, params.filter.bounds(), metadata.changes)
            ids, scores = nearest(index, self._catalog, query, end + len(without), allowed)
            pairs = [(int(i), float(s)) for i, s in zip(ids, scores, strict=True) if int(i) not in without]
            photos = self._catalog.photos([photo for photo, _ in pairs[start:end]])
        return [
            SearchResult(rank, photos[photo].path, score, photo)
            for rank, (photo, score) in enumerate(pairs[start:end], start=start + 1)
        ]


class _ReEmbeddedError(Exception):
    """The library was embedded with another model after the query was encoded."""


def _numbers(embedding: npt.ArrayLike) -> Embedding:
    try:
        return np.asarray(embedding, dtype=np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"the embedding is not an array of numbers ({error}).") from error
