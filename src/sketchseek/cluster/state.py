"""The state of a library in Lance: everything that is not about one photo, as JSON in one row of its table."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import get_args

from sketchseek.errors import LibraryCorruptError
from sketchseek.models.package import Distance
from sketchseek.search.catalog import LibraryMetadata
from sketchseek.search.scan_rules import ScanRules

FORMAT = 1


@dataclass(frozen=True)
class State:
    """State of a library.

    Attributes:
        model, name, fingerprint, dimensions, distance: See ``LibraryMetadata``.
        folders: Paths and URIs that ``sync`` visits.
        excluded: Paths and URIs in them that it skips.
        exclude, follow_symlinks, hidden: See ``ScanRules``.
        probes: Clusters of the index that a search visits, as measured when it was built.
        trained: Number of photos when the index was built.
        parts: Number of parts that the index was built in.
        next_id: The lowest id that no photo was given.
        format: Version of this format.
    """

    model: str
    name: str
    fingerprint: str
    dimensions: int
    distance: Distance
    folders: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    follow_symlinks: bool = False
    hidden: bool = False
    probes: int = 32
    trained: int = 0
    parts: int = 1
    next_id: int = 1
    format: int = FORMAT

    @classmethod
    def new(cls, metadata: LibraryMetadata) -> State:
        """Return the state of an empty library."""
        return cls(metadata.model, metadata.name, metadata.fingerprint, metadata.dimensions, metadata.distance)

    @property
    def rules(self) -> ScanRules:
        """What scans skip."""
        return ScanRules(self.exclude, self.follow_symlinks, self.hidden)

    def metadata(self, version: int) -> LibraryMetadata:
        """Return the metadata of the library at a version of its table."""
        return LibraryMetadata(self.model, self.name, self.fingerprint, self.dimensions, self.distance, version)

    def to_json(self) -> str:
        """Return the state as text for ``parse``."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str, library: str) -> State:
        """Return the state from its text.

        Raises:
            LibraryCorruptError: It is none, or one of a newer version.
        """
        try:
            values = json.loads(text)
            if values["format"] > FORMAT:
                raise LibraryCorruptError(
                    f"its format {values['format']} is newer than this version of sketchseek.",
                    subject=library,
                    remedy="Update sketchseek.",
                )
            for name in ("folders", "excluded", "exclude"):
                values[name] = tuple(map(str, values[name]))
            state = cls(**values)
            if state.distance not in get_args(Distance) or int(state.dimensions) < 1 or int(state.next_id) < 1:
                raise ValueError("a value is out of range")
            return state
        except (ValueError, TypeError, KeyError) as error:
            raise LibraryCorruptError(
                f"its state cannot be read ({error}).",
                subject=library,
                remedy="Restore an earlier version of its table.",
            ) from error
