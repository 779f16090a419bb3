from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from served import picture
from sketchseek.errors import InputError
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library
from sketchseek.search.params import Filter

LINES = [[[10, 200, 200], [10, 10, 90]]]
FIRST = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, tiny_model: ModelPackage) -> Iterator[Library]:
    """Twelve photos a day apart, in two folders."""
    folder = tmp_path_factory.mktemp("filters")
    for number in range(12):
        path = folder / "photos" / ("even" if number % 2 == 0 else "odd") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(path)
        seconds = (FIRST + timedelta(days=number)).timestamp()
        os.utime(path, (seconds, seconds))
    with Library.open(folder / "library", tiny_model.path, create=True) as library:
        library.add([folder / "photos"])
        yield library


def found(library: Library, **bounds: object) -> list[int]:
    results = library.search(LINES, k=100, filter=Filter(**bounds))  # type: ignore[arg-type]
    return sorted(int(one.path.stem) for one in results)


def test_bounds_hold_their_start_and_not_their_end(library: Library, tmp_path: Path) -> None:
    day = [FIRST + timedelta(days=number) for number in range(13)]
    assert found(library, after=day[3]) == list(range(3, 12))
    assert found(library, before=day[3]) == [0, 1, 2]
    assert found(library, after=day[2], before=day[5]) == [2, 3, 4]
    assert found(library, after=day[3] + timedelta(microseconds=1)) == list(range(4, 12))
    assert found(library, after=day[12]) == []
    folder = library.status().folders[0] / "even"
    assert found(library, after=day[3], before=day[9], folder=folder) == [4, 6, 8]
    east = timezone(timedelta(hours=9))
    assert found(library, after=day[3].astimezone(east)) == list(range(3, 12))


def test_every_search_is_narrowed(library: Library) -> None:
    bounds: dict[str, Any] = {
        "filter": Filter(after=FIRST + timedelta(days=2), before=FIRST + timedelta(days=7)),
        "k": 100,
    }
    embedding = library.encoder.encode_sketch(LINES)
    some = library.search(LINES, k=1, filter=Filter(after=FIRST + timedelta(days=2)))[0]
    for results, expected in (
        (library.search_embedding(embedding, **bounds), [2, 3, 4, 5, 6]),
        (library.search_photo(library.photo_bytes(some.id), **bounds), [2, 3, 4, 5, 6]),
        (library.refine(LINES, **bounds), [2, 3, 4, 5, 6]),
    ):
        assert sorted(int(one.path.stem) for one in results) == expected
    like = [int(one.path.stem) for one in library.search_photo(some.id, **bounds)]
    assert sorted(like) == [number for number in [2, 3, 4, 5, 6] if number != int(some.path.stem)]


def test_pages_join_to_the_whole(library: Library) -> None:
    whole = library.search(LINES, k=12)
    pages = [one for offset in (0, 5, 10, 15) for one in library.search(LINES, k=5, offset=offset)]
    assert pages == whole
    like = library.search_photo(1, k=12)
    assert [*library.search_photo(1, k=4), *library.search_photo(1, k=20, offset=4)] == like


def test_bounds_that_hold_nothing_are_told(library: Library) -> None:
    with pytest.raises(InputError, match="no time is after"):
        library.search(LINES, filter=Filter(after=FIRST, before=FIRST))
    with pytest.raises(InputError, match="offset is -1"):
        library.search(LINES, offset=-1)


def test_far_times_are_held_within_what_a_file_system_has() -> None:
    for year in (1, 9999):
        far = Filter(after=datetime(year, 6, 1, tzinfo=UTC)).in_catalog().after
        assert far is not None
        assert -(2**63) <= far < 2**63
    assert not Filter()
    assert Filter("/a")


def test_a_part_of_a_folder_s_path_is_a_filter(library: Library) -> None:
    assert found(library, folder_contains="EVE") == [0, 2, 4, 6, 8, 10]
    assert found(library, folder_contains="photos/odd") == [1, 3, 5, 7, 9, 11]
    assert found(library, folder_contains="od", after=FIRST + timedelta(days=4)) == [5, 7, 9, 11]
    assert found(library, folder_contains="") == list(range(12))
    assert found(library, folder_contains="no such") == []
    assert found(library, folder_contains="00.png") == []  # only folders count, not files
    assert library.count(Filter(folder_contains="even")) == 6
