"""The Lance table of a library, and its transactions.

One table has all: photos, files that failed (with a ``reason``, without an embedding), and a row with id 0 for the
library's ``State``. Every commit replaces the state's row. So of two commits that are based on the same version, Lance
rejects the second one as a conflict, and it is done again on top of the first. That makes commits serializable, while
workers write their fragments at any time, without waiting for one another.
"""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sketchseek.cluster.index_cache import session
from sketchseek.cluster.state import State
from sketchseek.cluster.storage import list_objects, storage_errors
from sketchseek.errors import LibraryCorruptError, LibraryLockedError, LibraryNotFoundError
from sketchseek.search.catalog import LibraryMetadata
from sketchseek.search.library import LANCE_TABLE
from sketchseek.search.object_path import is_uri

STATE_ID = 0
IS_PHOTO = "id > 0 AND reason IS NULL"
IS_FAILURE = "id > 0 AND reason IS NOT NULL"
TRIES = 50
"""Number of times that a commit is tried while others commit."""

FACTS = [
    "id",
    "path",
    "folder",
    "size",
    "mtime_ns",
    "version",
    "source",
    "digest",
    "width",
    "height",
    "added",
    "picture_hash",
]
"""Columns of a photo without its embedding and its description."""

DESCRIPTION = ["caption", "keywords", "camera", "taken", "place", "colors", "words"]
"""Columns of what indexing reads from a photo's file besides pixels; see ``descriptions``. Tables of earlier versions
get them by ``Table.add_columns``. All are NULL until the file was read for them."""

IS_DESCRIBED = f"{IS_PHOTO} AND words IS NOT NULL"
IS_UNDESCRIBED = f"{IS_PHOTO} AND words IS NULL"


def schema(dimension: int) -> Any:
    """Return the schema of a table whose embeddings have this length."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("id", pa.int64(), nullable=False),
            pa.field("path", pa.string()),
            pa.field("folder", pa.string()),
            pa.field("size", pa.int64()),
            pa.field("mtime_ns", pa.int64()),
            pa.field("version", pa.string()),
            pa.field("source", pa.string()),
            pa.field("digest", pa.binary()),
            pa.field("width", pa.int32()),
            pa.field("height", pa.int32()),
            pa.field("added", pa.float64()),
            pa.field("picture_hash", pa.binary()),
            pa.field("embedding", pa.list_(pa.float16(), dimension)),
            pa.field("reason", pa.string()),
            pa.field("state", pa.string()),
            *(pa.field(name, pa.binary() if name == "colors" else pa.string()) for name in DESCRIPTION),
        ]
    )


@dataclass(frozen=True)
class Snapshot:
    """A library's table at one version.

    Attributes:
        dataset: The Lance dataset, checked out at this version.
        version: Its number; it grows with every commit.
        state: The library's state.
    """

    dataset: Any
    version: int
    state: State

    @property
    def metadata(self) -> LibraryMetadata:
        """The library's metadata."""
        return self.state.metadata(self.version)

    @property
    def has_descriptions(self) -> bool:
        """Whether the table has the columns ``DESCRIPTION``."""
        return "words" in self.dataset.schema.names

    def rows(self, columns: Sequence[str], filter: str | None = None) -> Any:
        """Return columns of the rows that match a filter, as an Arrow table."""
        return self.dataset.to_table(columns=list(columns), filter=filter)


@dataclass(frozen=True)
class Change:
    """What a commit does.

    Attributes:
        state: The library's state from then on.
        fragments: Fragments to add, as JSON from ``write_rows``.
        drop: Ids of rows to remove.
    """

    state: State
    fragments: Sequence[str] = ()
    drop: Collection[int] = field(default_factory=tuple)


