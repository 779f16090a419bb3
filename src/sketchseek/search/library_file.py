"""``library.json``: what a library is, outside of its catalog.

It marks the folder as a library: if the catalog is missing, that is damage, and no new library is started over it. And
it keeps what ``repair`` needs and photos cannot tell: the model, the folders, and the excluded paths.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from sketchseek.atomic_write import atomic_write
from sketchseek.file_digest import read_at_most
from sketchseek.models.package import Distance
from sketchseek.search.catalog import Catalog, LibraryMetadata
from sketchseek.search.scan_rules import ScanRules

FILE = "library.json"
_MAX_BYTES = 100_000_000


@dataclass(frozen=True)
class LibraryFile:
    """Content of a library's file.

    Attributes:
        model, name, fingerprint, dimensions, distance: See ``LibraryMetadata``.
        folders: Folders that ``sync`` visits.
        excluded: Paths in them that it skips.
        exclude, follow_symlinks, hidden: See ``ScanRules``.
    """

    model: str
    name: str
    fingerprint: str
    dimensions: int
    distance: Distance
    folders: list[str]
    excluded: list[str]
    exclude: list[str]
    follow_symlinks: bool
    hidden: bool

    @property
    def rules(self) -> ScanRules:
        """What scans skip."""
        return ScanRules(tuple(self.exclude), self.follow_symlinks, self.hidden)

    @property
    def metadata(self) -> LibraryMetadata:
        """What a new catalog records about the model."""
        return LibraryMetadata(self.model, self.name, self.fingerprint, self.dimensions, self.distance)


def read(library: Path) -> LibraryFile | None:
    """Read a library's file, or return None if it is missing or damaged."""
    try:
        data = json.loads(read_at_most(library / FILE, _MAX_BYTES))
        if data.pop("sha256") != _checksum(data):
            return None
        return LibraryFile(**data)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def update(library: Path, catalog: Catalog) -> None:
    """Write a library's file if it is not what the catalog says.

    Raises:
        OSError: The folder cannot be written to, or the disk is full.
    """
    metadata, rules = catalog.metadata(), catalog.scan_rules()
    now = LibraryFile(
        metadata.model,
        metadata.name,
        metadata.fingerprint,
        metadata.dimensions,
        metadata.distance,
        [os.fsdecode(path) for path in catalog.roots()],
        [os.fsdecode(path) for path in catalog.excluded()],
        list(rules.exclude),
        rules.follow_symlinks,
        rules.hidden,
    )
    if read(library) != now:
        data = asdict(now)
        # ASCII: names that are not valid text become escapes that read back as the same name.
        atomic_write(library / FILE, json.dumps(data | {"sha256": _checksum(data)}, indent=1) + "\n")


def _checksum(data: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
