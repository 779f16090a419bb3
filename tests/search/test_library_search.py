"""Searches of a library: ranks, scores, filters, and queries that are refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from search.painted import TRIANGLE, Paint
from sketchseek.errors import (
    EmptySketchError,
    InputError,
)
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library
from sketchseek.search.object_path import PhotoPath
from sketchseek.search.params import Filter


def test_every_indexed_photo_is_found_once(library: Library) -> None:
    results = library.search(TRIANGLE, k=1000)
    assert [result.rank for result in results] == [1, 2, 3, 4, 5, 6]
    assert len({result.id for result in results}) == len({result.path for result in results}) == len(library) == 6
    assert [result.score for result in results] == sorted((result.score for result in results), reverse=True)


def test_ranks_and_scores_are_those_of_the_embeddings(library: Library) -> None:
    query = library.encoder.encode_sketch(TRIANGLE)
    results = library.search(TRIANGLE, k=3)
    paths = sorted((Path(library.path).parent / "photos").rglob("*.jpg"))
    scores: dict[PhotoPath, float] = {path: float(query @ library.encoder.encode_photo(path)) for path in paths}
    assert [result.path for result in results] == sorted(paths, key=lambda path: -scores[path])[:3]
    np.testing.assert_allclose([r.score for r in results], [scores[r.path] for r in results], atol=2e-3)


def test_a_photo_finds_its_like_but_not_itself(library: Library, paint: Paint) -> None:
    photo = paint("even/0.jpg", 0)
    duplicate = paint("duplicate.jpg", 0)
    library.sync()
    by_path = library.search_photo(photo, k=10)
    assert by_path[0].path == duplicate
    assert by_path[0].score == pytest.approx(1.0, abs=2e-3)
    assert photo not in [result.path for result in by_path]
    photo_id = next(r.id for r in library.search(TRIANGLE, k=10) if r.path == photo)
    assert library.search_photo(photo_id, k=10) == by_path
    assert library.search_photo(photo, k=2) == by_path[:2]
    outside = library.search_photo(photo.read_bytes(), k=2)
    assert {result.path for result in outside} == {photo, duplicate}


@pytest.mark.parametrize("k", [1, 2, 3, 100])
def test_a_folder_filter_loses_nothing(library: Library, tmp_path: Path, k: int) -> None:
    everything = library.search(TRIANGLE, k=100)
    odd = [result.path for result in everything if result.path.parent.name == "odd"]
    assert [result.path for result in library.search(TRIANGLE, k=k, filter=Filter(tmp_path / "photos" / "odd"))] == odd[
        :k
    ]


def test_a_folder_s_name_is_no_prefix_of_another_s(library: Library, tmp_path: Path, paint: Paint) -> None:
    paint("odd-ones/9.jpg", 9)
    paint("odd0/8.jpg", 8)
    library.sync()
    assert len(library.search(TRIANGLE, k=100, filter=Filter(tmp_path / "photos" / "odd"))) == 3
    assert len(library.search(TRIANGLE, k=100, filter=Filter("/"))) == 8
    assert library.search(TRIANGLE, filter=Filter(tmp_path / "nowhere")) == []


def test_an_empty_library_finds_nothing(tmp_path: Path, tiny_model: ModelPackage) -> None:
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        assert library.search(TRIANGLE) == []
        assert library.search_embedding(np.ones(16)) == []
        assert library.verify().ok


@pytest.mark.parametrize(
    "embedding", [np.ones(15), np.ones((1, 16)), np.zeros(16), np.full(16, np.nan), np.full(16, np.inf)]
)
def test_an_embedding_that_cannot_be_searched_by_is_refused(library: Library, embedding: np.ndarray) -> None:
    with pytest.raises(InputError):
        library.search_embedding(embedding)


def test_an_embedding_of_any_length_has_a_direction(library: Library) -> None:
    embedding = np.random.default_rng(0).standard_normal(16)
    assert [r.id for r in library.search_embedding(1000 * embedding)] == [
        r.id for r in library.search_embedding(embedding)
    ]
    assert all(-1.01 < result.score < 1.01 for result in library.search_embedding(1000 * embedding))


def test_questions_without_an_answer_are_refused(library: Library) -> None:
    with pytest.raises(InputError, match="k is 0"):
        library.search(TRIANGLE, k=0)
    with pytest.raises(InputError, match="id 99"):
        library.search_photo(99)
    with pytest.raises(EmptySketchError):
        library.search([])
    with pytest.raises(InputError, match="no such folder"):
        library.add(["/no/such/folder"])


def test_searches_from_several_threads_agree(library: Library) -> None:
    expected = library.search(TRIANGLE)
    with ThreadPoolExecutor(4) as pool:
        assert all(found == expected for found in pool.map(lambda _: library.search(TRIANGLE), range(40)))


def test_a_photo_s_facts(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "photos" / "turned.jpg"
    image = Image.new("RGB", (30, 20), "red")
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(path, exif=exif)
    library.sync()
    photo_id = next(result.id for result in library.search(TRIANGLE, k=10) if result.path == path)
    photo = library.photo(photo_id)
    assert photo is not None
    assert (photo.path, photo.width, photo.height, photo.size) == (path, 20, 30, path.stat().st_size)
    assert library.embedding(photo_id).shape == (16,)
    assert library.photo(10_000) is None


def test_numbers_that_are_none_or_too_large(library: Library) -> None:
    embedding: Any
    for embedding in (["a"] * 16, [[1], [1, 2]], None, [10**400] * 16):
        with pytest.raises(InputError, match="embedding"):
            library.search_embedding(embedding)
    with pytest.raises(InputError, match="no photo with id"):
        library.search_photo(10**30)
    assert library.photo(2**63) is None
