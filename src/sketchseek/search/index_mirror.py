"""An index in memory that follows the catalog."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import cast

import numpy as np

from sketchseek.models.package import Distance
from sketchseek.search.catalog import Catalog, State
from sketchseek.search.index import VectorIndex, build, engine_for, sample_size, snapshots
from sketchseek.search.index.exact import ExactIndex
from sketchseek.search.index.snapshots import IndexSnapshot, StaleSnapshotError

_log = logging.getLogger(__name__)

REBUILD_GROWTH = 2.0
"""An approximate index that grew by this factor since it was built learns its partition anew."""

SAVE_CHANGES = 1000
SAVE_SHARE = 0.01
"""A new snapshot is written when more changes than these wait: reading the others at opening is cheap."""

FORGET_REMOVALS = 100_000


class IndexMirror:
    """Holds an index and brings it up to date with the catalog whenever asked.

    Args:
        library: The library's folder.
        dimension, distance: Of its vectors.
    """

    def __init__(self, library: Path, dimension: int, distance: Distance) -> None:
        self._library = library
        self.dimension = dimension
        self.distance: Distance = distance
        self._index: VectorIndex | None = None
        self._state = State(-1, 0, 0, 0)
        self._changes = -1
        self._built = 0
        self._record = ""
        self.stale = ""
        """Why the recorded snapshot was not used; empty where it was, or where there is none."""

    @classmethod
    def of(cls, library: Path, facts: dict[str, str]) -> IndexMirror:
        """The mirror for a library, from its catalog's ``meta()``; it reads nothing yet."""
        return cls(library, int(facts["embedding"]), cast(Distance, facts["distance"]))

    def current(self, catalog: Catalog, facts: dict[str, str], *, exact: bool = True) -> VectorIndex:
        """The index as the catalog is now. Call it inside a ``snapshot`` or the writer's transaction.

        Args:
            catalog: A connection to the catalog.
            facts: Its ``meta()``.
            exact: Where an index must be built, build an exhaustive one whatever the number of photos: a reader should
                answer in seconds, and the writer builds the proper one.
        """
        changes = int(facts["changes"])
        if self._index is not None and changes == self._changes:
            return self._index
        state = catalog.state()
        record = facts.get("snapshot", "")
        if self._index is None or not self._follows(state) or self._outgrown(record):
            self._open(catalog, state, record, exact=exact)
        assert self._index is not None
        self._catch_up(catalog, state)
        self._changes = changes
        return self._index

    def save(self, catalog: Catalog, *, force: bool = False) -> bool:
        """Write a new snapshot where enough has changed; returns whether it did. The writer's lock must be held.

        A disk that is full is not an error here: the catalog has everything, and readers catch up from it.
        """
        with catalog.snapshot():
            facts = catalog.meta()
            index = self.current(catalog, facts, exact=False)
            state, count = self._state, len(index)
            recorded = None if self.stale else self.recorded(catalog, facts.get("snapshot", ""))
            wrong_engine = index.name != engine_for(count) or (
                index.name != ExactIndex.name and count > REBUILD_GROWTH * self._built
            )
            few = recorded is not None and recorded[1] <= max(SAVE_CHANGES, SAVE_SHARE * count)
            if few and not wrong_engine and not force:
                return False
            if wrong_engine:
                index = self._build(catalog, state, exact=False)
        try:
            record = snapshots.save(
                self._library,
                index,
                built=self._built,
                epoch=state.epoch,
                last_id=state.last_id,
                last_removal=state.last_removal,
            )
        except OSError as error:
            _log.warning("The index could not be written (%s); searches will build it in memory.", error)
            return False
        with catalog.transaction():
            catalog.set_meta(snapshot=record)
            if state.last_removal - state.floor > FORGET_REMOVALS:
                catalog.forget_removals(state.last_removal)
        snapshots.remove_others(self._library, record)
        self.stale = ""
        return True

    def recorded(self, catalog: Catalog, record: str) -> tuple[IndexSnapshot, int] | None:
        """The snapshot on disk and how many changes it lacks; ``None`` where it is of no use."""
        try:
            snapshot = snapshots.describe(self._library, record)
        except StaleSnapshotError:
            return None
        state = catalog.state()
        if snapshot.epoch != state.epoch or snapshot.last_removal < state.floor:
            return None
        return snapshot, state.last_id - snapshot.last_id + state.last_removal - snapshot.last_removal

    def _follows(self, state: State) -> bool:
        mine = self._state
        return (
            mine.epoch == state.epoch
            and mine.last_id <= state.last_id
            and mine.last_removal <= state.last_removal
            and mine.last_removal >= state.floor
        )

    def _outgrown(self, record: str) -> bool:
        """Whether a writer has meanwhile recorded an index of another engine."""
        if record == self._record or self._index is None:
            return False
        self._record = record
        try:
            return snapshots.describe(self._library, record).engine != self._index.name
        except StaleSnapshotError:
            return False

    def _open(self, catalog: Catalog, state: State, record: str, *, exact: bool) -> None:
        self.stale = ""
        self._record = record
        if record:
            try:
                snapshot, index = snapshots.load(self._library, record)
                mine = State(snapshot.epoch, snapshot.last_id, snapshot.last_removal, 0)
                if (snapshot.dimension, snapshot.distance) != (self.dimension, self.distance):
                    raise StaleSnapshotError("it has another dimension or distance")
                self._index, self._state, self._built = index, mine, snapshot.built
                if self._follows(state):
                    self._catch_up(catalog, state)
                    if len(index) == catalog.count():
                        return
                if snapshot.epoch == state.epoch:
                    self.stale = "it does not hold the photos of the catalog"
            except StaleSnapshotError as error:
                self.stale = str(error)
                _log.warning("The index on disk cannot be used (%s); building it again.", error)
        self._build(catalog, state, exact=exact)

    def _build(self, catalog: Catalog, state: State, *, exact: bool) -> VectorIndex:
        count = catalog.count()
        engine = ExactIndex.name if exact else engine_for(count)
        self._index = build(
            engine,
            self.dimension,
            self.distance,
            catalog.vectors(self.dimension),
            sample=catalog.sample(self.dimension, sample_size(engine, count)),
            count=count,
        )
        self._state, self._built = state, count
        return self._index

    def _catch_up(self, catalog: Catalog, state: State) -> None:
        index, mine = self._index, self._state
        assert index is not None
        if mine.last_removal < state.last_removal:
            removed = catalog.removed_since(mine.last_removal)
            index.remove(np.unique(removed[removed <= mine.last_id]))
        if mine.last_id < state.last_id:
            for ids, vectors in catalog.vectors(self.dimension, after=mine.last_id):
                index.add(ids, vectors)
        self._state = state
