"""What recent texts match, cached while the catalog does not change: each stroke beside words asks for them again."""

from __future__ import annotations

from sketchseek.search.catalog import Catalog, TextMatch
from sketchseek.search.index.protocol import Ids
from sketchseek.search.recent_cache import RecentCache

CACHED = 8
"""Maximum number of texts in each cache."""


class WordCache:
    """Caches text searches. ``changes`` is the catalog's change counter."""

    def __init__(self) -> None:
        self._matches: RecentCache[tuple[str, int | None, int], list[TextMatch]] = RecentCache(CACHED)
        self._ids: RecentCache[tuple[str, int], Ids] = RecentCache(CACHED)

    def matches(self, catalog: Catalog, text: str, changes: int, *, enough: int | None = None) -> list[TextMatch]:
        """See ``Catalog.match_text``."""
        return self._matches.get((text, enough, changes), lambda: catalog.match_text(text, enough=enough))

    def ids(self, catalog: Catalog, text: str, changes: int) -> Ids:
        """See ``Catalog.ids_with_words``."""
        return self._ids.get((text, changes), lambda: catalog.ids_with_words(text))
