"""What XMP sidecars say about photos; see ``sketchseek.search.sidecars``.

It is kept apart from what the photo's own file says, so that a sidecar that changes or vanishes changes only its own.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

from sketchseek.photo_metadata import PhotoMetadata
from sketchseek.search.catalog.checksums import row_checksum
from sketchseek.search.catalog.metadata import MetadataTable
from sketchseek.search.catalog.schema import SIDECAR

NO_SIDECAR = "- -"
"""The stamp of a photo without a sidecar."""


@dataclass(frozen=True)
class Sidecar:
    """What a photo's sidecars say.

    Attributes:
        stamp: Size and file time of both files that may be one; ``ScanTables.changed_sidecars`` makes it.
        metadata: Their texts.
    """

    stamp: str
    metadata: PhotoMetadata


class SidecarTable(MetadataTable):
    """The table ``sidecars``."""

    def sidecar_of(self, photo: int) -> Sidecar | None:
        """Return what a photo's sidecars say. A damaged row counts as none: the next update reads the files."""
        rows = self._rows(f"SELECT {SIDECAR} FROM sidecars WHERE id = ? AND checksum IS row_checksum({SIDECAR})", photo)
        return Sidecar(rows[0][1], PhotoMetadata(*rows[0][2:])) if rows else None

    def _set_sidecar(self, photo: int, sidecar: Sidecar | None) -> None:
        if sidecar is None:
            self._do("DELETE FROM sidecars WHERE id = ?", photo)
            return
        values = (photo, sidecar.stamp, *astuple(sidecar.metadata))
        self._do(
            "INSERT OR REPLACE INTO sidecars VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *values,
            row_checksum(*values),
        )

    def damaged_sidecars(self) -> list[int]:
        """Return the ids of photos whose sidecars' words do not match their checksum."""
        rows = self._rows(f"SELECT id FROM sidecars WHERE checksum IS NOT row_checksum({SIDECAR})")
        return [int(row[0]) for row in rows]
