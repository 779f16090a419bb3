"""The page in a real browser: colors and shapes of the pen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from browsing import CLEARED, body_of, draw, expect_results, ink, results, until, violations
from sketchseek.search.colors import PaletteColor
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.library import Library

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

RED = """() => {
  const canvas = document.getElementById("paper");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((red, i) => i % 4 === 0 && red > 150 && data[i + 1] < 100 && data[i + 3] > 200).length;
}"""


def choose(page: Page, field: str, value: str) -> None:
    """Choose in the pen's panel, and close it."""
    page.locator("#pen-options").click()
    page.locator(f"#pen-panel input[name={field}][value='{value}']").check(force=True)
    page.keyboard.press("Escape")
    assert page.locator("#pen-panel").is_hidden()


def test_colored_strokes_move_photos_with_these_colors_up(
    new_page: Callable[..., Page], url: str, library: Library
) -> None:
    page = new_page(url)
    draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
    plain = expect_results(page)
    choose(page, "color", "#d62f2f")
    with page.expect_request("**/api/v1/search/query") as sent:
        draw(page, (0.3, 0.5), (0.6, 0.5))
    found = expect_results(page)
    assert page.evaluate(RED) > 50
    body = body_of(sent.value)
    assert body["colors"] == [{"color": "#d62f2f", "weight": 1}]
    assert body["color_weight"] == 0.5
    (example,) = body["examples"]
    body = _last_body(page)
    expected = library.search_query(
        Query((Example(sketch=body["examples"][0]["strokes"]),), colors=(PaletteColor("#d62f2f"),), color_weight=0.5),
        k=len(found),
    )
    assert found == [one.path.name for one in expected]
    assert found != plain
    assert len(example["strokes"]) == 2

    page.reload()  # the color is kept
    assert expect_results(page) == found
    assert page.evaluate(RED) > 50

    page.locator("#palette-button").click()
    with page.expect_request("**/api/v1/search/sketch"):  # colors no longer count: it is a plain search
        page.locator("#color-weight").fill("0")
    page.keyboard.press("Escape")
    expect_results(page)
    assert "color=0" in page.url
    page.reload()
    expect_results(page)  # also waits for the scripts
    page.locator("#palette-button").click()
    assert page.locator("#color-weight").input_value() == "0"


def test_colors_beside_the_sheet_search_alone_and_beside_words(
    new_page: Callable[..., Page], url: str, library: Library
) -> None:
    page = new_page(url)
    assert page.evaluate("document.body.dataset.view") == "browse"
    page.locator("#palette-button").click()
    assert page.locator("#color-weight-option").is_hidden()  # nothing to weigh
    assert page.locator("#no-palette").is_disabled()
    page.locator("#palette input[value='#d62f2f']").check(force=True)
    found = expect_results(page)
    expected = library.search_query(Query(colors=(PaletteColor("#d62f2f"),)), k=len(found))
    assert found == [one.path.name for one in expected]
    assert page.locator("#color-weight-option").is_visible()
    assert page.locator("#palette-dots .dot").count() == 1
    assert violations(page) == []
    with page.expect_request("**/api/v1/search/query") as sent:
        page.locator("#palette-own").fill("#102030")
    assert [one["color"] for one in body_of(sent.value)["colors"]] == ["#d62f2f", "#102030"]
    until(page, "location.hash.includes('colors=d62f2f.102030')")
    with page.expect_request("**/api/v1/search/query") as sent:
        page.locator("#color-weight").fill("0.8")
    assert body_of(sent.value)["color_weight"] == 0.8
    page.keyboard.press("Escape")
    with page.expect_request("**/api/v1/search/query") as sent:
        page.locator("#words").fill("disc")
    assert {"text", "colors", "color_weight"} <= body_of(sent.value).keys()
    both = expect_results(page)
    until(page, "location.hash.includes('text=disc')")
    page.reload()
    assert expect_results(page) == both
    page.locator("#palette-button").click()
    assert page.locator("#palette input:checked").count() == 2
    page.locator("#no-palette").click()
    until(page, "!location.hash.includes('colors')")
    page.keyboard.press("Escape")
    page.locator("#words").fill("")
    until(page, CLEARED)


def test_a_photo_and_colors_beside_the_sheet(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    draw(page, (0.2, 0.2), (0.8, 0.2))
    expect_results(page)
    page.locator("#grid .photo").first.click()
    page.locator("#viewer-like").click()
    expect_results(page)
    page.locator("#palette-button").click()
    with page.expect_request("**/api/v1/search/query") as sent:
        page.locator("#palette input[value='#2a6fdb']").check(force=True)
    body = body_of(sent.value)
    assert "photo_id" in body["examples"][0]
    assert body["colors"] == [{"color": "#2a6fdb", "weight": 1}]


def _last_body(page: Page) -> Any:
    """The body of the search that the page would send now."""
    with page.expect_request("**/api/v1/search/query") as sent:
        page.locator("#undo").click()
        until(page, "document.getElementById('found').getAttribute('aria-busy') === 'false'")
        page.locator("#redo").click()
    results(page)
    return body_of(sent.value)


def test_shapes_are_drawn_between_two_points(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    choose(page, "shape", "rectangle")
    with page.expect_request("**/api/v1/search/sketch") as sent:
        draw(page, (0.2, 0.3), (0.9, 0.9), (0.6, 0.7))  # where the pen goes up counts
    expect_results(page)
    (stroke,) = body_of(sent.value)["strokes"]
    assert min(stroke[0]) == pytest.approx(200, abs=3)
    draw(page, (0.1, 0.1), (0.1, 0.1))
    page.locator("#undo").click()
    entry = page.evaluate("history.state.entry.sheets[0][0].points")
    xs, ys = [x for x, _, _ in entry], [y for _, y, _ in entry]
    assert [min(xs), max(xs), min(ys), max(ys)] == pytest.approx([200, 600, 300, 700], abs=3)
    assert entry[0] == entry[-1]
    choose(page, "shape", "line")
    draw(page, (0.1, 0.9), (0.5, 0.2), (0.8, 0.9))
    points = page.evaluate("history.state.entry.sheets[0][1].points")
    assert {round(y / 3) for _, y, _ in points} <= {299, 300, 301}
    assert ink(page) > 500
