"""Values are made once while they are cached, and a full cache starts anew."""

from __future__ import annotations

from sketchseek.search.recent_cache import RecentCache


def test_a_value_is_made_once_until_the_cache_is_full() -> None:
    made: list[str] = []
    cache: RecentCache[str, str] = RecentCache(2)

    def get(key: str) -> str:
        return cache.get(key, lambda: made.append(key) or key.upper())  # type: ignore[func-returns-value]

    assert [get(key) for key in "abab"] == ["A", "B", "A", "B"]
    assert made == ["a", "b"]
    assert get("c") == "C"  # the cache was full
    assert get("a") == "A"
    assert made == ["a", "b", "c", "a"]
