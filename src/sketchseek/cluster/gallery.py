"""The photos of one version of a library, searched by embedding: in memory if they are few, else by Lance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sketchseek.cluster.color_scan import read_signatures, scan_colors
from sketchseek.cluster.conditions import Condition, sql_text
from sketchseek.cluster.descriptions import update_words
from sketchseek.cluster.storage import storage_errors
from sketchseek.cluster.table import FACTS, IS_PHOTO, Snapshot
from sketchseek.cluster.word_search import LanceWords
from sketchseek.errors import LibraryCorruptError
from sketchseek.search.browse import Order
from sketchseek.search.catalog import TextMatch
from sketchseek.search.catalog.memory_words import MemoryWords
from sketchseek.search.color_ranking import color_ranking
from sketchseek.search.colors import PaletteColor, Signatures
from sketchseek.search.fusion import Ranking
from sketchseek.search.index.exact import ExactIndex
from sketchseek.search.index.protocol import Ids, Scores
from sketchseek.search.recent_cache import RecentCache
from sketchseek.search.text_ranking import matched_ids

EXACT_BELOW = 50_000
"""Libraries with fewer photos are read into memory once for each version, and searched exhaustively."""

FLAT_BELOW = 5_000
"""If a filter allows fewer photos, Lance compares them all instead of searching its index."""

PARTITION = 1000
"""Photos in a cluster of the index."""

REFINE = 10
"""Candidates for each result that are scored again with the stored embeddings."""

RECENT = 10_000
"""Embeddings of results that are kept in memory."""

CACHED = 8
"""Maximum number of texts, and of palettes, whose photos are cached."""

METRICS = {"cosine": "dot", "euclidean": "l2"}
"""Lance's metrics by distance. Embeddings of ``cosine`` have unit length."""

Facts = dict[str, Any]
"""A photo's row, without its embedding."""


class Gallery(Protocol):
    """The photos of one version of a library."""

    engine: str

    def count(self, condition: Condition | None = None) -> int:
        """Return how many photos meet a condition."""

    def nearest(
        self, query: npt.NDArray[np.float32], k: int, condition: Condition | None, among: Ids | None = None
    ) -> tuple[Ids, Scores]:
        """Return ids and scores of the nearest photos, best first, each (n,), n <= k.

        Args:
            query: (d,), checked.
            k: Maximum number.
            condition: Which photos may be returned.
            among: Ids that may be returned, in place of those that meet the condition; ascending.
        """

    def match_words(self, text: str, enough: int, condition: Condition | None) -> list[TextMatch]:
        """Return the photos that have words of a text, by kind of match; see ``Catalog.match_text``."""

    def count_words(self, text: str, condition: Condition | None) -> int:
        """Return how many photos have some of the words of a text."""

    def rank_colors(
        self, palette: tuple[PaletteColor, ...], weight: float, k: int, condition: Condition | None
    ) -> Ranking:
        """Rank the ``k`` photos that fit a palette best."""

    def ordered(self, order: Order, condition: Condition | None) -> Ids:
        """Return the ids of all photos that meet a condition, in an order."""

    def facts(self, ids: Collection[int]) -> dict[int, Facts]:
        """Return the rows of photos by id; unknown ids are left out."""

    def embedding(self, photo: int) -> npt.NDArray[np.float32] | None:
        """Return a photo's embedding, (d,), or None if there is no such photo."""

    def id_of(self, path: str) -> int | None:
        """Return the id of the photo at a path or URI."""

    def folders(self) -> dict[str, int]:
        """Return the folders that hold photos, each with its number of photos, without those below it."""


def open_gallery(snapshot: Snapshot, *, exact_below: int = EXACT_BELOW, words: MemoryWords | None = None) -> Gallery:
    """Return the gallery of a version.

    Args:
        snapshot: The version.
        exact_below: See ``EXACT_BELOW``.
        words: Words of another version, which are brought up to date when words are searched.
    """
    with storage_errors(snapshot.dataset.uri):
        if snapshot.dataset.count_rows(filter=IS_PHOTO) < exact_below:
            return MemoryGallery(snapshot, words)
        return LanceGallery(snapshot)


