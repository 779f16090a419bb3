"""The page in a real browser, with a library in Lance: words, colors, and why a photo matches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browsing import draw, expect_results, until
from object_store import need_cluster
from served import picture, serving
from sketchseek.models.package import ModelPackage
from sketchseek.search.colors import PaletteColor
from sketchseek.search.combined_query import Query
from sketchseek.search.library import Library

if TYPE_CHECKING:
    from playwright.sync_api import Page

need_cluster()

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, tiny_model: ModelPackage) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(14):
        picture(number).save(folder / f"disc {number:03}.png")
    with Library.open(tmp_path_factory.mktemp("shared").as_uri(), tiny_model.path, create=True) as opened:
        opened.add([folder])
        yield opened


def test_words_colors_and_explanations(new_page: Callable[..., Page], library: Library, tmp_path: Path) -> None:
    with serving(library, thumbnails=tmp_path / "thumbnails") as address:
        page = new_page(address)
        page.locator("#words").fill("disc 01")
        until(page, "document.querySelectorAll('#grid img').length > 0")
        found = expect_results(page)
        assert found == [one.path.name for one in library.search_query(Query(text="disc 01"), k=len(found))]
        page.locator("#words-required").check()
        until(page, "document.querySelectorAll('#grid li').length === 4")
        page.locator("#words").fill("")
        page.locator("#palette-button").click()
        page.locator("#palette input[value='#d62f2f']").check(force=True)
        page.keyboard.press("Escape")
        until(page, "document.querySelectorAll('#grid li').length === 14")
        red = [one.path.name for one in library.search_query(Query(colors=(PaletteColor("#d62f2f"),)), k=14)]
        assert expect_results(page) == red
        draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
        expect_results(page)
        page.locator("#grid .photo").first.click()
        until(page, "document.getElementById('viewer-image').naturalWidth > 0")
        with page.expect_response("**/api/v1/search/explain/*") as answer:
            page.locator("#viewer-matched").click()
        assert answer.value.ok
        page.locator("#matched").wait_for()
