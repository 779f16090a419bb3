"""What recent texts match, cached while the catalog does not change: each stroke beside words asks for them again."""

from __future__ import annotations

from sketchseek.search.catalog import Catalog, TextMatch
from sketchseek.search.index.protocol import Ids

CACHED = 8
"""Maximum number of texts in each cache."""


class WordCache:
    """Caches text searches. ``changes`` is the catalog's change counter."""

    def __init__(self) -> None:
        self._matches: dict[tuple[str, int | None, int], list[TextMatch]] = {}
        self._ids: dict[tuple[str, int], Ids] = {}

    def matches(self, catalog: Catalog, text: str, changes: int, *, enough: int | None = None) -> list[TextMatch]:
        """See ``Catalog.match_text``."""
        key = (text, enough, changes)
        if key not in self._matches:
            if len(self._matches) >= CACHED:
                self._matches.clear()
            self._matches[key] = catalog.match_text(text, enough=enough)
        return self._matches[key]

    def ids(self, catalog: Catalog, text: str, changes: int) -> Ids:
        """See ``Catalog.ids_with_words``."""
        key = (text, changes)
        if key not in self._ids:
            if len(self._ids) >= CACHED:
                self._ids.clear()
            self._ids[key] = catalog.ids_with_words(text)
        return self._ids[key]
