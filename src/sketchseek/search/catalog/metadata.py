"""Facts about a library as a whole: its model, its index snapshot and its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, get_args

from sketchseek.models.package import Distance
from sketchseek.search.catalog.checksums import row_checksum
from sketchseek.search.catalog.database import Database


@dataclass(frozen=True)
class LibraryMetadata:
    """Facts about a library.

    Attributes:
        model: Name of a bundled model, or the absolute path of a model package.
        name: The model's name in its manifest.
        fingerprint: Identity of the embedding space.
        dimensions: Length of an embedding.
        distance: ``cosine`` or ``euclidean``.
        changes: Counter that grows with every transaction.
        snapshot: Record of the index snapshot on disk; empty if there is none.
        staged_fingerprint: Fingerprint of the model of an unfinished re-embed; empty if there is none.
    """

    model: str
    name: str
    fingerprint: str
    dimensions: int
    distance: Distance
    changes: int = 0
    snapshot: str = ""
    staged_fingerprint: str = ""


@dataclass(frozen=True)
class CatalogState:
    """State of the catalog, for readers that mirror it.

    Attributes:
        revision: Grows when every embedding is replaced.
        last_id: Highest id ever given.
        last_removal: Number of the latest removal.
        floor: Removals up to this one were dropped from the record.
        moved: The change counter when a photo last got another path or time.
    """

    revision: int
    last_id: int
    last_removal: int
    floor: int
    moved: int = 0

    def leads_to(self, later: CatalogState) -> bool:
        """Return whether the catalog still tells what was added and removed from this state to a later one."""
        return (
            self.revision == later.revision
            and self.last_id <= later.last_id
            and later.floor <= self.last_removal <= later.last_removal
        )


class MetadataTable(Database):
    """The table ``meta``."""

    _moved = False  # whether a photo got another path or time in the transaction

    def metadata(self) -> LibraryMetadata:
        """Return the library's metadata.

        Raises:
            LibraryCorruptError: A value is missing or invalid.
        """
        values = self._values()
        try:
            distance = values["distance"]
            if distance not in get_args(Distance):
                raise ValueError(f"distance {distance!r}")
            return LibraryMetadata(
                model=values["model"],
                name=values["name"],
                fingerprint=values["fingerprint"],
                dimensions=int(values["dimensions"]),
                distance=cast(Distance, distance),
                changes=int(values["changes"]),
                snapshot=values.get("snapshot", ""),
                staged_fingerprint=values.get("staged_fingerprint", ""),
            )
        except (KeyError, ValueError) as error:
            raise self.corrupt(f"the library's metadata is missing or invalid ({error}).") from error

    def set_model(self, metadata: LibraryMetadata) -> None:
        """Record which model the embeddings are from. Call inside a ``transaction``."""
        self._set_meta(
            model=metadata.model,
            name=metadata.name,
            fingerprint=metadata.fingerprint,
            dimensions=metadata.dimensions,
            distance=metadata.distance,
        )

    def set_snapshot(self, record: str) -> None:
        """Record the current index snapshot. Call inside a ``transaction``."""
        self._set_meta(snapshot=record)

    def state(self) -> CatalogState:
        """Return the catalog's state."""
        values = self._values()
        sequence = self._sequence()
        try:
            # A transaction records its counters when it ends.
            if not self._writing and sequence != (int(values["last_id"]), int(values["last_removal"])):
                raise self.corrupt("damaged (the counters of ids disagree).")
            return CatalogState(
                int(values["revision"]), *sequence, int(values["removals_floor"]), int(values.get("moved", 0))
            )
        except (KeyError, ValueError) as error:
            raise self.corrupt(f"the library's metadata is missing or invalid ({error}).") from error

    def _sequence(self) -> tuple[int, int]:
        """Return the highest id and the highest removal that were ever given."""
        found = dict(self._rows("SELECT name, seq FROM sqlite_sequence"))
        return found.get("photos", 0), found.get("removals", 0)

    def _values(self) -> dict[str, str]:
        """Return the whole table, compared with its checksum."""
        values = dict(self._rows("SELECT key, value FROM meta"))
        if values.pop("checksum", "") != _seal(values):
            raise self.corrupt("damaged (the library's metadata does not match its checksum).")
        return values

    def _before_commit(self) -> None:
        """Count the change, and record the highest ids."""
        last_id, last_removal = self._sequence()
        changes = int(self._one("SELECT value FROM meta WHERE key = 'changes'")) + 1
        self._set_meta(changes=changes, last_id=last_id, last_removal=last_removal)
        if self._moved:
            self._set_meta(moved=changes)
            self._moved = False

    def _fingerprint(self) -> str:
        """Return the fingerprint that the checksums of embeddings include."""
        return str(self._one("SELECT value FROM meta WHERE key = 'fingerprint'"))

    def _set_meta(self, **values: str | int) -> None:
        for key, value in values.items():
            self._do("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, str(value))
        every = dict(self._rows("SELECT key, value FROM meta WHERE key != 'checksum'"))
        self._do("INSERT OR REPLACE INTO meta VALUES ('checksum', ?)", _seal(every))


def _seal(values: dict[str, str]) -> str:
    return str(row_checksum(*(part for item in sorted(values.items(), key=str) for part in item)))
