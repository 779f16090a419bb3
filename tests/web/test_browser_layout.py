"""The page in a real browser: what is in view at each size of the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from browsing import PHONE, draw, expect_results, ink, results, until

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(PHONE, id="phone"),
        pytest.param({**PHONE, "viewport": {"width": 390, "height": 664}}, id="phone with the browser's bars"),
        pytest.param({**PHONE, "viewport": {"width": 320, "height": 568}}, id="small phone"),
        pytest.param({**PHONE, "viewport": {"width": 844, "height": 390}}, id="phone on its side"),
        pytest.param({"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2}, id="200 % of 1280 × 800"),
        pytest.param({"viewport": {"width": 683, "height": 384}, "device_scale_factor": 2}, id="200 % of 1366 × 768"),
        pytest.param({"viewport": {"width": 1280, "height": 800}}, id="desktop"),
        pytest.param({"viewport": {"width": 3840, "height": 2160}}, id="3840 × 2160"),
        pytest.param(
            {"viewport": {"width": 1920, "height": 1080}, "device_scale_factor": 2}, id="200 % of 3840 × 2160"
        ),
    ],
)
def test_sheet_and_a_result_are_in_view_together(
    new_page: Callable[..., Page], url: str, options: dict[str, object]
) -> None:
    page = new_page(url, **options)
    draw(page, (0.2, 0.2), (0.8, 0.2))
    expect_results(page)
    height = page.evaluate("innerHeight")
    sheet, first = page.locator("#sheet").bounding_box(), page.locator("#grid .photo").first.bounding_box()
    assert sheet is not None
    assert first is not None
    assert sheet["y"] >= 0
    assert sheet["y"] + sheet["height"] <= height
    assert sheet["width"] == pytest.approx(sheet["height"], abs=1)
    assert sheet["width"] >= 200
    assert first["y"] + 0.6 * first["height"] <= height
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")


def test_on_a_phone_the_sheet_stays_above_scrolled_results(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url, **PHONE, reduced_motion="reduce")
    draw(page, (0.2, 0.2), (0.8, 0.2))
    expect_results(page)
    inked = ink(page)
    page.evaluate("scrollTo(0, 500)")
    until(page, "document.querySelectorAll('#grid img').length > 9")
    sheet = page.locator("#sheet").bounding_box()
    assert sheet is not None
    assert sheet["y"] >= 0
    seen = page.evaluate(
        """[...document.querySelectorAll("#grid .photo")].map((tile) => tile.getBoundingClientRect())
           .filter(({ top, bottom }) => bottom > document.querySelector(".query").getBoundingClientRect().bottom
             && top < innerHeight).length"""
    )
    assert seen >= 6

    draw(page, (0.5, 0.2), (0.5, 0.9))  # on the sheet where it is, and the best result comes into view below it
    results(page)
    assert ink(page) > 1.5 * inked
    query, first = (page.locator(one).first.bounding_box() for one in (".query", "#grid .photo"))
    assert query is not None
    assert first is not None
    assert query["y"] == 0
    assert query["y"] + query["height"] <= first["y"] < 844
    points = page.evaluate("history.state.entry.sheets[0][1].points.map(([x]) => x)")
    assert max(points) - min(points) < 5  # the sheet did not move below the pen

    page.evaluate("scrollTo(0, 1400)")  # on for more than a window: the sheet makes room
    page.locator("#to-sheet").wait_for()
    until(page, "document.querySelector('.query').getBoundingClientRect().bottom <= 0")
    page.locator("#to-sheet").click()
    until(page, "document.querySelector('.query').getBoundingClientRect().top === 0")
    assert page.evaluate("scrollY") == 1400
    assert page.locator("#to-sheet").is_hidden()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.locator("#grid .photo").nth(4).focus()
    page.keyboard.press("ArrowUp")  # the focused photo is not below the sheet
    top, bottom = page.evaluate(
        """[document.activeElement.getBoundingClientRect().top,
            document.querySelector(".query").getBoundingClientRect().bottom]"""
    )
    assert top >= bottom


def test_the_sheet_grows_on_4k(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url, viewport={"width": 3840, "height": 2160})
    box = page.locator("#sheet").bounding_box()
    assert box is not None
    assert box["width"] > 1000


def test_clear_says_its_name_and_every_icon_has_a_tooltip(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    assert page.locator("#clear").inner_text() == "Clear"
    tip = "(button) => getComputedStyle(button, '::after').visibility"
    icons = page.locator("button.icon:not(:disabled)")
    assert icons.count() >= 2
    for icon in icons.all():
        assert icon.get_attribute("data-tip")
        assert icon.get_attribute("aria-label")
        assert icon.evaluate(tip) == "hidden"
        icon.hover()
        assert icon.evaluate(tip) == "visible"
    page.mouse.move(900, 600)
    page.locator("#pen").focus()
    page.keyboard.press("Tab")
    assert page.locator("#eraser").evaluate(tip) == "visible"
