"""Words and colors of photos in a library in Lance, as columns of its table.

The column ``words`` has all words of a photo as one text, for Lance's indexes: with a space before and after each, and
a bar between the places where they stand (``photo_words.COLUMNS``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from sketchseek.cluster.sources import lies_in
from sketchseek.cluster.table import DESCRIPTION, IS_DESCRIBED, Snapshot
from sketchseek.photo_metadata import PhotoMetadata
from sketchseek.search.catalog import Description
from sketchseek.search.catalog.memory_words import MemoryWords
from sketchseek.search.photo_words import metadata_words, path_words

_BAR = " | "


def description_columns(path: str, folders: Iterable[str], description: Description) -> dict[str, Any]:
    """Return the columns ``table.DESCRIPTION`` of a photo.

    Args:
        path: Its path or URI.
        folders: The library's folders: the words of a photo's folders count from there on.
        description: What its file says.
    """
    every = [*_path_words(path, folders), *metadata_words(description.metadata)]
    words = f" {_BAR.join(' '.join(some) for some in every)} "
    return {**asdict(description.metadata), "colors": description.colors or None, "words": words}


def description_of(row: dict[str, Any]) -> Description | None:
    """Return what the columns of a row say, or None if the photo's file was not read for them."""
    if row.get("words") is None:
        return None
    metadata = PhotoMetadata(*(row[name] or "" for name in DESCRIPTION[:5]))
    return Description(metadata, row["colors"] or b"", row["picture_hash"] or b"")


def columns_of(words: str) -> Sequence[str]:
    """Return the words of a photo by column, from the text that the table has."""
    return [column.strip() for column in words.split("|")]


def update_words(known: MemoryWords, snapshot: Snapshot, within: str = IS_DESCRIBED) -> None:
    """Make words in memory those of a version: an id's words never change once they are there."""
    rows = snapshot.rows(["id", "words"], within).to_pydict() if snapshot.has_descriptions else {"id": [], "words": []}
    there = known.photos
    new = ((one, columns_of(words)) for one, words in zip(rows["id"], rows["words"], strict=True) if one not in there)
    known.update(new, there.difference(rows["id"]))


def _path_words(path: str, folders: Iterable[str]) -> Collection[list[str]]:
    folder, _, name = path.rpartition("/")
    for root in sorted(folders, key=len):
        if lies_in(folder, root):
            return path_words(name, folder[len(root.rpartition("/")[0]) :])
    return path_words(name, folder.rpartition("://")[2])
