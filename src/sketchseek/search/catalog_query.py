"""The query engine of a library with a catalog: searches the current index and fetches the results."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np

from sketchseek.errors import LibraryError
from sketchseek.models.package import ModelPackage
from sketchseek.search.browse import Order, PhotoOrder
from sketchseek.search.catalog import Catalog, LibraryMetadata
from sketchseek.search.catalog.region_store import Embeddings, RegionStore
from sketchseek.search.color_ranking import ColorCache
from sketchseek.search.combined_query import Query
from sketchseek.search.filter_cache import FilterCache
from sketchseek.search.found import FUSED, fused
from sketchseek.search.frames import FrameCache
from sketchseek.search.fusion import Ranking
from sketchseek.search.index.protocol import Ids, Scores
from sketchseek.search.index_mirror import IndexMirror
from sketchseek.search.index_search import check_embedding, nearest
from sketchseek.search.params import Filter, SearchParams
from sketchseek.search.part_ranking import EmbeddedParts, part_ranking
from sketchseek.search.path_case import on_disk
from sketchseek.search.photo_folders import FolderCounts
from sketchseek.search.query import Embedding, QueryEngine, ReEmbeddedError
from sketchseek.search.regions import HALVES
from sketchseek.search.results import LibraryPhoto, PhotoFolder, SearchResult
from sketchseek.search.scan import absolute
from sketchseek.search.text_ranking import matched_ids, text_ranking
from sketchseek.search.word_cache import WordCache
from sketchseek.search_times import stage


class CatalogQueryEngine(QueryEngine):
    """Searches a library, with a connection to its catalog, an index that mirrors it, and the encoder.

    Args:
        path: The library's folder.
        catalog: Used only while the lock is held.
        lock: Guards the catalog's connection.
        chosen: The model package that the user asked for, if any.
    """

    def __init__(self, path: Path, catalog: Catalog, lock: threading.RLock, chosen: ModelPackage | None) -> None:
        super().__init__(path, lock, chosen)
        self._folder = path
        self._catalog = catalog
        self._filters = FilterCache()
        self._folders = FolderCounts()
        self._order = PhotoOrder()
        self._colors = ColorCache()
        self._words = WordCache()
        self._frames = FrameCache(path)
        self._counted = (-1, 0)  # the catalog's change counter, and its number of photos then
        self.mirror = IndexMirror.of(path, catalog.metadata())

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """See ``QueryEngine.snapshot``."""
        with self._lock, self._catalog.snapshot():
            yield

    def metadata(self) -> LibraryMetadata:
        """See ``QueryEngine.metadata``."""
        return self._catalog.metadata()

    def use(self, package: ModelPackage) -> None:
        """See ``QueryEngine.use``."""
        with self._lock:
            super().use(package)
            self.mirror = IndexMirror.of(self._folder, self._catalog.metadata())

    def stored_embedding(self, photo: int) -> Embedding | None:
        """See ``QueryEngine.stored_embedding``."""
        embedding = self._catalog.embedding(photo)
        return None if embedding is None else np.frombuffer(embedding, np.float16).astype(np.float32)

    def stored_hash(self, photo: int) -> bytes:
        """See ``QueryEngine.stored_hash``."""
        return self._catalog.picture_hash_of(photo)

    def id_of(self, path: str | os.PathLike[str]) -> int | None:
        """See ``QueryEngine.id_of``."""
        asked = absolute(path)
        found = self._catalog.id_of(asked)
        return self._catalog.id_of(on_disk(asked)) if found is None else found

    def count(self, filter: Filter) -> int:
        """See ``Library.count``."""
        with self._lock, self._catalog.snapshot():
            changes = self._catalog.metadata().changes
            if filter:
                return len(self._filters.ids(self._catalog, filter.in_catalog(), changes))
            if self._counted[0] != changes:
                self._counted = (changes, self._catalog.count())
            return self._counted[1]

    def folders(self, contains: str, limit: int) -> list[PhotoFolder]:
        """See ``Library.folders``."""
        with self._lock, self._catalog.snapshot():
            return self._folders.matching(self._catalog, self._catalog.metadata().changes, contains, limit)

    def browse(self, order: Order, params: SearchParams) -> list[LibraryPhoto]:
        """See ``Library.browse``."""
        with self._lock, self._catalog.snapshot():
            metadata = self._catalog.metadata()
            allowed = self._allowed(params.filter, metadata)
            ids = self._order.page(self._catalog, metadata.changes, order, allowed, params.k, params.offset)
            known = self._catalog.photos(ids)
            return [known[photo] for photo in ids if photo in known]

    def count_with_words(self, query: Query, filter: Filter) -> int:
        """See ``QueryEngine.count_with_words``."""
        with self._lock, self._catalog.snapshot():
            metadata = self._catalog.metadata()
            if query.text_mode == "require":
                found = self._words.ids(self._catalog, query.text, metadata.changes)
            else:
                found = matched_ids(self._words.matches(self._catalog, query.text, metadata.changes))
            allowed = self._allowed(filter, metadata)
        return len(found if allowed is None else np.intersect1d(found, allowed, assume_unique=True))

    def _search(
        self,
        embedding: Embedding | None,
        params: SearchParams,
        *,
        without: Collection[int] = (),
        space: str | None = None,
        query: Query | None = None,
        parts: EmbeddedParts | None = None,
    ) -> list[SearchResult]:
        """See ``QueryEngine._search``."""
        end = params.offset + params.k
        with self._lock, self._catalog.snapshot():
            metadata = self._catalog.metadata()
            if space is not None and metadata.fingerprint != space:
                raise ReEmbeddedError
            allowed = self._allowed(params.filter, metadata)
            asked = end + len(without)
            others: dict[str, Ranking] = {}
            if query is not None:
                allowed = self._with_required_words(query, metadata, allowed)
                others = self._other_rankings(query, metadata, asked, allowed, by_examples=embedding is not None)
            if parts is not None:
                with stage("parts"):
                    others["parts"] = self._by_parts(parts, metadata, asked, allowed)
            nearest = None if embedding is None else partial(self._nearest, embedding, metadata, allowed)
            found = fused(nearest, others, asked)
            page = found.without(without).page(params.offset, end)
            with stage("catalog"):
                photos = self._catalog.photos(page.ids.tolist())
            if len(photos) < len(page.ids):
                raise self._catalog.corrupt("damaged (photos that the index has are missing).")
            times = {} if embedding is None else self._times(embedding, metadata, page.ids)
        return [
            SearchResult(rank, photos[photo].path, score, photo, parts, time=times.get(photo))
            for rank, (photo, score, parts) in enumerate(page.rows(), start=params.offset + 1)
        ]

    def _with_required_words(self, query: Query, metadata: LibraryMetadata, allowed: Ids | None) -> Ids | None:
        """Reduce the ids that a filter allows to photos with the query's words, if it requires them."""
        if query.text_mode != "require" or not query.text.strip():
            return allowed
        found = self._words.ids(self._catalog, query.text, metadata.changes)
        return found if allowed is None else np.intersect1d(found, allowed, assume_unique=True)

    def _other_rankings(
        self, query: Query, metadata: LibraryMetadata, asked: int, allowed: Ids | None, *, by_examples: bool
    ) -> dict[str, Ranking]:
        """Rank photos by a query's words and colors."""
        rankings: dict[str, Ranking] = {}
        enough = max(asked, FUSED)
        if query.text.strip() and (query.text_mode == "rank" or not by_examples):
            wanted = enough if allowed is None else None
            matches = self._words.matches(self._catalog, query.text, metadata.changes, enough=wanted)
            rankings["text"] = text_ranking(matches, query.text_weight, allowed)
        if query.colors:
            rankings["colors"] = self._colors.ranking(
                self._catalog, metadata.changes, query.colors, query.color_weight, k=enough, allowed=allowed
            )
        return rankings

    def _by_parts(self, parts: EmbeddedParts, metadata: LibraryMetadata, asked: int, allowed: Ids | None) -> Ranking:
        """Rank photos by the two objects of a sketch, in their places if the library has regions."""

        def nearest(embedding: Embedding, k: int) -> tuple[Ids, Scores]:
            return self._nearest(embedding, metadata, allowed, k, None)

        with RegionStore.reading(self._folder, metadata.fingerprint, metadata.dimensions) as store:
            halves = None if store is None else partial(self._halves, store)
            return part_ranking(parts, nearest, halves, asked, metadata.distance)

    def _halves(self, store: RegionStore, ids: Ids) -> tuple[Embedding, Embedding]:
        """Return the embeddings of photos and of their halves; those that have no halves yet count as a whole."""
        stored = self._catalog.digests_and_embeddings(ids.tolist())
        digests, embeddings = zip(*(stored[photo] for photo in ids.tolist()), strict=True)
        photos = np.frombuffer(b"".join(embeddings), np.float16).reshape(len(ids), -1).astype(np.float32)
        regions = np.repeat(photos[:, None], len(HALVES), axis=1)
        known: dict[bytes, Embeddings] = {}
        with suppress(LibraryError):  # the next update makes them again
            known = store.read([*set(digests)])
        for row, digest in enumerate(digests):
            if digest in known:
                regions[row] = known[digest]
        return photos, regions

    def _allowed(self, filter: Filter, metadata: LibraryMetadata) -> Ids | None:
        """Return the ids that a filter allows, ascending; None if it allows all. Call inside a ``snapshot``."""
        return self._filters.ids(self._catalog, filter.in_catalog(), metadata.changes) if filter else None

    def _nearest(
        self, embedding: Embedding, metadata: LibraryMetadata, allowed: Ids | None, k: int, among: Ids | None
    ) -> tuple[Ids, Scores]:
        """Return ids and scores of the photos nearest to an embedding; see ``found.Nearest``.

        Call inside a ``snapshot``. ``among`` is a subset of ``allowed``.
        """
        query = check_embedding(embedding, metadata.dimensions, metadata.distance)
        if (self.mirror.dimension, self.mirror.distance) != (len(query), metadata.distance):
            self.mirror = IndexMirror.of(self._folder, metadata)
        allowed = allowed if among is None else among
        found = nearest(self.mirror.current(self._catalog, metadata), self._catalog, query, k, allowed)
        return self._frames.current(self._catalog, metadata).merged(query, found, k, allowed)

    def _times(self, embedding: Embedding, metadata: LibraryMetadata, ids: Ids) -> dict[int, float]:
        """Return the times of frames that match better than the pictures that photos are known by, by photo."""
        frames = self._frames.current(self._catalog, metadata)
        found = {}
        for photo in frames.among(ids):
            own = self.stored_embedding(photo)
            assert own is not None
            time = frames.time_of(photo, embedding, own)
            if time is not None:
                found[photo] = time
        return found
