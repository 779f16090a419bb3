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
from PIL import Image

from search.painted import TRIANGLE, Paint, blobs
from sketchseek.models.package import Distance, ModelPackage
from sketchseek.search import copies
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.copies import BITS, SAME, Embedding, grouped
from sketchseek.search.library import Library
from sketchseek.search.picture_hash import HASH
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
    embeddings: Sequence[Embedding],
    k: int,
    offset: int,
    distance: Distance = "cosine",
    hashes: Sequence[bytes] = (),
) -> list[SearchResult]:
    def search(count: int) -> list[SearchResult]:
        return [SearchResult(i + 1, Path(f"/{i}.jpg"), 1.0, i) for i in range(min(count, len(embeddings)))]

    hashes = hashes or [b""] * len(embeddings)
    return grouped(search, lambda photo: (embeddings[photo], hashes[photo]), k, offset, distance)


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


def test_hashes_count_more_than_embeddings_where_both_have_one() -> None:
    ahead, aside = np.array([1.0, 0.0], np.float32), np.array([0.0, 1.0], np.float32)
    zero, near, far = bytes(HASH), b"\xff\x0f" + bytes(HASH - 2), b"\xff\xff\xff" + bytes(HASH - 3)
    assert 12 <= BITS < 24
    found = search_in([ahead, aside, ahead, ahead], 5, 0, hashes=[zero, near, far, b""])
    assert ids(found) == [[0, 1, 3], [2]]


@given(st.lists(st.integers(0, 40), max_size=30), st.integers(1, 7))
def test_groups_by_hash_are_as_defined(counts: list[int], k: int) -> None:
    """A hash of ``n`` ones differs from one of ``m`` in ``|n - m|`` bits."""
    hashes = [((1 << count) - 1).to_bytes(HASH, "big") for count in counts]
    expected: list[list[int]] = []
    for number, count in enumerate(counts):
        group = next((one for one in expected if abs(counts[one[0]] - count) <= BITS), None)
        if group is None:
            expected.append([number])
        else:
            group.append(number)
    embeddings = [np.eye(31, dtype=np.float32)[number] for number in range(len(counts))]
    pages: list[SearchResult] = []
    while page := search_in(embeddings, k, len(pages), hashes=hashes):
        pages += page
    assert ids(pages) == expected


def test_a_small_and_strongly_compressed_copy_is_found(tiny_model: ModelPackage, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(3):
        blobs(seed).save(folder / f"{seed}.png")
    with Image.open(folder / "1.png") as image:
        image.resize((60, 60)).save(folder / "small.jpg", quality=85)
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "mirrored.png")
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        library.add([folder])
        found = library.search_photo(folder / "0.png", 10, group_copies=True)
    groups = {frozenset(path.name for path in (one.path, *(copy.path for copy in one.copies))) for one in found}
    assert groups == {frozenset({"1.png", "small.jpg"}), frozenset({"mirrored.png"}), frozenset({"2.png"})}


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