def embeddings_of(table: Any, dimension: int, library: str) -> npt.NDArray[np.float16]:
    """Return the column of embeddings of an Arrow table, (n, dimension).

    Raises:
        LibraryCorruptError: A row has none.
    """
    column = table["embedding"].combine_chunks()
    if column.null_count:
        raise LibraryCorruptError(
            f"{column.null_count} photos have no embedding.",
            subject=library,
            remedy="Restore an earlier version of its table.",
        )
    values: npt.NDArray[np.float16] = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, dimension)
    return values


class MemoryGallery:
    """Every row in memory, with an exhaustive index."""

    engine = "exact"

    def __init__(self, snapshot: Snapshot, words: MemoryWords | None = None) -> None:
        state = snapshot.state
        self._snapshot = snapshot
        self._known_words = words or MemoryWords()
        self._matches: RecentCache[Hashable, Any] = RecentCache(CACHED)
        table = snapshot.rows([*FACTS, "embedding"], IS_PHOTO).combine_chunks()
        self._embeddings = embeddings_of(table, state.dimensions, snapshot.dataset.uri)
        self._table = table.drop_columns(["embedding"])
        self._ids = self._table["id"].to_numpy()
        self._rows = {photo: row for row, photo in enumerate(self._ids.tolist())}
        self._index = ExactIndex.create(
            state.dimensions, state.distance, sample=self._embeddings[:0], count=len(self._ids)
        )
        self._index.add(self._ids, self._embeddings)
        self._allowed: dict[Condition, Ids] = {}

    @cached_property
    def _paths(self) -> dict[str, int]:
        return dict(zip(self._table["path"].to_pylist(), self._ids.tolist(), strict=True))

    @cached_property
    def _words(self) -> MemoryWords:
        with storage_errors(self._snapshot.dataset.uri):
            update_words(self._known_words, self._snapshot)
        return self._known_words

    @cached_property
    def _colors(self) -> tuple[Ids, Signatures]:
        with storage_errors(self._snapshot.dataset.uri):
            return read_signatures(self._snapshot, IS_PHOTO)

    def _ids_within(self, condition: Condition) -> Ids:
        if condition not in self._allowed:
            mask = condition.mask(self._table).to_numpy(zero_copy_only=False)
            allowed = np.sort(self._ids[mask])
            if condition.text is not None:
                allowed = np.intersect1d(allowed, self._words.ids_with_words(condition.text), assume_unique=True)
            self._allowed[condition] = allowed
        return self._allowed[condition]

    def count(self, condition: Condition | None = None) -> int:
        """See ``Gallery``."""
        return len(self._ids if condition is None else self._ids_within(condition))

    def nearest(
        self, query: npt.NDArray[np.float32], k: int, condition: Condition | None, among: Ids | None = None
    ) -> tuple[Ids, Scores]:
        """See ``Gallery``."""
        allowed = self._ids_within(condition) if among is None and condition is not None else among
        ids, scores = self._index.search(query[None], k, allowed)
        return ids[0], scores[0]

    def match_words(self, text: str, enough: int, condition: Condition | None) -> list[TextMatch]:
        """See ``Gallery``."""
        wanted = enough if condition is None else None
        found = self._matches.get((text, wanted), lambda: self._words.match_text(text, enough=wanted))
        return found if condition is None else [match.within(self._ids_within(condition)) for match in found]

    def count_words(self, text: str, condition: Condition | None) -> int:
        """See ``Gallery``."""
        found = matched_ids(self._matches.get((text, None), lambda: self._words.match_text(text)))
        return len(found if condition is None else np.intersect1d(found, self._ids_within(condition)))

    def rank_colors(
        self, palette: tuple[PaletteColor, ...], weight: float, k: int, condition: Condition | None
    ) -> Ranking:
        """See ``Gallery``."""
        ids, signatures = self._colors
        if condition is not None:
            kept = np.isin(ids, self._ids_within(condition), assume_unique=True)
            ids, signatures = ids[kept], signatures[kept]
        return color_ranking(ids, signatures, palette, weight, k)

    def ordered(self, order: Order, condition: Condition | None) -> Ids:
        """See ``Gallery``."""
        ids = _ordered(self._table, order)
        return ids if condition is None else ids[np.isin(ids, self._ids_within(condition))]

    def facts(self, ids: Collection[int]) -> dict[int, Facts]:
        """See ``Gallery``."""
        known = [photo for photo in ids if photo in self._rows]
        rows = self._table.take(np.array([self._rows[photo] for photo in known], np.int64)).to_pylist()
        return dict(zip(known, rows, strict=True))

    def embedding(self, photo: int) -> npt.NDArray[np.float32] | None:
        """See ``Gallery``."""
        row = self._rows.get(photo)
        return None if row is None else self._embeddings[row].astype(np.float32)

    def id_of(self, path: str) -> int | None:
        """See ``Gallery``."""
        return self._paths.get(path)

    def folders(self) -> dict[str, int]:
        """See ``Gallery``."""
        return Counter(self._table["folder"].to_pylist())


