"""Answering queries: embedding them, searching the index as the catalogue is now, and fetching what was found."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from sketchseek.artefact import Artefact, Metric
from sketchseek.drawings import DrawingSource
from sketchseek.encoder import Encoder
from sketchseek.errors import InputError
from sketchseek.images import PictureSource
from sketchseek.search.catalog import Catalog
from sketchseek.search.follower import Follower
from sketchseek.search.identity import artefact_of
from sketchseek.search.narrowing import Narrowing, NarrowingCache
from sketchseek.search.nearest import check_k, check_vector, nearest
from sketchseek.search.refine import rocchio
from sketchseek.search.results import SearchResult
from sketchseek.search.scan import absolute

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Wanted:
    """Which of the answers to a query are wanted; see ``Library.search``."""

    k: int
    offset: int
    within: Narrowing

    @classmethod
    def of(
        cls,
        k: int,
        folder: str | os.PathLike[str] | None,
        after: datetime | None,
        before: datetime | None,
        offset: int,
    ) -> Wanted:
        """From what users give.

        Raises:
            InputError: It contradicts itself.
        """
        check_k(k)
        if offset < 0:
            raise InputError(f"offset is {offset}; it must be at least 0.")
        return cls(k, offset, Narrowing.of(folder, after, before))


class Finder:
    """What a library searches with: a connection to its catalogue, the index that follows it, and the encoders.

    Args:
        path: The library's folder.
        catalog: Held only while the lock is.
        lock: Who else uses the connection takes it.
        chosen: The artefact that was asked for, if any.
    """

    def __init__(self, path: Path, catalog: Catalog, lock: threading.RLock, chosen: Artefact | None) -> None:
        self._path = path
        self._catalog = catalog
        self._lock = lock
        self._chosen = chosen
        self._encoder: Encoder | None = None
        self._within = NarrowingCache()
        self._counted = (-1, 0)  # the catalogue's changes, and its photos then
        self.follower = Follower.of(path, catalog.meta())

    def use(self, artefact: Artefact) -> None:
        """Go on with another artefact, by which the library was embedded anew."""
        with self._lock:
            self._chosen, self._encoder = artefact, None
            self.follower = Follower.of(self._path, self._catalog.meta())

    def artefact(self, facts: dict[str, str]) -> Artefact:
        """The artefact that the library was built with, from its catalogue's facts. See ``artefact_of``."""
        return artefact_of(self._path, facts, self._chosen)

    @property
    def encoder(self) -> Encoder:
        """The encoders; see ``Library.encoder``."""
        with self._lock:
            facts = self._catalog.meta()
            if self._encoder is None or self._encoder.manifest.fingerprint != facts["fingerprint"]:
                # A second thread waits for a core that the browser is busy on: slower, and much slower at times.
                self._encoder = Encoder(self.artefact(facts), threads=1)
            return self._encoder

    def vector(self, photo: int) -> Vector:
        """A photo's vector; see ``Library.vector``."""
        with self._lock:
            vector = self._catalog.vector(photo)
        if vector is None:
            raise InputError(f"{self._path}: there is no photo with id {photo}.")
        return np.frombuffer(vector, np.float16).astype(np.float32)

    def count(self, within: Narrowing) -> int:
        """See ``Library.count``."""
        with self._lock, self._catalog.snapshot():
            changes = int(self._catalog.meta()["changes"])
            if within:
                return len(self._within.ids(self._catalog, within, changes))
            if self._counted[0] != changes:
                self._counted = (changes, self._catalog.count())
            return self._counted[1]

    def by_drawing(self, drawing: DrawingSource, wanted: Wanted) -> list[SearchResult]:
        """See ``Library.search``."""
        return self._by_embedding(lambda encoder: encoder.embed_drawing(drawing), wanted)

    def by_photo(self, photo: PictureSource | int, wanted: Wanted) -> list[SearchResult]:
        """See ``Library.search_photo``."""
        known: int | None = None
        if isinstance(photo, (int, np.integer)):
            known = int(photo)
        elif isinstance(photo, (str, os.PathLike)):
            with self._lock:
                known = self._catalog.id_of(absolute(photo))
        if known is None:
            source = cast(PictureSource, photo)
            return self._by_embedding(lambda encoder: encoder.embed_photo(source), wanted)
        while True:
            with self._lock, self._catalog.snapshot():
                vector, space = self.vector(known), self._catalog.meta()["fingerprint"]
            try:
                return self._find(vector, wanted, without={known}, space=space)
            except _EmbeddedAnewError:
                continue

    def by_vector(self, vector: npt.ArrayLike, wanted: Wanted) -> list[SearchResult]:
        """See ``Library.search_vector``."""
        return self._find(_numbers(vector), wanted)

    def refined(
        self,
        drawing: DrawingSource | None,
        vector: npt.ArrayLike | None,
        photo: PictureSource | int | None,
        right: Sequence[int],
        wrong: Sequence[int],
        wanted: Wanted,
    ) -> list[SearchResult]:
        """See ``Library.refine``."""
        if sum(one is not None for one in (drawing, vector, photo)) != 1:
            raise InputError("a query to refine is one of drawing, vector and photo.")
        if both := sorted({*right} & {*wrong}):
            raise InputError(f"photo {both[0]} is marked as right and as wrong.", remedy="Mark it as one of the two.")
        without = {*wrong, *([int(photo)] if isinstance(photo, (int, np.integer)) else [])}
        while True:
            with self._lock, self._catalog.snapshot():
                facts = self._catalog.meta()
                known = self.vector(int(photo)) if isinstance(photo, (int, np.integer)) else None
                marked = [[self.vector(one) for one in ids] for ids in (right, wrong)]
            dimension, metric = int(facts["embedding"]), cast(Metric, facts["metric"])
            if vector is not None:
                query = check_vector(_numbers(vector), dimension, metric)
            elif known is not None:
                query = known
            elif photo is not None:
                query = self.encoder.embed_photo(cast(PictureSource, photo))
            else:
                query = self.encoder.embed_drawing(cast(DrawingSource, drawing))
            good, bad = (np.array(vectors, np.float32).reshape(-1, dimension) for vectors in marked)
            try:
                moved = rocchio(query, good, bad, metric=metric)
                return self._find(moved, wanted, without=without, space=facts["fingerprint"])
            except _EmbeddedAnewError:
                continue

    def _by_embedding(self, embed: Callable[[Encoder], Vector], wanted: Wanted) -> list[SearchResult]:
        while True:
            encoder = self.encoder
            try:
                return self._find(embed(encoder), wanted, space=encoder.manifest.fingerprint)
            except _EmbeddedAnewError:
                continue

    def _find(
        self, vector: Vector, wanted: Wanted, *, without: Collection[int] = (), space: str | None = None
    ) -> list[SearchResult]:
        within, start, end = wanted.within, wanted.offset, wanted.offset + wanted.k
        with self._lock, self._catalog.snapshot():
            facts = self._catalog.meta()
            if space is not None and facts["fingerprint"] != space:
                raise _EmbeddedAnewError
            query = check_vector(vector, int(facts["embedding"]), cast(Metric, facts["metric"]))
            if (self.follower.dimension, self.follower.metric) != (len(query), facts["metric"]):
                self.follower = Follower.of(self._path, facts)
            index = self.follower.current(self._catalog, facts)
            allowed = self._within.ids(self._catalog, within, int(facts["changes"])) if within else None
            ids, scores = nearest(index, self._catalog, query, end + len(without), allowed)
            pairs = [(int(i), float(s)) for i, s in zip(ids, scores, strict=True) if int(i) not in without]
            photos = self._catalog.photos([photo for photo, _ in pairs[start:end]])
        return [
            SearchResult(rank, photos[photo].path, score, photo)
            for rank, (photo, score) in enumerate(pairs[start:end], start=start + 1)
        ]


class _EmbeddedAnewError(Exception):
    """The library was embedded anew between embedding the query and searching."""


def _numbers(vector: npt.ArrayLike) -> Vector:
    try:
        return np.asarray(vector, dtype=np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"a vector that is not made of numbers ({error}).") from error
