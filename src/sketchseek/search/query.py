"""The query engine: encodes queries, searches the current index and fetches the results."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from sketchseek.encoder import Encoder
from sketchseek.errors import InputError
from sketchseek.images import ImageSource
from sketchseek.models.package import ModelPackage
from sketchseek.search.catalog import Catalog, LibraryMetadata
from sketchseek.search.color_ranking import ColorCache
from sketchseek.search.combined_query import Query
from sketchseek.search.feedback import mean_of_examples, rocchio
from sketchseek.search.filters import FilterCache
from sketchseek.search.fusion import Ranking, fuse, ranks_of
from sketchseek.search.index.protocol import Ids
from sketchseek.search.index_mirror import IndexMirror
from sketchseek.search.index_search import check_embedding, nearest
from sketchseek.search.library_model import package_of
from sketchseek.search.params import Filter, SearchParams
from sketchseek.search.photo_folders import FolderCounts
from sketchseek.search.results import PhotoFolder, SearchResult
from sketchseek.search.scan import absolute
from sketchseek.search.text_ranking import matched_ids, text_ranking
from sketchseek.sketches import SketchSource
from sketchseek.stages import stage

Embedding = npt.NDArray[np.float32]

FUSED = 1000
"""Number of best photos by examples that are fused with the other criteria, or more if deeper pages are asked for."""


@dataclass(frozen=True, eq=False)
class EmbeddedQuery:
    """The examples of a query as embeddings.

    Attributes:
        query: What is searched, (d,).
        examples: Embeddings of the examples, (n, d).
        factors: ``query = factors @ examples``, (n,).
        photos: For each example, the id of a photo of the library; None if it is none.
        space: Fingerprint of the model.
    """

    query: Embedding
    examples: Embedding
    factors: npt.NDArray[np.float64]
    photos: tuple[int | None, ...]
    space: str


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
        self._folders = FolderCounts()
        self._colors = ColorCache()
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

    def folders(self, contains: str, limit: int) -> list[PhotoFolder]:
        """See ``Library.folders``."""
        with self._lock, self._catalog.snapshot():
            return self._folders.matching(self._catalog, self._catalog.metadata().changes, contains, limit)

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

    def search_query(self, query: Query, params: SearchParams) -> list[SearchResult]:
        """See ``Library.search_query``."""
        if not query.examples and not self._embeds_text(query):
            return self._search(None, params, query=query)
        while True:
            embedded = self.embed_query(query)
            without = {photo for photo in embedded.photos if photo is not None}
            try:
                return self._search(embedded.query, params, without=without, space=embedded.space, query=query)
            except _ReEmbeddedError:
                continue

    def count_query(self, query: Query, filter: Filter) -> int:
        """See ``Library.count_query``."""
        if (
            not query.text.strip()
            or self._embeds_text(query)
            or ((query.examples or query.colors) and query.text_mode == "rank")
        ):
            return self.count(filter)
        with self._lock, self._catalog.snapshot():
            if query.text_mode == "require":
                found = self._catalog.ids_with_words(query.text)
            else:
                found = matched_ids(self._catalog.match_text(query.text))
            allowed = self._allowed(filter, self._catalog.metadata())
        return len(found if allowed is None else np.intersect1d(found, allowed, assume_unique=True))

    def _embeds_text(self, query: Query) -> bool:
        """Whether a query's words are searched by embedding too: the model has a text encoder."""
        ranked = bool(query.text.strip()) and query.text_mode == "rank" and query.text_weight > 0
        return ranked and self.encoder.reads_text

    def embed_query(self, query: Query) -> EmbeddedQuery:
        """Embed the examples of a query, and its words if the model has a text encoder; there must be one at least."""
        with self._lock, self._catalog.snapshot():
            metadata = self._catalog.metadata()
            known = [None if e.photo is None else self._known(e.photo) for e in query.examples]
            stored = {photo: self.embedding(photo) for photo in known if photo is not None}
        embeddings = []
        for example, photo in zip(query.examples, known, strict=True):
            if photo is not None:
                embeddings.append(stored[photo])
            elif example.embedding is not None:
                embeddings.append(check_embedding(_numbers(example.embedding), metadata.embedding, metadata.distance))
            elif example.photo is not None:
                embeddings.append(self.encoder.encode_photo(cast(ImageSource, example.photo)))
            else:
                embeddings.append(self.encoder.encode_sketch(cast(SketchSource, example.sketch)))
        weights = [example.weight for example in query.examples]
        negative = [example.negative for example in query.examples]
        if self._embeds_text(query):
            embeddings.append(self.encoder.encode_texts([query.text])[0])
            weights.append(query.text_weight)
            negative.append(False)
        examples = np.stack(embeddings)
        mean, factors = mean_of_examples(examples, weights, negative, distance=metadata.distance)
        return EmbeddedQuery(mean, examples, factors, tuple(known), metadata.fingerprint)

    def _known(self, photo: ImageSource | int) -> int | None:
        """Return the id of a photo that is in the library; None if it must be encoded. Call with the lock held."""
        if isinstance(photo, (int, np.integer)):
            return int(photo)
        return self._catalog.id_of(absolute(photo)) if isinstance(photo, (str, os.PathLike)) else None

    def _search_encoded(self, encode: Callable[[Encoder], Embedding], params: SearchParams) -> list[SearchResult]:
        while True:
            encoder = self.encoder
            try:
                return self._search(encode(encoder), params, space=encoder.manifest.fingerprint)
            except _ReEmbeddedError:
                continue

    def _search(
        self,
        embedding: Embedding | None,
        params: SearchParams,
        *,
        without: Collection[int] = (),
        space: str | None = None,
        query: Query | None = None,
    ) -> list[SearchResult]:
        """Search by an embedding, or by the other criteria of a query, or by both.

        Args:
            embedding: The embedding; None if the query has no examples.
            params: Which results to return.
            without: Ids of photos that are not returned.
            space: Fingerprint of the model that the embedding is from; None if that is not known.
            query: For its criteria besides examples.
        """
        start, end = params.offset, params.offset + params.k
        with self._lock, self._catalog.snapshot():
            metadata = self._catalog.metadata()
            if space is not None and metadata.fingerprint != space:
                raise _ReEmbeddedError
            allowed = self._allowed(params.filter, metadata)
            others: dict[str, Ranking] = {}
            asked = end + len(without)
            if query is not None and query.text.strip():
                if query.text_mode == "require":
                    found = self._catalog.ids_with_words(query.text)
                    allowed = found if allowed is None else np.intersect1d(found, allowed, assume_unique=True)
                if query.text_mode == "rank" or embedding is None:
                    enough = max(asked, FUSED) if allowed is None else None
                    matches = self._catalog.match_text(query.text, enough=enough)
                    others["text"] = text_ranking(matches, query.text_weight, allowed)
            if query is not None and query.colors:
                others["colors"] = self._colors.ranking(
                    self._catalog,
                    metadata.changes,
                    query.colors,
                    query.color_weight,
                    k=max(asked, FUSED),
                    allowed=allowed,
                )
            if not others:
                assert embedding is not None
                with stage("index"):
                    ids, scores = self._nearest(embedding, metadata, asked, allowed)
                parts = None
            else:
                rankings = dict(others)
                if embedding is not None:
                    best = self._ranked(embedding, metadata, max(asked, FUSED), allowed, others.values())
                    rankings = {"examples": best, **others}
                ids, parts = fuse([*rankings.values()])
                scores = parts.sum(axis=1)
            if without:
                kept = ~np.isin(ids, list(without))
                ids, scores, parts = ids[kept], scores[kept], None if parts is None else parts[kept]
            page = ids[start:end].tolist()
            with stage("catalog"):
                photos = self._catalog.photos(page)
            if len(photos) < len(page):
                raise self._catalog.corrupt("damaged (photos that the index has are missing).")
        results = [
            SearchResult(rank, photos[photo].path, score, photo)
            for rank, (photo, score) in enumerate(zip(page, scores[start:end].tolist(), strict=True), start=start + 1)
        ]
        if parts is None:
            return results
        return [
            replace(result, parts=dict(zip(rankings, row, strict=True)))
            for result, row in zip(results, parts[start:end].tolist(), strict=True)
        ]

    def _allowed(self, filter: Filter, metadata: LibraryMetadata) -> Ids | None:
        """Return the ids that a filter allows, ascending; None if it allows all. Call inside a ``snapshot``."""
        return self._filters.ids(self._catalog, filter.bounds(), metadata.changes) if filter else None

    def _nearest(
        self, embedding: Embedding, metadata: LibraryMetadata, k: int, allowed: Ids | None
    ) -> tuple[Ids, npt.NDArray[np.float32]]:
        """Return ids and scores of the photos nearest to an embedding. Call inside a ``snapshot``."""
        query = check_embedding(embedding, metadata.embedding, metadata.distance)
        if (self.mirror.dimension, self.mirror.distance) != (len(query), metadata.distance):
            self.mirror = IndexMirror.of(self._path, metadata)
        return nearest(self.mirror.current(self._catalog, metadata), self._catalog, query, k, allowed)

    def _ranked(
        self, embedding: Embedding, metadata: LibraryMetadata, k: int, allowed: Ids | None, others: Iterable[Ranking]
    ) -> Ranking:
        """Rank the ``k`` photos nearest to an embedding, and behind them those that other criteria found."""
        ids, scores = self._nearest(embedding, metadata, k, allowed)
        ranks = ranks_of(scores)
        rest = np.setdiff1d(np.concatenate([other.ids for other in others]), ids)
        if len(ids) == k and len(rest):
            more, their_scores = self._nearest(embedding, metadata, k, rest)
            ids, ranks = np.concatenate([ids, more]), np.concatenate([ranks, k + ranks_of(their_scores)])
        return Ranking(ids, ranks, 1.0)


class _ReEmbeddedError(Exception):
    """The library was embedded with another model after the query was encoded."""


def _numbers(embedding: npt.ArrayLike) -> Embedding:
    try:
        return np.asarray(embedding, dtype=np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"the embedding is not an array of numbers ({error}).") from error
