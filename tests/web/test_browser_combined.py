"""The page in a real browser: words beside the drawing, and several drawings of one thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from browsing import CLEARED, alike, body_of, draw, expect_results, ink, results, until
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.library import Library

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def combined_queries(page: Page) -> list[Any]:
    """Return a list that the bodies of further combined queries are added to."""
    sent: list[Any] = []
    page.on("request", lambda one: sent.append(one.post_data_json) if one.url.endswith("search/query") else None)
    return sent


def test_words_alone_beside_a_drawing_and_required(
    new_page: Callable[..., Page], url: str, library: Library, id_of: dict[str, int]
) -> None:
    page = new_page(url)
    page.locator("#words").fill("below 0")
    until(page, "document.querySelectorAll('#grid img').length > 0")
    found = expect_results(page)
    assert found == [one.path.name for one in library.search_query(Query(text="below 0"), k=len(found))]
    assert page.locator("#hint").is_hidden()
    sent = combined_queries(page)
    draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
    both = expect_results(page)
    body = sent[-1]
    assert body["text"] == "below 0"
    query = Query(examples=(Example(sketch=body["examples"][0]["strokes"]),), text="below 0")
    assert both == [one.path.name for one in library.search_query(query, k=len(both))]
    page.locator("#words").fill("023")
    until(page, "location.hash.includes('text=023')")
    page.locator("#words-required").check()
    until(page, "document.querySelectorAll('#grid li').length === 1")
    assert results(page) == ["disc 023.png"]
    until(page, "location.hash.includes('words=023')")  # the address follows a moment later
    page.reload()
    until(page, "document.querySelectorAll('#grid li').length === 1")
    assert page.locator("#words").input_value() == "023"
    assert page.locator("#words-required").is_checked()
    page.locator("#words").fill("zeppelin")
    until(page, "document.getElementById('hint').textContent.startsWith('No photo has these words')")
    page.locator("#words").fill("")
    until(page, "document.querySelectorAll('#grid li').length > 8")
    assert page.locator("#words-option").is_hidden()


def test_a_picture_and_words_and_marks(
    new_page: Callable[..., Page], url: str, id_of: dict[str, int], photos: object
) -> None:
    page = new_page(url)
    draw(page, (0.2, 0.2), (0.8, 0.2))
    expect_results(page)
    page.locator("#grid .photo").first.click()
    with page.expect_request("**/api/v1/search/image"):
        page.locator("#viewer-part").click()
    expect_results(page)
    with page.expect_request("**/api/v1/search/query") as sent:
        page.locator("#words").fill("disc")
    example = body_of(sent.value)["examples"][0]
    assert example["image_kind"] == "photo"
    assert len(example["image"]) > 100
    found = expect_results(page)
    page.locator("#grid .photo").nth(1).focus()
    with page.expect_request("**/api/v1/search/query") as sent:
        page.keyboard.press("-")
    assert body_of(sent.value)["examples"][1] == {"photo_id": id_of[found[1]], "negative": True}
    until(page, f"[...document.querySelectorAll('#grid .caption')].every((one) => one.textContent !== '{found[1]}')")


def test_drawing_it_again_adds_a_tab_that_can_be_removed(
    new_page: Callable[..., Page], url: str, library: Library
) -> None:
    page = new_page(url)
    assert page.locator("#draw-again").is_disabled()
    draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
    alone = expect_results(page)
    first = ink(page)
    page.locator("#draw-again").click()
    assert ink(page) == 0
    assert page.locator("#sheets .tab").count() == 2
    assert page.locator("#draw-again").is_disabled()  # the new sheet is blank
    assert alike(results(page), alone)  # a blank sheet changes nothing
    sent = combined_queries(page)
    draw(page, (0.5, 0.2), (0.5, 0.9))
    both = expect_results(page)
    sketches = [one["strokes"] for one in sent[-1]["examples"]]
    assert len(sketches) == 2
    query = Query(examples=tuple(Example(sketch=one) for one in sketches))
    assert both == [one.path.name for one in library.search_query(query, k=len(both))]
    page.locator("#sheets .tab").first.click()
    assert ink(page) == first
    assert page.locator("#sheets .tab[aria-pressed=true]").get_attribute("aria-label") == "Drawing 1"
    page.reload()
    assert alike(expect_results(page), both)
    assert page.locator("#sheets .tab").count() == 2
    assert ink(page) == first
    link = page.url
    page.locator("#sheets .remove").nth(1).click()
    assert page.locator("#sheets").is_hidden()
    until(page, "document.getElementById('found').ariaBusy === 'false'")
    assert alike(results(page), alone)
    shared = new_page(link)
    assert alike(expect_results(shared), both)
    assert shared.locator("#sheets .tab").count() == 2
    shared.locator("#sheets .remove").first.click()
    shared.locator("#clear").click()
    until(shared, CLEARED)
    assert shared.locator("#examples").is_visible()
