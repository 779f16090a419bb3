"""Grouping copies of one photo in results."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.painted import TRIANGLE, Paint
from sketchseek.models.package import Distance
from sketchseek.search import copies
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.copies import SAME, Embedding, grouped
from sketchseek.search.library import Library
from sketchseek.search.results import SearchResult


def slow_groups(embeddings: Sequence[Embedding]) -> list[list[int]]:
    """The definition: each result joins the first group whose best photo it is a copy of."""
    groups: list[list[int]] = []
    for number, embedding in enumerate(embeddings):
        for group in groups:
            if float(embeddings[group[0]] @ embedding) >= SAME:
                group.append(number)
                break
        else:
            groups.append([number])
    return groups


def search_in(
    embeddings: Sequence[Embedding], k: int, offset: int, distance: Distance = "cosine"
) -> list[SearchResult]:
    def search(count: int) -> list[SearchResult]:
        return [SearchResult(i + 1, Path(f"/{i}.jpg"), 1.0, i) for i in range(min(count, len(embeddings)))]

    return grouped(search, lambda photo: embeddings[photo], k, offset, distance)


def ids(results: Sequence[SearchResult]) -> list[list[int]]:
    return [[one.id, *(copy.id for copy in one.copies)] for one in results]


@given(st.lists(st.integers(0, 359), max_size=60), st.integers(1, 7))
def test_groups_and_their_pages_are_as_defined(degrees: list[int], k: int) -> None:
    angles = np.radians(degrees)
    embeddings = list(np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32))
    expected = slow_groups(embeddings)
    pages: list[SearchResult] = []
    while page := search_in(embeddings, k, len(pages)):
        pages += page
    assert ids(pages) == expected
    assert [one.rank for one in pages] == list(range(1, len(expected) + 1))


def test_more_is_fetched_where_there_are_thousands_of_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MARGIN", 5)
    embeddings = [np.array([1.0, 0.0], np.float32)] * 2000 + [np.array([0.0, 1.0], np.float32)]
    found = search_in(embeddings, 2, 0)
    assert [len(one.copies) for one in found] == [1999, 0]


def test_photos_that_are_removed_meanwhile_are_left_out() -> None:
    one = SearchResult(1, Path("/a"), 1.0, 1)
    found = grouped(lambda k: [one, replace(one, rank=2, id=2)], lambda photo: None, 5, 0, "cosine")
    assert found == []


def test_euclidean_embeddings_are_compared_in_relation_to_their_length() -> None:
    long = [np.array([100.0, 0.0], np.float32), np.array([101.0, 0.0], np.float32), np.array([150.0, 0.0], np.float32)]
    assert ids(search_in(long, 5, 0, "euclidean")) == [[0, 1], [2]]


def test_a_library_groups_copies_in_every_kind_of_search(library: Library, paint: Paint, tmp_path: Path) -> None:
    photo = paint("even/0.jpg", 0)
    for name in ("copy.jpg", "folder/second copy.jpg"):
        (tmp_path / "photos" / "folder").mkdir(exist_ok=True)
        shutil.copy(photo, tmp_path / "photos" / name)
    library.sync()
    assert len(library) == 8
    embedding = library.encoder.encode_sketch(TRIANGLE)
    other = tmp_path / "photos" / "odd" / "1.jpg"
    for found, count in (
        (library.search(TRIANGLE, 10, group_copies=True), 6),
        (library.search_embedding(embedding, 10, group_copies=True), 6),
        (library.search_query(Query((Example(sketch=TRIANGLE),), text="jpg copy"), 10, group_copies=True), 6),
        (library.search_photo(other, 10, group_copies=True), 5),
        (library.refine(TRIANGLE, k=10, group_copies=True), 6),
    ):
        assert len(found) == count
        with_copies = [one for one in found if one.copies]
        assert len(with_copies) == 1
        paths = {with_copies[0].path, *(copy.path for copy in with_copies[0].copies)}
        assert {path.name for path in paths} == {"0.jpg", "copy.jpg", "second copy.jpg"}
    plain = library.search(TRIANGLE, 10)
    assert len(plain) == 8
    assert not any(one.copies for one in plain)
    pages = [one for offset in (0, 2, 4) for one in library.search(TRIANGLE, 2, offset=offset, group_copies=True)]
    assert pages == library.search(TRIANGLE, 6, group_copies=True)
