"""The page in a real browser: axe looks at every panel, light, dark, from right to left and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from browsing import LOOKS, STILL, draw, expect_results, menu, until, violations
from served import serving
from sketchseek.search.library import Library
from sketchseek.server.sharing import Sharing
from sketchseek.server.users import User, Users, hash_password, write_users

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_in_what_asks(new_page: Callable[..., Page], url: str, look: dict[str, Any]) -> None:
    page = new_page(url, **look, **STILL)
    page.locator("#examples").wait_for()
    until(page, "document.querySelectorAll('#grid img').length > 0")
    assert violations(page) == [], "photos before a drawing"
    page.locator("#browse-folders button").first.click()
    page.locator("#pen-options").click()
    page.locator("#swatches label").nth(2).click()
    page.locator("#shapes label:has([value=ellipse])").click()
    assert violations(page) == [], "pen"
    page.keyboard.press("Escape")
    draw(page, (0.2, 0.2), (0.8, 0.7))
    expect_results(page)
    page.locator("#palette-button").click()
    page.locator("#palette label").nth(3).click()
    page.locator("#color-weight-option").wait_for()
    assert violations(page) == [], "palette"
    page.keyboard.press("Escape")
    page.locator("#more").click()
    page.locator("#more-zoom-in").click()
    page.locator("#zoom").wait_for()
    assert violations(page) == [], "menu"
    page.keyboard.press("Escape")
    assert violations(page) == [], "zoomed"
    page.locator("#whole-sheet").click()
    page.locator("#draw-again").click()
    draw(page, (0.3, 0.3), (0.7, 0.4))
    page.locator("#words").fill("disc")
    page.locator("#words-option").wait_for()
    expect_results(page)
    assert page.locator("#sheets .tab").count() == 2
    assert violations(page) == [], "several drawings and words"
    page.keyboard.press("Escape")
    menu(page, "#open-shortcuts")
    page.locator("#shortcuts").wait_for()
    assert violations(page) == [], "shortcuts"


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_in_what_answers(new_page: Callable[..., Page], url: str, look: dict[str, Any]) -> None:
    page = new_page(url, **look, **STILL)
    draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
    expect_results(page)
    page.locator("#select").click()
    for number in (0, 1):
        page.locator("#grid .photo").nth(number).click()
    page.locator("#select-zip").wait_for()
    assert violations(page) == [], "selection"
    page.locator("#select-favorite").click()
    page.locator("#select-done").click()
    page.locator("#grid .photo").first.click()
    page.locator("#viewer-matched").click()
    page.locator("#matched").wait_for()
    assert violations(page) == [], "what matched"
    page.keyboard.press("Escape")
    menu(page, "#save-search")
    page.locator("#saved-photos .saved-photo").first.wait_for()
    assert violations(page) == [], "favorites and saved searches"


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_where_users_log_in_and_out(
    new_page: Callable[..., Page], library: Library, look: dict[str, Any], tmp_path: Path
) -> None:
    users = tmp_path / "users"
    write_users(users, {"ann": User("ann", "password", "search", hash_password("correct horse battery"))})
    with serving(library, thumbnails=tmp_path / "thumbnails", sharing=Sharing(users=Users(users))) as shared:
        page = new_page(shared, encode="", failing="status of 401", **look, **STILL)
        page.locator("#name").fill("ann")
        assert violations(page) == [], "log in"
        page.locator("#password").fill("correct horse battery")
        page.locator("button[type=submit], form button").first.click()
        until(page, "Boolean(document.body?.dataset.view)")
        page.locator("#library").click()
        page.locator("#session").wait_for()
        assert violations(page) == [], "log out"
