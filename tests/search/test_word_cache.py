"""Words are searched once while strokes are drawn, and again after the library has changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from search.painted import TRIANGLE, Paint
from sketchseek.search import word_cache
from sketchseek.search.catalog import Catalog
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.library import Library


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that the catalog is asked for."""
    found: list[str] = []

    def recorded(method: Callable[..., object]) -> Callable[..., object]:
        def call(self: Catalog, text: str, **options: object) -> object:
            found.append(text)
            return method(self, text, **options)

        return call

    for name in ("match_text", "ids_with_words"):
        monkeypatch.setattr(Catalog, name, recorded(getattr(Catalog, name)))
    return found


@pytest.mark.parametrize("mode", ["rank", "require"])
def test_the_same_words_are_searched_once_until_the_library_changes(
    library: Library, paint: Paint, asked: list[str], mode: str
) -> None:
    def search(stroke: int) -> list[str]:
        sketch = [*TRIANGLE, [[stroke, 90], [stroke, 9]]]
        query = Query((Example(sketch=sketch),), text="even", text_mode=mode)  # type: ignore[arg-type]
        return sorted(one.path.name for one in library.search_query(query, 100) if "even" in str(one.path.parent))

    before = search(1)
    assert before
    assert [search(stroke) for stroke in range(2, 5)] == [before] * 3
    assert asked == ["even"]
    paint("even/new.jpg", 8)
    library.sync()
    assert search(5) == sorted([*before, "new.jpg"])
    assert asked == ["even"] * 2


def test_the_cache_stays_small(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_cache, "CACHED", 2)
    monkeypatch.setattr(library._engine, "_words", word_cache.WordCache())
    for text in ("even", "odd", "jpg", "even"):
        found = library.search_query(Query(text=text), 100)
        assert all(text in str(one.path) for one in found)
    cache = library._engine._words  # type: ignore[attr-defined]
    assert len(cache._matches) <= 2
