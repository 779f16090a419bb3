"""Facts about a library as a whole: its model, its index snapshot and its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, get_args

from sketchseek.errors import LibraryCorruptError
from sketchseek.models.package import Distance
from sketchseek.search.catalog.database import Database


@dataclass(frozen=True)
class LibraryMetadata:
    """Facts about a library.

    Attributes:
        model: Name of a bundled model, or the absolute path of a model package.
        name: The model's name in its manifest.
        fingerprint: Identity of the embedding space.
        embedding: Length of an embedding.
        distance: ``cosine`` or ``euclidean``.
        changes: Counter that grows with every transaction.
        snapshot: Record of the index snapshot on disk; empty if there is none.
        staged_fingerprint: Fingerprint of the model of an unfinished re-embed; empty if there is none.
    """

    model: str
    name: str
    fingerprint: str
    embedding: int
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
    """

    revision: int
    last_id: int
    last_removal: int
    floor: int


class MetadataTable(Database):
    """The table ``meta``."""

    def metadata(self) -> LibraryMetadata:
        """Return the library's metadata.

        Raises:
            LibraryCorruptError: A value is missing or invalid.
        """
        values = dict(self._rows("SELECT key, value FROM meta"))
        try:
            distance = values["distance"]
            if distance not in get_args(Distance):
                raise ValueError(f"distance {distance!r}")
            return LibraryMetadata(
                model=values["model"],
                name=values["name"],
                fingerprint=values["fingerprint"],
                embedding=int(values["embedding"]),
                distance=cast(Distance, distance),
                changes=int(values["changes"]),
                snapshot=values.get("snapshot", ""),
                staged_fingerprint=values.get("staged_fingerprint", ""),
            )
        except (KeyError, ValueError) as error:
            raise LibraryCorruptError(
                f"the library's metadata is missing or invalid ({error}).",
                subject=self.path,
                remedy="Restore it from a backup, or delete the library's folder and index again.",
            ) from error

    def set_model(self, metadata: LibraryMetadata) -> None:
        """Record which model the embeddings are from. Call inside a ``transaction``."""
        self._set_meta(
            model=metadata.model,
            name=metadata.name,
            fingerprint=metadata.fingerprint,
            embedding=metadata.embedding,
            distance=metadata.distance,
        )

    def set_snapshot(self, record: str) -> None:
        """Record the current index snapshot. Call inside a ``transaction``."""
        self._set_meta(snapshot=record)

    def state(self) -> CatalogState:
        """Return the catalog's state."""
        sequence = dict(self._rows("SELECT name, seq FROM sqlite_sequence"))
        values = dict(self._rows("SELECT key, value FROM meta WHERE key IN ('revision', 'removals_floor')"))
        return CatalogState(
            revision=int(values["revision"]),
            last_id=sequence.get("photos", 0),
            last_removal=sequence.get("removals", 0),
            floor=int(values["removals_floor"]),
        )

    def _set_meta(self, **values: str | int) -> None:
        for key, value in values.items():
            self._do("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, str(value))
