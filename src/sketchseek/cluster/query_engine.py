"""The query engine of a library in Lance."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from sketchseek.cluster.conditions import Condition
from sketchseek.cluster.gallery import EXACT_BELOW, Facts, Gallery, open_gallery
from sketchseek.cluster.members import Member
from sketchseek.cluster.storage import normalized
from sketchseek.cluster.table import Snapshot, Table
from sketchseek.errors import InputError
from sketchseek.models.package import ModelPackage
from sketchseek.search.browse import ORDERS, Order
from sketchseek.search.catalog import LibraryMetadata
from sketchseek.search.catalog.folder_text import fold
from sketchseek.search.catalog.memory_words import MemoryWords
from sketchseek.search.combined_query import Query
from sketchseek.search.found import FUSED, Nearest, fused
from sketchseek.search.fusion import Ranking
from sketchseek.search.index.protocol import Ids, Scores
from sketchseek.search.index_search import check_embedding
from sketchseek.search.object_path import ObjectPath, PhotoPath, photo_path
from sketchseek.search.params import Filter, SearchParams
from sketchseek.search.part_ranking import EmbeddedParts, part_ranking
from sketchseek.search.query import Embedding, QueryEngine, ReEmbeddedError
from sketchseek.search.results import LibraryPhoto, PhotoFolder, SearchResult
from sketchseek.search.text_ranking import text_ranking
from sketchseek.search_times import stage

REFRESH = 2.0
"""Seconds after which a search looks for a newer version of the table."""


class LanceQueryEngine(QueryEngine):
    """Searches the latest version of a table, or one that is at most ``REFRESH`` seconds old.

    Args:
        path: The library's folder.
        table: Its table.
        chosen: The model package that the user asked for, if any.
        exact_below: See ``gallery.EXACT_BELOW``.
    """

    def __init__(
        self, path: PhotoPath, table: Table, chosen: ModelPackage | None, *, exact_below: int = EXACT_BELOW
    ) -> None:
        super().__init__(path, threading.RLock(), chosen)
        self._table = table
        self._exact_below = exact_below
        self._current = table.latest()
        self._checked = time.monotonic()
        self._opened: Gallery | None = None
        self._words = MemoryWords()

    def close(self) -> None:
        """Free what the engine holds in memory."""
        with self._lock:
            self._opened = None
            self._words.close()

    def refresh(self) -> Snapshot:
        """Look for a newer version now, and return the latest."""
        with self._lock:
            latest = self._table.refreshed(self._current)
            if latest.version != self._current.version:
                self._current, self._opened = latest, None
            self._checked = time.monotonic()
            return self._current

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """See ``QueryEngine.snapshot``."""
        with self._lock:
            if time.monotonic() - self._checked >= REFRESH:
                self.refresh()
            yield

    @property
    def gallery(self) -> Gallery:
        """The photos of the current version. Use it inside a ``snapshot``."""
        if self._opened is None:
            self._opened = open_gallery(self._current, exact_below=self._exact_below, words=self._words)
        return self._opened

    def metadata(self) -> LibraryMetadata:
        """See ``QueryEngine.metadata``."""
        return self._current.metadata

    def stored_embedding(self, photo: int) -> Embedding | None:
        """See ``QueryEngine.stored_embedding``."""
        return self.gallery.embedding(photo)

    def stored_hash(self, photo: int) -> bytes:
        """See ``QueryEngine.stored_hash``."""
        found = self.gallery.facts([photo]).get(photo)
        return b"" if found is None else found["picture_hash"] or b""

    def id_of(self, path: str | os.PathLike[str]) -> int | None:
        """See ``QueryEngine.id_of``."""
        return self.gallery.id_of(normalized(path))

    def facts(self, photo: int) -> Facts | None:
        """Return a photo's row, or None if there is no such photo."""
        with self.snapshot():
            return self.gallery.facts([photo]).get(photo)

    def count(self, filter: Filter) -> int:
        """See ``Library.count``."""
        with self.snapshot():
            return self.gallery.count(Condition.of(filter))

    def count_with_words(self, query: Query, filter: Filter) -> int:
        """See ``QueryEngine.count_with_words``."""
        with self.snapshot():
            if query.text_mode == "require":
                return self.gallery.count(Condition.of(filter, query.text))
            return self.gallery.count_words(query.text, Condition.of(filter))

    def folders(self, contains: str, limit: int) -> list[PhotoFolder]:
        """See ``Library.folders``."""
        wanted = fold(contains)
        with self.snapshot():
            found = [
                PhotoFolder(photo_path(path), count)
                for path, count in self.gallery.folders().items()
                if wanted in fold(path)
            ]
        return sorted(found, key=lambda one: (wanted not in fold(one.path.name), str(one.path)))[:limit]

    def browse(self, order: Order, params: SearchParams) -> list[LibraryPhoto]:
        """See ``Library.browse``."""
        if order not in ORDERS:
            raise InputError(f"there is no order {order!r}.", remedy=f"Choose one of {', '.join(ORDERS)}.")
        condition = Condition.of(params.filter)
        with self.snapshot():
            ids = self.gallery.ordered(order, condition)[params.offset : params.offset + params.k].tolist()
            facts = self.gallery.facts(ids)
        return [photo_of(facts[photo]) for photo in ids]

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
        required = query.text if query is not None and query.text_mode == "require" and query.text.strip() else None
        condition = Condition.of(params.filter, required)
        start, end = params.offset, params.offset + params.k
        asked = end + len(without)
        with self.snapshot():
            metadata = self.metadata()
            if space is not None and metadata.fingerprint != space:
                raise ReEmbeddedError
            others = {} if query is None else self._other_rankings(query, asked, condition, embedding is not None)
            if parts is not None:

                def near(vector: Embedding, k: int) -> tuple[Ids, Scores]:
                    return self._nearest(vector, metadata, condition)(k, None)

                others["parts"] = part_ranking(parts, near, None, asked, metadata.distance)
            nearest = None if embedding is None else self._nearest(embedding, metadata, condition)
            page = fused(nearest, others, asked).without(without).page(start, end)
            with stage("catalog"):
                facts = self.gallery.facts(page.ids.tolist())
        bounded = metadata.distance == "cosine" and not others
        return [
            SearchResult(rank, path_of(facts[photo]), max(-1.0, min(1.0, score)) if bounded else score, photo, parts)
            for rank, (photo, score, parts) in enumerate(page.rows(), start=start + 1)
        ]

    def _nearest(self, embedding: Embedding, metadata: LibraryMetadata, condition: Condition | None) -> Nearest:
        vector = check_embedding(embedding, metadata.dimensions, metadata.distance)

        def nearest(k: int, among: Ids | None) -> tuple[Ids, Scores]:
            return self.gallery.nearest(vector, k, condition, among)

        return nearest

    def _other_rankings(
        self, query: Query, asked: int, condition: Condition | None, by_examples: bool
    ) -> dict[str, Ranking]:
        """Rank photos by a query's words and colors."""
        rankings: dict[str, Ranking] = {}
        enough = max(asked, FUSED)
        if query.text.strip() and (query.text_mode == "rank" or not by_examples):
            matches = self.gallery.match_words(query.text, enough, condition)
            rankings["text"] = text_ranking(matches, query.text_weight)
        if query.colors:
            rankings["colors"] = self.gallery.rank_colors(query.colors, query.color_weight, enough, condition)
        return rankings


def path_of(row: Facts) -> PhotoPath:
    """Return the path of a photo from its row. In a container, it is no file, so that it is an ``ObjectPath``."""
    return photo_path(row["path"]) if Member.parse(row["version"]) is None else ObjectPath(row["path"])


def photo_of(row: Facts) -> LibraryPhoto:
    """Return a photo from its row."""
    return LibraryPhoto(
        row["id"], path_of(row), row["width"], row["height"], row["size"], row["mtime_ns"], row["added"]
    )
