"""The page in a real browser: what is in view at each size of the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from browsing import PHONE, draw, expect_results

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
