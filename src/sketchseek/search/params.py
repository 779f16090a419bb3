"""Search parameters: how many results, from which rank on, and from which photos."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sketchseek.errors import InputError
from sketchseek.search.catalog import PhotoFilter
from sketchseek.search.scan import from_user

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64 = 2**63


@dataclass(frozen=True)
class Filter:
    """Which photos a search may return. Conditions combine with AND; an empty filter allows every photo.

    Attributes:
        folder: Only photos in this folder and its subfolders.
        after: Only photos whose file was modified at this time or later. A time without a time zone is local time.
        before: Only photos whose file was modified before this time.
        folder_contains: Only photos whose folder's path contains this text, ignoring case.

    Raises:
        InputError: ``after`` is not earlier than ``before``, or the system cannot represent one of them.
    """

    folder: str | os.PathLike[str] | None = None
    after: datetime | None = None
    before: datetime | None = None
    folder_contains: str | None = None

    def __post_init__(self) -> None:
        if self.after is None or self.before is None:
            return
        if _nanoseconds(self.after) >= _nanoseconds(self.before):
            raise InputError(
                f"no time is after {self.after.isoformat()} and before {self.before.isoformat()}.",
                remedy="Give the earlier time as after, the later one as before.",
            )

    def __bool__(self) -> bool:
        return any(value is not None for value in (self.folder, self.after, self.before, self.folder_contains))

    def in_catalog(self) -> PhotoFilter:
        """The filter as the catalog takes it: an absolute path, and times in nanoseconds since 1970.

        Raises:
            InputError: The folder has characters that no path can have, or the system cannot represent a time.
        """
        return PhotoFilter(
            None if self.folder is None else from_user(self.folder),
            None if self.after is None else _nanoseconds(self.after),
            None if self.before is None else _nanoseconds(self.before),
            self.folder_contains,
        )


@dataclass(frozen=True)
class SearchParams:
    """Search parameters.

    Attributes:
        k: Maximum number of results.
        offset: Number of best results to skip, for paging.
        filter: Which photos may be returned.
        group_copies: Whether copies of one photo are one result; ``k`` and ``offset`` count groups then.

    Raises:
        InputError: ``k`` is below 1, or ``offset`` below 0.
    """

    k: int = 10
    offset: int = 0
    filter: Filter = field(default_factory=Filter)
    group_copies: bool = False

    def __post_init__(self) -> None:
        if self.k < 1:
            raise InputError(f"k is {self.k}; it must be at least 1.")
        if self.offset < 0:
            raise InputError(f"offset is {self.offset}; it must be at least 0.")


def _nanoseconds(when: datetime) -> int:
    # Not timestamp(): its float loses nanoseconds, and some systems raise on local times far from now.
    try:
        since = when.astimezone(UTC) - _EPOCH
    except (OverflowError, OSError, ValueError) as error:
        raise InputError(f"the system cannot represent this time ({error}).", subject=when.isoformat()) from error
    return max(-_INT64, min(_INT64 - 1, since // timedelta(microseconds=1) * 1000))
