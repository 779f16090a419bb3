"""Which photos a search may find: those of a folder, those of a time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from sketchseek.errors import InputError
from sketchseek.search.catalog import Catalog, path_range
from sketchseek.search.index.protocol import Ids
from sketchseek.search.scan import from_user

CACHED = 16
"""Bounds whose ids are kept."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64 = 2**63


@dataclass(frozen=True)
class Filter:
    """Bounds on the photos that a search may find.

    Attributes:
        folder: Only photos in this folder and below it: an absolute path, or None.
        after: Only photos whose file time is this one or later, in nanoseconds since 1970, or None.
        before: Only photos whose file time is earlier, or None.
    """

    folder: bytes | None = None
    after: int | None = None
    before: int | None = None

    @classmethod
    def of(
        cls,
        folder: str | os.PathLike[str] | None = None,
        after: datetime | None = None,
        before: datetime | None = None,
    ) -> Filter:
        """From what users give; a time without a zone is local time.

        Raises:
            InputError: ``after`` is not before ``before``.
        """
        if after is not None and before is not None and _nanoseconds(after) >= _nanoseconds(before):
            raise InputError(
                f"no time is after {after.isoformat()} and before {before.isoformat()}.",
                remedy="Give the earlier time as after, the later one as before.",
            )
        return cls(
            None if folder is None else from_user(folder),
            None if after is None else _nanoseconds(after),
            None if before is None else _nanoseconds(before),
        )

    def __bool__(self) -> bool:
        return self != Filter()

    def ids(self, catalog: Catalog) -> Ids:
        """Ids of the photos within the bounds, ascending."""
        if self.after is None and self.before is None:
            return catalog.ids(self.folder)
        where, values = ["mtime_ns >= ?", "mtime_ns < ?"], [self.after, self.before]
        bounds = [(text, value) for text, value in zip(where, values, strict=True) if value is not None]
        sql = f"SELECT id FROM photos WHERE {' AND '.join(text for text, _ in bounds)}"
        arguments: list[bytes | int] = [value for _, value in bounds]
        if self.folder is not None:
            sql += " AND (path = ? OR (path >= ? AND path < ?))"
            arguments += [self.folder, *path_range(self.folder)]
        rows = catalog.execute(f"{sql} ORDER BY id", *arguments)
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))


class FilterCache:
    """Ids within the bounds that were searched lately, for as long as the catalog does not change."""

    def __init__(self) -> None:
        self._ids: dict[tuple[Filter, int], Ids] = {}

    def ids(self, catalog: Catalog, within: Filter, changes: int) -> Ids:
        """Ids within the bounds; ``changes`` is the catalog's."""
        key = (within, changes)
        if key not in self._ids:
            if len(self._ids) >= CACHED:
                self._ids.clear()
            self._ids[key] = within.ids(catalog)
        return self._ids[key]


def _nanoseconds(when: datetime) -> int:
    # Not timestamp(): its float has no room for nanoseconds, and local times far from now raise on some systems.
    try:
        since = when.astimezone(UTC) - _EPOCH
    except (OverflowError, OSError, ValueError) as error:
        raise InputError(f"{when.isoformat()}: a time that this system cannot place ({error}).") from error
    return max(-_INT64, min(_INT64 - 1, since // timedelta(microseconds=1) * 1000))
