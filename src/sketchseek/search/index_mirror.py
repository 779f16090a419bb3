"""An index in memory that mirrors the catalog."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from sketchseek.models.package import Distance
from sketchseek.search.catalog import Catalog, CatalogState, LibraryMetadata
from sketchseek.search.index import VectorIndex, build, engine_for, sample_size, snapshots
from sketchseek.search.index.exact import ExactIndex
from sketchseek.search.index.snapshot_loader import SnapshotLoader
from sketchseek.search.index.snapshots import IndexSnapshot, StaleSnapshotError

_log = logging.getLogger(__name__)

REBUILD_GROWTH = 2.0
"""An approximate index that grew by this factor since it was built learns its partition again."""

SAVE_CHANGES = 1000
SAVE_FRACTION = 0.01
"""A new snapshot is written if it lacks more changes than both limits; fewer are read from the catalog quickly."""

TAKE_UP = 100_000
"""A reader that has added this many photos to its index takes up a newer snapshot, whose partition holds them."""

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
        self._opened = 0  # the last id that the snapshot had
        self._record = ""
        self._newer = SnapshotLoader(library)

    @classmethod
    def of(cls, library: Path, metadata: LibraryMetadata) -> IndexMirror:
        """Return the mirror for a library. It reads nothing yet."""
        return cls(library, metadata.dimensions, metadata.distance)

    def current(self, catalog: Catalog, metadata: LibraryMetadata, *, exact: bool = True) -> VectorIndex:
        """Return the index for the catalog's current state. Call inside a ``snapshot`` or a ``transaction``.

        A newer snapshot is read in a thread, and taken up by a call after that.

        Args:
            catalog: A connection to the catalog.
            metadata: The catalog's current metadata.
            exact: If an index must be built, build an exhaustive one, whatever the number of photos. Readers do so to
                answer in seconds; the writer builds the right one.
        """
        newer = self._newer.take()
        if self._index is not None and newer is None and metadata.changes == self._changes:
            return self._index
        state = catalog.state()
        if newer is not None and _state_of(newer[0]).leads_to(state):
            self._use(*newer)
        index = self._index
        if index is None or not self._state.leads_to(state):
            index = self._open(catalog, state, metadata.snapshot, exact=exact)
        elif self._is_outgrown(index, metadata.snapshot):
            self._newer.start(metadata.snapshot)
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
            if not force and self._is_recent(catalog, metadata.snapshot):
                return False
            index = self.current(catalog, metadata, exact=False)
            state = self._state
            if _is_outdated(index.name, len(index), self._built):
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

    def _is_recent(self, catalog: Catalog, record: str) -> bool:
        """Whether the snapshot on disk can be used, and lacks few changes."""
        recorded = None if self.stale else self.recorded(catalog, record)
        if recorded is None:
            return False
        snapshot, lacking = recorded
        count = catalog.count()
        added = catalog.state().last_id - snapshot.last_id
        return (
            count == snapshot.count + added - (lacking - added)
            and lacking <= max(SAVE_CHANGES, SAVE_FRACTION * count)
            and not _is_outdated(snapshot.engine, count, snapshot.built)
            and (snapshot.dimension, snapshot.distance) == (self.dimension, self.distance)
            and snapshots.is_whole(self._library, record)
        )

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

    def _is_outgrown(self, index: VectorIndex, record: str) -> bool:
        """Whether a writer has recorded a snapshot that searches faster than this index."""
        if record == self._record or self._newer.is_busy():
            return False
        self._record = record
        try:
            newer = snapshots.describe(self._library, record)
        except StaleSnapshotError:
            return False
        if newer.engine != index.name:
            return True
        return index.name != ExactIndex.name and newer.last_id - self._opened > TAKE_UP

    def _use(self, snapshot: IndexSnapshot, index: VectorIndex) -> None:
        self._index, self._state, self._changes = index, _state_of(snapshot), -1
        self._built, self._opened = snapshot.built, snapshot.last_id

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
        self._use(snapshot, index)
        if self._state.leads_to(state):
            self._catch_up(catalog, index, state)
            if len(index) == catalog.count():
                return index
        self._index = None
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
        self._state, self._built, self._opened = state, count, state.last_id
        return self._index


def _state_of(snapshot: IndexSnapshot) -> CatalogState:
    return CatalogState(snapshot.revision, snapshot.last_id, snapshot.last_removal, 0)


def _is_outdated(engine: str, count: int, built: int) -> bool:
    """Whether an index has the wrong engine for its size, or an outdated partition."""
    return engine != engine_for(count) or (engine != ExactIndex.name and count > REBUILD_GROWTH * built)
