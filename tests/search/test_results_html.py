"""Results in notebooks."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import sketchseek
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library
from sketchseek.search.results import SearchResult
from sketchseek.search.results_html import SHOWN

STROKES = [[[0, 50, 100, 0], [100, 0, 100, 100]]]


@pytest.fixture
def library(tmp_path: Path, tiny_model: ModelPackage) -> Iterator[Library]:
    for name, color in (("a.png", "red"), ("<b>.png", "blue")):
        Image.new("RGB", (400, 300), color).save(tmp_path / name)
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        library.add([tmp_path / "a.png", tmp_path / "<b>.png"])
        yield library


def test_results_show_themselves_in_a_notebook(library: Library, tmp_path: Path) -> None:
    results = library.search(STROKES)
    text = results._repr_html_()
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text)
    assert len(pictures) == len(results) == 2
    for data in pictures:
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            assert image.size == (160, 120)
    assert "&lt;b&gt;.png" in text
    assert "<b>" not in text
    assert results[0]._repr_html_() in text
    assert isinstance(results, list)


def test_every_search_returns_them(library: Library) -> None:
    embedding = library.embedding(1)
    for results in (
        library.search_photo(1),
        library.search_embedding(embedding),
        library.refine(STROKES, positive=[1]),
        library.search_query(sketchseek.Query(text="a")),
    ):
        assert "<figure" in results._repr_html_()


def test_a_photo_that_went_is_named_with_the_reason(library: Library, tmp_path: Path) -> None:
    (tmp_path / "a.png").unlink()
    assert "no such file" in library.search(STROKES)._repr_html_()


def test_long_lists_are_cut(tmp_path: Path) -> None:
    from sketchseek.search.results import SearchResults

    results = SearchResults(SearchResult(n, tmp_path / f"{n}.png", 0.5, n) for n in range(1, SHOWN + 4))
    text = results._repr_html_()
    assert text.count("<figure") == SHOWN
    assert "3 more" in text
    assert "No results" in SearchResults()._repr_html_()


def test_dir_names_the_public_api() -> None:
    assert {*sketchseek.__all__} <= {*dir(sketchseek)}
