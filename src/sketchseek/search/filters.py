"""The photos that a filter allows, cached while the catalog does not change."""

from __future__ import annotations

from sketchseek.search.catalog import Catalog, PhotoFilter
from sketchseek.search.index.protocol import Ids
from sketchseek.search.recent_cache import RecentCache

CACHED = 16
"""Maximum number of filters in the cache."""


class FilterCache:
    """Caches the photo ids that recent filters allow."""

    def __init__(self) -> None:
        self._ids: RecentCache[tuple[PhotoFilter, int], Ids] = RecentCache(CACHED)

    def ids(self, catalog: Catalog, filter: PhotoFilter, changes: int) -> Ids:
        """Return the ids that match a filter, ascending. ``changes`` is the catalog's change counter."""
        return self._ids.get((filter, changes), lambda: catalog.ids_matching(filter))
