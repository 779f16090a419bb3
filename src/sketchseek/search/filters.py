"""The photos that a filter allows, cached while the catalog does not change."""

from __future__ import annotations

from sketchseek.search.catalog import Catalog, PhotoFilter
from sketchseek.search.index.protocol import Ids

CACHED = 16
"""Maximum number of filters in the cache."""


class FilterCache:
    """Caches the photo ids that recent filters allow."""

    def __init__(self) -> None:
        self._ids: dict[tuple[PhotoFilter, int], Ids] = {}

    def ids(self, catalog: Catalog, filter: PhotoFilter, changes: int) -> Ids:
        """Return the ids that match a filter, ascending. ``changes`` is the catalog's change counter."""
        key = (filter, changes)
        if key not in self._ids:
            if len(self._ids) >= CACHED:
                self._ids.clear()
            self._ids[key] = catalog.ids_matching(filter)
        return self._ids[key]