class LanceGallery:
    """Rows in storage, searched with Lance's indexes."""

    engine = "lance"

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._dataset = snapshot.dataset
        self._distance = snapshot.state.distance
        self._counts: dict[Condition | None, int] = {}
        self._recent: dict[int, npt.NDArray[np.float32]] = {}
        self._words = LanceWords(snapshot)
        self._rankings: RecentCache[Hashable, Ranking] = RecentCache(CACHED)

    @cached_property
    def _folders(self) -> dict[str, int]:
        return Counter(self._rows(["folder"], IS_PHOTO)["folder"].to_pylist())

    def _rows(self, columns: list[str], filter: str) -> Any:
        with storage_errors(self._dataset.uri):
            return self._snapshot.rows(columns, filter)

    def _sql(self, condition: Condition | None) -> str:
        return IS_PHOTO if condition is None else f"{IS_PHOTO} AND {self._conditions(condition)}"

    def _conditions(self, condition: Condition) -> str:
        words = "" if condition.text is None else f" AND {self._words.every(condition.text)}"
        return f"{condition.sql(self._folder_names(condition))}{words}"

    def _folder_names(self, condition: Condition) -> Iterable[str]:
        return () if condition.contains is None else self._folders

    def count(self, condition: Condition | None = None) -> int:
        """See ``Gallery``."""
        if condition not in self._counts:
            with storage_errors(self._dataset.uri):
                self._counts[condition] = int(self._dataset.count_rows(filter=self._sql(condition)))
        return self._counts[condition]

    def nearest(
        self, query: npt.NDArray[np.float32], k: int, condition: Condition | None, among: Ids | None = None
    ) -> tuple[Ids, Scores]:
        """See ``Gallery``."""
        filter = None
        if among is None:
            filter = None if condition is None else self._conditions(condition)
            probes = None if self.count(condition) < FLAT_BELOW else self._snapshot.state.probes
        else:
            filter, probes = f"id IN ({', '.join(map(str, among.tolist()))})", None
        with storage_errors(self._dataset.uri):
            found = nearest_in_index(self._snapshot, query, k, probes, filter)
        self._keep(found)
        distances = found["_distance"].to_numpy()
        scores = 1.0 - distances if self._distance == "cosine" else -np.sqrt(np.maximum(distances, 0.0))
        return found["id"].to_numpy(), scores.astype(np.float32)

    def match_words(self, text: str, enough: int, condition: Condition | None) -> list[TextMatch]:
        """See ``Gallery``."""
        with storage_errors(self._dataset.uri):
            return self._words.matches(text, enough, self._sql(condition))

    def count_words(self, text: str, condition: Condition | None) -> int:
        """See ``Gallery``."""
        with storage_errors(self._dataset.uri):
            return self._words.count_some(text, self._sql(condition))

    def rank_colors(
        self, palette: tuple[PaletteColor, ...], weight: float, k: int, condition: Condition | None
    ) -> Ranking:
        """See ``Gallery``."""
        with storage_errors(self._dataset.uri):
            filter = self._sql(condition)
            key = (palette, weight, k, filter)
            return self._rankings.get(key, lambda: scan_colors(self._snapshot, palette, weight, k, filter))

    def _keep(self, found: Any) -> None:
        """Keep the embeddings of results: they are asked for to group copies, and for feedback."""
        if len(self._recent) > RECENT:
            self._recent.clear()
        embeddings = embeddings_of(found, self._snapshot.state.dimensions, self._dataset.uri).astype(np.float32)
        self._recent.update(zip(found["id"].to_pylist(), embeddings, strict=True))

    def ordered(self, order: Order, condition: Condition | None) -> Ids:
        """See ``Gallery``."""
        return _ordered(self._rows(["id", "path" if order == "path" else "mtime_ns"], self._sql(condition)), order)

    def facts(self, ids: Collection[int]) -> dict[int, Facts]:
        """See ``Gallery``."""
        if not ids:
            return {}
        listed = ", ".join(str(int(photo)) for photo in ids)
        rows = self._rows([*FACTS, "reason"], f"id IN ({listed})").to_pylist()
        return {row["id"]: row for row in rows if row["id"] > 0 and row.pop("reason") is None}

    def embedding(self, photo: int) -> npt.NDArray[np.float32] | None:
        """See ``Gallery``."""
        if photo in self._recent:
            return self._recent[photo]
        found = self._rows(["embedding"], f"{IS_PHOTO} AND id = {int(photo)}")
        if not len(found):
            return None
        embedding = embeddings_of(found, self._snapshot.state.dimensions, self._dataset.uri)[0]
        return np.asarray(embedding, np.float32)

    def id_of(self, path: str) -> int | None:
        """See ``Gallery``."""
        found = self._rows(["id"], f"{IS_PHOTO} AND path = {sql_text(path)}")["id"].to_pylist()
        return found[0] if found else None

    def folders(self) -> dict[str, int]:
        """See ``Gallery``."""
        return self._folders


