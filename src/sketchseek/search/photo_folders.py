"""The folders that hold a library's photos, and which of them a text names."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from sketchseek.search.catalog import Catalog
from sketchseek.search.catalog.folder_text import fold
from sketchseek.search.results import PhotoFolder
from sketchseek.search.scan import SEPARATOR


class FolderCounts:
    """Counts the photos of each folder; the counts are kept while the catalog does not change."""

    def __init__(self) -> None:
        self._changes = -1
        self._folders: list[PhotoFolder] = []

    def matching(self, catalog: Catalog, changes: int, text: str, limit: int) -> list[PhotoFolder]:
        """Return folders whose paths contain a text, ignoring case: first those whose own names do, then by path.

        Args:
            catalog: The catalog.
            changes: The catalog's change counter.
            text: Part of a path; "" matches every folder.
            limit: Maximum number of folders.
        """
        if self._changes != changes:
            self._folders = count_folders(catalog.paths().values())
            self._changes = changes
        wanted = fold(text)
        found = [one for one in self._folders if wanted in fold(str(one.path))]
        return sorted(found, key=lambda one: (wanted not in fold(one.path.name), one.path))[:limit]


def count_folders(paths: Iterable[bytes]) -> list[PhotoFolder]:
    """Return the folders of some photos, each with its number of photos, without those below it."""
    counts = Counter(path.rpartition(SEPARATOR)[0] or SEPARATOR for path in paths)
    return [PhotoFolder(Path(os.fsdecode(folder)), count) for folder, count in counts.items()]
