"""The page in a real browser: two objects on one sheet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from browsing import LOOKS, STILL, body_of, draw, expect_results, until, violations
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.library import Library

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

LEFT = ((0.1, 0.4), (0.3, 0.4), (0.3, 0.6), (0.1, 0.6), (0.1, 0.4))
RIGHT = ((0.7, 0.4), (0.9, 0.45), (0.8, 0.6), (0.7, 0.4))
NEAR = ((0.3, 0.5), (0.65, 0.5))


def test_a_sheet_with_two_objects_is_searched_for_both(
    new_page: Callable[..., Page], url: str, library: Library
) -> None:
    page = new_page(url)
    draw(page, *LEFT)
    expect_results(page)
    assert page.locator("#parts-option").is_hidden()
    sent: list[Any] = []
    page.on("request", lambda one: sent.append(one.post_data_json) if one.url.endswith("search/query") else None)
    draw(page, *RIGHT)
    found = expect_results(page)
    body = sent[-1]  # pauses of the pen send unfinished strokes, too
    assert body["parts"] is True
    strokes = body["examples"][0]["strokes"]
    assert len(strokes) == 2
    query = Query((Example(sketch=strokes),), parts=True)
    assert found == [one.path.name for one in library.search_query(query, k=len(found))]
    assert page.locator("#parts-option").is_visible()
    page.locator("#parts").uncheck()
    until(page, "location.hash.includes('parts=whole')")
    whole = expect_results(page)
    assert whole == [one.path.name for one in library.search(strokes, k=len(whole))]
    assert whole != found
    page.reload()
    until(page, "document.querySelectorAll('#grid img').length > 8")
    assert not page.locator("#parts").is_checked()
    assert expect_results(page)[:8] == whole[:8]
    page.locator("#parts").check()
    until(page, "!location.hash.includes('parts')")
    assert expect_results(page)[:8] == found[:8]
    draw(page, *NEAR)  # connects them
    page.locator("#parts-option").wait_for(state="hidden")
    assert expect_results(page)[:1]


def test_two_drawings_of_one_thing_are_not_divided(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    draw(page, *LEFT)
    draw(page, *RIGHT)
    expect_results(page)
    page.locator("#draw-again").click()
    with page.expect_request("**/api/v1/search/query") as sent:
        draw(page, *LEFT)
    assert "parts" not in body_of(sent.value)
    assert page.locator("#parts-option").is_hidden()


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing(new_page: Callable[..., Page], url: str, look: dict[str, Any]) -> None:
    page = new_page(url, **look, **STILL)
    draw(page, *LEFT)
    draw(page, *RIGHT)
    expect_results(page)
    page.locator("#parts-option").wait_for()
    assert violations(page) == []
    box = page.locator("#parts-option").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= page.viewport_size["width"]  # type: ignore[index]