def nearest_in_index(
    snapshot: Snapshot, query: npt.NDArray[np.float32], k: int, probes: int | None, filter: str | None = None
) -> Any:
    """Return the ids, distances and embeddings of the nearest photos that Lance finds.

    Only photos have an embedding. To ask for ``IS_PHOTO`` would read a column of every row, at each search.

    Args:
        snapshot: The version to search.
        query: (d,).
        k: How many.
        probes: Clusters of the index to visit; None to compare all embeddings.
        filter: Condition in SQL; None for all photos.
    """
    search: dict[str, Any] = {"column": "embedding", "q": query, "k": k, "metric": METRICS[snapshot.state.distance]}
    if probes is None:
        search["use_index"] = False
    else:
        refine = max(1, min(REFINE, 1 + 4000 // k))
        search |= {"minimum_nprobes": probes, "refine_factor": refine}
        if filter is None:  # else, Lance visits more until it has enough photos that a filter allows
            search["maximum_nprobes"] = probes + 4 * k * refine // PARTITION
    return snapshot.dataset.to_table(
        columns=["id", "_distance", "embedding"], nearest=search, filter=filter, prefilter=True
    )


def _ordered(table: Any, order: Order) -> Ids:
    """Return the ids of rows by path, or by time and then by id."""
    if order == "path":
        by_path: Ids = table.sort_by("path")["id"].to_numpy()
        return by_path
    ids: Ids = table.sort_by([("mtime_ns", "ascending"), ("id", "ascending")])["id"].to_numpy()
    return ids[::-1] if order == "newest" else ids