class Table:
    """The table of a library.

    Args:
        library: The library's folder: a path or a URI.
    """

    def __init__(self, library: str) -> None:
        self.library = library
        self.uri = f"{library}/{LANCE_TABLE}"

    def exists(self) -> bool:
        """Return whether there is a table."""
        try:
            self.latest()
        except LibraryNotFoundError:
            return False
        return True

    def create(self, state: State) -> None:
        """Create the table, unless another process has just done so."""
        import lance

        with storage_errors(self.library):
            try:
                lance.write_dataset(_state_row(state), self.uri, mode="create", data_storage_version="2.1")
            except OSError:
                if not self.exists():
                    raise

    def latest(self) -> Snapshot:
        """Return the latest version.

        Raises:
            LibraryNotFoundError: There is no table.
            LibraryCorruptError: It has no state.
            StorageError: The storage cannot be used.
        """
        import lance

        with storage_errors(self.library):
            try:
                dataset = lance.dataset(self.uri, session=session())
            except (ValueError, OSError) as error:
                if "not found" not in str(error).lower():
                    raise
                dataset = None
            if dataset is not None:
                return self._snapshot(dataset)
        raise LibraryNotFoundError(
            "there is no library.",
            subject=self.library,
            remedy=f"Create it: sketchseek index DIR --library {self.library}",
        )

    def refreshed(self, snapshot: Snapshot) -> Snapshot:
        """Return the latest version: the same snapshot if nothing was committed."""
        with storage_errors(self.library):
            if snapshot.dataset.latest_version == snapshot.version:
                return snapshot
        return self.latest()

    def commit(self, change: Callable[[Snapshot], Change | None]) -> Snapshot:
        """Commit a change atomically, and return the version with it.

        Args:
            change: Returns what to change, given the latest version; None for nothing. It is called again if another
                process commits first.

        Raises:
            LibraryLockedError: Others committed first, ``TRIES`` times.
        """
        import lance
        from lance.commit import CommitConflictError

        for attempt in range(TRIES):
            snapshot = self.latest()
            wanted = change(snapshot)
            if wanted is None:
                return snapshot
            with storage_errors(self.library):
                operation = self._operation(snapshot, wanted)
                try:
                    dataset = lance.LanceDataset.commit(self.uri, operation, read_version=snapshot.version)
                    return self._snapshot(dataset)
                except CommitConflictError:
                    time.sleep(random.uniform(0, min(2.0, 0.05 * 2**attempt)))
        raise LibraryLockedError(
            "other processes changed it all the time.", subject=self.library, remedy="Try again when they are done."
        )

    def add_columns(self) -> None:
        """Add the columns that a table of an earlier version lacks. They are NULL in every row."""
        import pyarrow as pa
        from lance.commit import CommitConflictError

        for _ in range(TRIES):
            snapshot = self.latest()
            missing = [
                one for one in schema(snapshot.state.dimensions) if one.name not in snapshot.dataset.schema.names
            ]
            if not missing:
                return
            with storage_errors(self.library), suppress(CommitConflictError):
                snapshot.dataset.add_columns(pa.schema(missing))

    def write_rows(self, rows: Any) -> list[str]:
        """Write an Arrow table of rows to new fragments, and return them as JSON. They count once committed."""
        from lance.fragment import write_fragments

        with storage_errors(self.library):
            written = write_fragments(rows, self.uri, schema=rows.schema, data_storage_version="2.1")
            return [json.dumps(one.to_json()) for one in written]

    def bytes(self) -> int:
        """Return the size of the table's files, with those of old versions."""
        if is_uri(self.uri):
            return sum(found.size for found in list_objects(self.uri))
        return sum(file.stat().st_size for file in Path(self.uri).rglob("*") if file.is_file())

    def _operation(self, snapshot: Snapshot, change: Change) -> Any:
        from lance import FragmentMetadata, LanceOperation

        rows = _state_row(change.state)
        new = [FragmentMetadata.from_json(text) for text in (*change.fragments, *self.write_rows(rows))]
        removed, updated = [], []
        for fragment, ids in _fragments_of(snapshot, {STATE_ID, *change.drop}).items():
            listed = ", ".join(map(str, sorted(ids)))
            left = snapshot.dataset.get_fragment(fragment).delete(f"id IN ({listed})")
            if left is None:
                removed.append(fragment)
            else:
                updated.append(left)
        return LanceOperation.Update(removed_fragment_ids=removed, updated_fragments=updated, new_fragments=new)

    def _snapshot(self, dataset: Any) -> Snapshot:
        # The latest commit wrote the state last, so that it is found at once; a compaction may have moved it.
        for fragment in sorted(dataset.get_fragments(), key=lambda one: -one.fragment_id):
            found = fragment.to_table(columns=["state"], filter=f"id = {STATE_ID}")["state"].to_pylist()
            if found:
                return Snapshot(dataset, int(dataset.version), State.parse(found[0], self.library))
        raise LibraryCorruptError(
            "its state is missing.", subject=self.library, remedy="Restore an earlier version of its table."
        )


def _fragments_of(snapshot: Snapshot, ids: Collection[int]) -> dict[int, list[int]]:
    """Return the ids by the fragment that they are in."""
    listed = ", ".join(map(str, sorted(ids)))
    found = snapshot.dataset.to_table(columns=["id"], filter=f"id IN ({listed})", with_row_address=True)
    fragments: dict[int, list[int]] = defaultdict(list)
    for one, address in zip(found["id"].to_pylist(), found["_rowaddr"].to_pylist(), strict=True):
        fragments[address >> 32].append(one)
    return fragments


def _state_row(state: State) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist([{"id": STATE_ID, "state": state.to_json()}], schema=schema(state.dimensions))
