"""Filters as conditions on the rows of a table: in SQL for Lance, and as a mask of an Arrow table in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sketchseek.cluster.storage import normalized
from sketchseek.search.catalog.folder_text import fold
from sketchseek.search.params import Filter


@dataclass(frozen=True)
class Condition:
    """Which photos a search may return. Conditions combine with AND.

    Attributes:
        folder: Path or URI; photos in it and below it.
        after, before: File times in nanoseconds since 1970: ``after`` is included, ``before`` is not.
        contains: Part of the path of a photo's folder, ignoring case.
        text: Words that a photo must have. They are no part of ``sql`` and ``mask``: the gallery searches them.
    """

    folder: str | None = None
    after: int | None = None
    before: int | None = None
    contains: str | None = None
    text: str | None = None

    @classmethod
    def of(cls, filter: Filter, text: str | None = None) -> Condition | None:
        """Return the condition of a filter, whose folder may be a URI, and of required words; None if there is none."""
        if not filter and text is None:
            return None
        stored = replace(filter, folder=None).in_catalog()
        folder = None if filter.folder is None else normalized(filter.folder)
        return cls(folder, stored.after, stored.before, stored.folder_contains, text)

    def named(self, folders: Iterable[str]) -> list[str]:
        """Return those of some folders whose paths contain the text."""
        wanted = fold(self.contains or "")
        return [folder for folder in folders if wanted in fold(folder)]

    def sql(self, folders: Iterable[str]) -> str:
        """Return the condition in SQL, given all folders that have photos."""
        parts = []
        if self.folder is not None:
            low, high = _range(self.folder)
            parts.append(f"(path = {sql_text(self.folder)} OR (path >= {sql_text(low)} AND path < {sql_text(high)}))")
        if self.after is not None:
            parts.append(f"mtime_ns >= {self.after}")
        if self.before is not None:
            parts.append(f"mtime_ns < {self.before}")
        if self.contains is not None:
            named = self.named(folders)
            parts.append(f"folder IN ({', '.join(map(sql_text, named))})" if named else "false")
        return " AND ".join(parts) or "true"

    def mask(self, table: Any) -> Any:
        """Return which rows of an Arrow table meet the condition, as a boolean array."""
        import pyarrow as pa
        import pyarrow.compute as pc

        mask = pa.chunked_array([pa.array([True] * len(table), pa.bool_())])
        if self.folder is not None:
            inside = pc.starts_with(table["path"], pattern=_range(self.folder)[0])
            mask = pc.and_(mask, pc.or_(inside, pc.equal(table["path"], self.folder)))
        if self.after is not None:
            mask = pc.and_(mask, pc.greater_equal(table["mtime_ns"], self.after))
        if self.before is not None:
            mask = pc.and_(mask, pc.less(table["mtime_ns"], self.before))
        if self.contains is not None:
            named = self.named(pc.unique(table["folder"]).to_pylist())
            mask = pc.and_(mask, pc.is_in(table["folder"], value_set=pa.array(named, pa.string())))
        return mask


def _range(folder: str) -> tuple[str, str]:
    """Limits of the paths below a folder: from ``folder/`` up to, and without, ``folder0``, since 0 follows /."""
    stem = folder.rstrip("/")
    return f"{stem}/", f"{stem}0"


def sql_text(value: str) -> str:
    """Return a text as a literal of SQL."""
    return "'" + value.replace("'", "''") + "'"
