"""An index in memory that mirrors the catalog."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from sketchseek.models.package import Distance
from sketchseek.search.catalog import Catalog, CatalogState, LibraryMetadata
from sketchseek.search.index import VectorIndex, build, engine_for, sample_size, snapshots
from sketchseek.search.index.exact import ExactIndex
from sketchseek.search.index.snapshots import IndexSnapshot, StaleSnapshotError

_log = logging.getLogger(__name__)

REBUILD_GROWTH = 2.0
"""An approximate index that grew by this factor since it was built learns its partition again."""

SAVE_CHANGES = 1000
SAVE_FRACTION = 0.01
"""A new snapshot is written if it lacks more changes than both limits; fewer are read from the catalog quickly."""

FORGET_REMOVALS = 100_000
"""Number of recorded removals from which on a writer drops the record."""


class IndexMirror:
    """Holds an index and brings it up to date with the catalog on request.

    Args:
        library: The library's folder.
        dimension: Length of an embedding.
        distance: ``cosine`` or ``euclidean``.

    Attributes:
        stale: Why the recorded snapshot was not used; empty if it was used, or if there is none.
    """

    def __init__(self, library: Path, dimension: int, distance: Distance) -> None:
        self._library = library
        self.dimension = dimension
        self.distance: Distance = distance
        self.stale = ""
        self._index: VectorIndex | None = None
        self._state = CatalogState(-1, 0, 0, 0)
        self._changes = -1
        self._built = 0
        self._record = ""

    @classmethod
    def of(cls, library: Path, metadata: LibraryMetadata) -> IndexMirror:
        """Return the mirror for a library. It reads nothing yet."""
        return cls(library, metadata.dimensions, metadata.distance)

    def current(self, catalog: Catalog, metadata: LibraryMetadata, *, exact: bool = True) -> VectorIndex:
        """Return the index for the catalog's current state. Call inside a ``snapshot`` or a ``transaction``.

        Args:
            catalog: A connection to the catalog.
            metadata: The catalog's current metadata.
            exact: If an index must be built, build an exhaustive one, whatever the number of photos. Readers do so to
                answer in seconds; the writer builds the right one.
        """
        if self._index is not None and metadata.changes == self._changes:
            return self._index
        state = catalog.state()
        index = self._index
        if index is None or not self._can_catch_up(state) or self._has_other_engine(index, metadata.snapshot):
            index = self._open(catalog, state, metadata.snapshot, exact=exact)
        self._catch_up(catalog, index, state)
        self._changes = metadata.changes
        return index

    def save(self, catalog: Catalog, *, force: bool = False) -> bool:
        """Write a new snapshot if enough has changed. The caller must hold the writer's lock.

        A full disk is only logged: the catalog is complete, and readers catch up from it.

        Returns:
            Whether a snapshot was written.
        """
        with catalog.snapshot():
            metadata = catalog.metadata()
            index = self.current(catalog, metadata, exact=False)
            state = self._state
            must_rebuild = self._must_rebuild(index)
            if not force and not must_rebuild and self._is_recent(catalog, metadata, len(index)):
                return False
            if must_rebuild:
                index = self._build(catalog, state, exact=False)
        record = self._write(index, state)
        if record is None:
            return False
        with catalog.transaction():
            catalog.set_snapshot(record)
            if state.last_removal - state.floor > FORGET_REMOVALS:
                catalog.forget_removals(state.last_removal)
        snapshots.remove_others(self._library, record)
        self.stale = ""
        return True

    def recorded(self, catalog: Catalog, record: str) -> tuple[IndexSnapshot, int] | None:
        """Return the recorded snapshot and the number of changes it lacks, or None if it cannot be used."""
        try:
            snapshot = snapshots.describe(self._library, record)
        except StaleSnapshotError:
            return None
        state = catalog.state()
        if snapshot.revision != state.revision or snapshot.last_removal < state.floor:
            return None
        return snapshot, state.last_id - snapshot.last_id + state.last_removal - snapshot.last_removal

    # --- saving ----------

    def _must_rebuild(self, index: VectorIndex) -> bool:
        """Whether the index has the wrong engine for its size, or an outdated partition."""
        if index.name != engine_for(len(index)):
            return True
        return index.name != ExactIndex.name and len(index) > REBUILD_GROWTH * self._built

    def _is_recent(self, catalog: Catalog, metadata: LibraryMetadata, count: int) -> bool:
        """Whether the snapshot on disk can be used and lacks few changes."""
        if self.stale:
            return False
        recorded = self.recorded(catalog, metadata.snapshot)
        return recorded is not None and recorded[1] <= max(SAVE_CHANGES, SAVE_FRACTION * count)

    def _write(self, index: VectorIndex, state: CatalogState) -> str | None:
        try:
            return snapshots.save(
                self._library,
                index,
                built=self._built,
                revision=state.revision,
                last_id=state.last_id,
                last_removal=state.last_removal,
            )
        except OSError as error:
            _log.warning("Cannot write the index (%s); searches will build it in memory.", error)
            return None

    # --- catching up ----------

    def _can_catch_up(self, state: CatalogState) -> bool:
        mine = self._state
        return (
            mine.revision == state.revision
            and mine.last_id <= state.last_id
            and mine.last_removal <= state.last_removal
            and mine.last_removal >= state.floor
        )

    def _has_other_engine(self, index: VectorIndex, record: str) -> bool:
        """Whether a writer has recorded a snapshot with another engine since the index was opened."""
        if record == self._record:
            return False
        self._record = record
        try:
            return snapshots.describe(self._library, record).engine != index.name
        except StaleSnapshotError:
            return False

    def _catch_up(self, catalog: Catalog, index: VectorIndex, state: CatalogState) -> None:
        mine = self._state
        if mine.last_removal < state.last_removal:
            removed = catalog.removed_since(mine.last_removal)
            index.remove(np.unique(removed[removed <= mine.last_id]))
        if mine.last_id < state.last_id:
            for ids, embeddings in catalog.embeddings(self.dimension, after=mine.last_id):
                index.add(ids, embeddings)
        self._state = state

    # --- opening ----------

    def _open(self, catalog: Catalog, state: CatalogState, record: str, *, exact: bool) -> VectorIndex:
        """Load the recorded snapshot, or build the index if it cannot be used."""
        self.stale = ""
        self._record = record
        index = None
        if record:
            try:
                index = self._load(catalog, state, record)
            except StaleSnapshotError as error:
                self.stale = str(error)
                _log.warning("The index on disk cannot be used (%s); rebuilding it.", error)
        return self._build(catalog, state, exact=exact) if index is None else index

    def _load(self, catalog: Catalog, state: CatalogState, record: str) -> VectorIndex | None:
        """Load a snapshot and catch up; return None if it lags too far behind."""
        snapshot, index = snapshots.load(self._library, record)
        if (snapshot.dimension, snapshot.distance) != (self.dimension, self.distance):
            raise StaleSnapshotError("it has another dimension or distance")
        self._state = CatalogState(snapshot.revision, snapshot.last_id, snapshot.last_removal, 0)
        self._built = snapshot.built
        if self._can_catch_up(state):
            self._catch_up(catalog, index, state)
            if len(index) == catalog.count():
                self._index = index
                return index
        if snapshot.revision == state.revision:
            self.stale = "it does not hold the photos of the catalog"
        return None

    def _build(self, catalog: Catalog, state: CatalogState, *, exact: bool) -> VectorIndex:
        count = catalog.count()
        engine = ExactIndex.name if exact else engine_for(count)
        self._index = build(
            engine,
            self.dimension,
            self.distance,
            catalog.embeddings(self.dimension),
            sample=catalog.sample(self.dimension, sample_size(engine, count)),
            count=count,
        )
        if len(self._index) != count:
            self._index = None
            raise catalog.corrupt("damaged (its index of photos disagrees with the photos).")
        self._state, self._built = state, count
        return self._index
