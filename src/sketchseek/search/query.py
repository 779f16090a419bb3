"""The query engine: turns sketches, photos and feedback into an embedding, and searches with it."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from sketchseek.encoder import Encoder
from sketchseek.errors import InputError
from sketchseek.images import ImageSource
from sketchseek.models.package import ModelPackage
from sketchseek.search.browse import Order
from sketchseek.search.catalog import LibraryMetadata
from sketchseek.search.combined_query import Query
from sketchseek.search.copies import grouped
from sketchseek.search.feedback import mean_of_examples, rocchio
from sketchseek.search.index_search import check_embedding
from sketchseek.search.library_model import package_of
from sketchseek.search.object_path import PhotoPath
from sketchseek.search.params import Filter, SearchParams
from sketchseek.search.part_ranking import EmbeddedParts
from sketchseek.search.results import LibraryPhoto, PhotoFolder, SearchResult
from sketchseek.search_times import stage
from sketchseek.sketches import SketchSource
from sketchseek.sketches.parts import sketch_parts

Embedding = npt.NDArray[np.float32]


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


class QueryEngine(ABC):
    """Searches a library. Subclasses know how it is stored.

    Args:
        path: The library's folder.
        lock: Held while the library is read.
        chosen: The model package that the user asked for, if any.
    """

    def __init__(self, path: PhotoPath, lock: threading.RLock, chosen: ModelPackage | None) -> None:
        self._path = path
        self._lock = lock
        self._chosen = chosen
        self._encoder: Encoder | None = None

    # --- how the library is stored ----------

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[object]:
        """Hold the lock, and let every read inside see one state of the library. Not to be nested."""

    @abstractmethod
    def metadata(self) -> LibraryMetadata:
        """Return the library's metadata."""

    @abstractmethod
    def stored_embedding(self, photo: int) -> Embedding | None:
        """Return a photo's embedding, (d,), or None if there is no such photo."""

    def stored_hash(self, photo: int) -> bytes:
        """Return a photo's perceptual hash, empty if the library has none."""
        return b""

    @abstractmethod
    def id_of(self, path: str | os.PathLike[str]) -> int | None:
        """Return the id of the photo at a path, or None if there is none."""

    @abstractmethod
    def count(self, filter: Filter) -> int:
        """See ``Library.count``."""

    @abstractmethod
    def count_with_words(self, query: Query, filter: Filter) -> int:
        """Return how many photos a query finds whose words limit its results."""

    @abstractmethod
    def folders(self, contains: str, limit: int) -> list[PhotoFolder]:
        """See ``Library.folders``."""

    @abstractmethod
    def browse(self, order: Order, params: SearchParams) -> list[LibraryPhoto]:
        """See ``Library.browse``."""

    @abstractmethod
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
        """Search by an embedding, or by the other criteria of a query, or by both.

        Args:
            embedding: The embedding; None if the query has no examples.
            params: Which results to return.
            without: Ids of photos that are not returned.
            space: Fingerprint of the model that the embedding is from; None if that is not known.
            query: For its criteria besides examples.
            parts: The two objects of the query's sketch, if it is also searched by them.

        Raises:
            ReEmbeddedError: The library has another model than ``space`` by now.
        """

    # --- models ----------

    def use(self, package: ModelPackage) -> None:
        """Switch to the model package that the library was embedded again with."""
        with self._lock:
            self._chosen, self._encoder = package, None

    def package(self, metadata: LibraryMetadata) -> ModelPackage:
        """Return the package that the library was built with. See ``package_of``."""
        return package_of(self._path, metadata, self._chosen)

    @property
    def encoder(self) -> Encoder:
        """The encoder; see ``Library.encoder``."""
        with self._lock:
            metadata = self.metadata()
            if self._encoder is None or self._encoder.manifest.fingerprint != metadata.fingerprint:
                # More threads wait for cores that the browser keeps busy: slower, at times much slower.
                self._encoder = Encoder(self.package(metadata), threads=1)
            return self._encoder

    def embedding(self, photo: int) -> Embedding:
        """Return a photo's embedding; see ``Library.embedding``."""
        with self._lock:
            embedding = self.stored_embedding(photo)
        if embedding is None:
            raise InputError(f"there is no photo with id {photo}.", subject=self._path)
        return embedding

    # --- queries ----------

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
                known = self.id_of(photo)
        if known is None:
            source = cast(ImageSource, photo)
            return self._search_encoded(lambda encoder: encoder.encode_photo(source), params)
        while True:
            with self.snapshot():
                embedding, space = self.embedding(known), self.metadata().fingerprint
            try:
                return self._find(embedding, params, without={known}, space=space)
            except ReEmbeddedError:
                continue

    def search_embedding(self, embedding: npt.ArrayLike, params: SearchParams) -> list[SearchResult]:
        """See ``Library.search_embedding``."""
        return self._find(_numbers(embedding), params)

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
            with self.snapshot():
                metadata = self.metadata()
                known = self.embedding(int(photo)) if isinstance(photo, (int, np.integer)) else None
                marked = [[self.embedding(one) for one in ids] for ids in (positive, negative)]
            dimension, distance = metadata.dimensions, metadata.distance
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
                return self._find(moved, params, without=without, space=metadata.fingerprint)
            except ReEmbeddedError:
                continue

    def search_query(self, query: Query, params: SearchParams) -> list[SearchResult]:
        """See ``Library.search_query``."""
        if not query.examples and not self._embeds_text(query):
            return self._find(None, params, query=query)
        while True:
            embedded = self.embed_query(query)
            without = {photo for photo in embedded.photos if photo is not None}
            parts = self._embed_parts(query)
            try:
                return self._find(
                    embedded.query, params, without=without, space=embedded.space, query=query, parts=parts
                )
            except ReEmbeddedError:
                continue

    def count_query(self, query: Query, filter: Filter) -> int:
        """See ``Library.count_query``."""
        if (
            not query.text.strip()
            or self._embeds_text(query)
            or ((query.examples or query.colors) and query.text_mode == "rank")
        ):
            return self.count(filter)
        return self.count_with_words(query, filter)

    def _embeds_text(self, query: Query) -> bool:
        """Whether a query's words are searched by embedding too: the model has a text encoder."""
        ranked = bool(query.text.strip()) and query.text_mode == "rank" and query.text_weight > 0
        return ranked and self.encoder.reads_text

    def embed_query(self, query: Query) -> EmbeddedQuery:
        """Embed the examples of a query, and its words if the model has a text encoder; there must be one at least."""
        with self.snapshot():
            metadata = self.metadata()
            known = [None if e.photo is None else self._known(e.photo) for e in query.examples]
            stored = {photo: self.embedding(photo) for photo in known if photo is not None}
        embeddings = []
        for example, photo in zip(query.examples, known, strict=True):
            if photo is not None:
                embeddings.append(stored[photo])
            elif example.embedding is not None:
                embeddings.append(check_embedding(_numbers(example.embedding), metadata.dimensions, metadata.distance))
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

    def _embed_parts(self, query: Query) -> EmbeddedParts | None:
        """Embed the two objects of a query's sketch; None if it is not to be searched by them, or does not show two."""
        if not query.parts or len(query.examples) != 1 or query.examples[0].sketch is None:
            return None
        with stage("parts"):
            found = sketch_parts(query.examples[0].sketch)
        if not found:
            return None
        embeddings = self.encoder.encode_sketches([part.sketch for part in found])
        return EmbeddedParts(embeddings, tuple(part.middle for part in found))

    def _known(self, photo: ImageSource | int) -> int | None:
        """Return the id of a photo that is in the library; None if it must be encoded. Call with the lock held."""
        if isinstance(photo, (int, np.integer)):
            return int(photo)
        return self.id_of(photo) if isinstance(photo, (str, os.PathLike)) else None

    def _find(
        self,
        embedding: Embedding | None,
        params: SearchParams,
        *,
        without: Collection[int] = (),
        space: str | None = None,
        query: Query | None = None,
        parts: EmbeddedParts | None = None,
    ) -> list[SearchResult]:
        """See ``_search``; groups copies if asked for."""

        def search(params: SearchParams) -> list[SearchResult]:
            return self._search(embedding, params, without=without, space=space, query=query, parts=parts)

        if not params.group_copies:
            return search(params)
        with self._lock:
            distance = self.metadata().distance
        return grouped(
            lambda k: search(replace(params, k=k, offset=0)),
            self._stored_look,
            params.k,
            params.offset,
            distance,
        )

    def _stored_look(self, photo: int) -> tuple[Embedding, bytes] | None:
        with self._lock:
            embedding = self.stored_embedding(photo)
            return None if embedding is None else (embedding, self.stored_hash(photo))

    def _search_encoded(self, encode: Callable[[Encoder], Embedding], params: SearchParams) -> list[SearchResult]:
        while True:
            encoder = self.encoder
            try:
                return self._find(encode(encoder), params, space=encoder.manifest.fingerprint)
            except ReEmbeddedError:
                continue


class ReEmbeddedError(Exception):
    """The library was embedded with another model after the query was encoded."""


def _numbers(embedding: npt.ArrayLike) -> Embedding:
    try:
        return np.asarray(embedding, dtype=np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"the embedding is not an array of numbers ({error}).") from error
