"""The page in a real browser: colors and shapes of the pen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from browsing import body_of, draw, expect_results, ink, results, until
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

    page.locator("#pen-options").click()
    with page.expect_request("**/api/v1/search/sketch"):  # colors no longer count: it is a plain search
        page.locator("#color-weight").fill("0")
    page.keyboard.press("Escape")
    expect_results(page)
    assert "color=0" in page.url
    page.reload()
    expect_results(page)  # also waits for the scripts
    page.locator("#pen-options").click()
    assert page.locator("#color-weight").input_value() == "0"


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
