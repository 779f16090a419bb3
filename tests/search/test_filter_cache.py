"""The cache of filters says what a fresh search in the catalog says, whatever happened since it was filled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from sketchseek.search import filter_cache
from sketchseek.search.catalog import Catalog, LibraryMetadata, PhotoFilter, Row
from sketchseek.search.filter_cache import FilterCache
from sketchseek.search.index.protocol import Ids

METADATA = LibraryMetadata("tiny", "tiny", "0123", 2, "cosine")
FILTERS = [
    PhotoFilter(folder=b"/a"),
    PhotoFilter(folder=b"/a/b"),
    PhotoFilter(after=20, before=60),
    PhotoFilter(after=70),
    PhotoFilter(folder_contains="B"),
    PhotoFilter(folder=b"/a", after=30),
    PhotoFilter(folder=b"/a", before=90, folder_contains="b"),
]


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """A catalog of 200 photos."""
    with closing(Catalog(tmp_path, create=METADATA)) as catalog:
        add(catalog, range(200))
        yield catalog


def add(catalog: Catalog, numbers: range) -> None:
    with catalog.transaction():
        for number in numbers:
            folder = ("/a", "/a/b", "/c")[number % 3]
            catalog.add(Row(f"{folder}/{number}".encode(), 1, number % 100, bytes([number % 7]), 1, 1, b"\0\0\0\0"))


def ids(catalog: Catalog, cache: FilterCache, one: PhotoFilter) -> Ids:
    with catalog.snapshot():
        return cache.ids(catalog, one, catalog.metadata().changes)


@pytest.mark.parametrize("looked_up", [0, 10_000])
def test_it_follows_the_catalog(catalog: Catalog, monkeypatch: pytest.MonkeyPatch, looked_up: int) -> None:
    monkeypatch.setattr(filter_cache, "LOOKED_UP", looked_up)
    cache = FilterCache()
    rng = np.random.default_rng(0)

    def change(step: int) -> None:
        if step == 0:
            return
        if step % 3 == 1:
            add(catalog, range(200 + 30 * step, 230 + 30 * step))
        with catalog.transaction():
            for photo, path in list(catalog.paths().items()):
                chance = rng.random()
                if chance < 0.05:
                    catalog.drop(path)
                elif chance < 0.1 and step % 2 == 0:
                    catalog.move(photo, b"/a/b/moved" + path.replace(b"/", b"-"), 1, int(rng.integers(100)))
        if step == 4:
            with catalog.transaction():
                catalog.forget_removals(catalog.state().last_removal)

    for step in range(8):
        change(step)
        for one in FILTERS:
            expected = catalog.ids_matching(one)
            found = ids(catalog, cache, one)
            assert found.dtype == np.int64
            assert found.tolist() == expected.tolist(), (step, one)
            assert len(found)


def test_what_does_not_concern_a_filter_leaves_its_array(catalog: Catalog) -> None:
    cache = FilterCache()
    first = ids(catalog, cache, PhotoFilter(folder=b"/a/b"))
    with catalog.transaction():
        catalog.drop(b"/c/2")
        catalog.add(Row(b"/c/new", 1, 1, b"", 1, 1, b"\0\0\0\0"))
    assert ids(catalog, cache, PhotoFilter(folder=b"/a/b")) is first


def test_a_full_cache_drops_what_was_not_asked_for_the_longest(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filter_cache, "CACHED", 3)
    cache = FilterCache()
    bounds = [PhotoFilter(after=number) for number in range(3)]
    kept = [ids(catalog, cache, one) for one in bounds]
    assert ids(catalog, cache, bounds[0]) is kept[0]
    ids(catalog, cache, PhotoFilter(after=3))
    assert ids(catalog, cache, bounds[0]) is kept[0]
    assert ids(catalog, cache, bounds[1]) is not kept[1]
    monkeypatch.setattr(filter_cache, "CACHED_IDS", 300)
    large = ids(catalog, cache, PhotoFilter(before=101))
    assert len(large) == 200
    assert list(cache._known) == [PhotoFilter(before=101)]  # the others do not fit beside it
    assert ids(catalog, cache, PhotoFilter(before=101)) is large
