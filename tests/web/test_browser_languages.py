"""The page in a real browser: in other languages, and from right to left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from browsing import PHONE, alike, draw, expect_results, ink, until, violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_the_browser_s_language_is_used(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url, locale="de-AT")
    assert page.locator("html").get_attribute("lang") == "de"
    until(page, "document.getElementById('library-text').textContent === '61 Fotos'")
    assert page.locator("#invite").inner_text() == "Hier zeichnen"
    assert page.locator("#words").get_attribute("placeholder") == "Wörter dazu: strand 2019"


def test_the_language_is_switched_and_the_drawing_stays(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url, reduced_motion="reduce")
    draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
    found, inked = expect_results(page), ink(page)
    page.locator("#more").click()
    with page.expect_navigation():
        page.locator("#language").select_option("ar")
    until(page, "document.documentElement.lang === 'ar' && document.documentElement.dir === 'rtl'")
    assert alike(expect_results(page), found)
    assert ink(page) == inked
    first, second = (page.locator("#grid li").nth(i).bounding_box() for i in (0, 1))
    sheet = page.locator("#sheet").bounding_box()
    assert first is not None
    assert second is not None
    assert sheet is not None
    assert second["x"] < first["x"] < sheet["x"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []
    page.locator("#more").click()
    panel = page.locator("#more-panel").bounding_box()
    assert panel is not None
    assert panel["x"] >= 0
    with page.expect_navigation():
        page.locator("#language").select_option("fr")
    until(page, "document.documentElement.lang === 'fr' && document.documentElement.dir === 'ltr'")


@pytest.mark.parametrize("language", ["de", "fr", "es", "zh", "ar"])
def test_nothing_is_cut_off_in_any_language(new_page: Callable[..., Page], url: str, language: str) -> None:
    page = new_page(url, locale=language, **PHONE)
    until(page, f"document.documentElement.lang === '{language}'")
    page.locator("#browse").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    clipped = page.evaluate(
        """[...document.querySelectorAll("button, .button, summary")].filter((one) => one.clientWidth &&
             !one.closest(".chips, .grid") && one.scrollWidth > one.clientWidth + 1
             && getComputedStyle(one, "::after").content === "none").map((one) => one.outerHTML)"""
    )
    assert clipped == []
