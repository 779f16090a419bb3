"""The page in a real browser: axe, the keyboard alone, right to left, reduced motion, every size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browsing import PHONE, alike, draw, expect_results, ink, menu, results, until, violations
from served import picture, serving
from sketchseek.search.library import Library
from sketchseek.server.sharing import Sharing
from sketchseek.server.users import User, Users, hash_password, write_users

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(new_page: Callable[..., Page], url: str, scheme: str, tmp_path: Path) -> None:
    # Without fades: axe would meet texts that are half there.
    page = new_page(url, color_scheme=scheme, reduced_motion="reduce")
    assert violations(page) == [], "empty"
    draw(page, (0.2, 0.2), (0.8, 0.2))
    expect_results(page)
    assert violations(page) == [], "results"
    page.locator("#filters summary").click()
    page.locator("#grid .photo").first.focus()
    page.keyboard.press("+")
    until(page, "document.querySelectorAll('#grid .right').length === 1")
    assert violations(page) == [], "refined"
    page.locator("#grid .photo").nth(1).click()
    until(page, "document.getElementById('viewer-facts').textContent.includes('pixels')")
    page.locator("#viewer-wrong").click()
    assert violations(page) == [], "viewer"
    page.locator("#viewer-part").click()
    page.locator("#crop-area").wait_for()
    page.locator("#crop-area").press("ArrowRight")
    assert violations(page) == [], "part"
    page.locator("#library").click()
    until(page, "!document.getElementById('failures').hidden")
    page.locator("#failures-summary").click()
    assert violations(page) == [], "library"
    page.keyboard.press("Escape")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    page.set_input_files("#file", tmp_path / "broken.png")
    page.locator("#notice").wait_for()
    assert violations(page) == [], "notice"


def test_axe_finds_nothing_on_a_phone_and_from_right_to_left(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url, **PHONE, reduced_motion="reduce")
    page.evaluate("document.documentElement.dir = 'rtl'")
    draw(page, (0.2, 0.2), (0.8, 0.2))
    expect_results(page)
    assert violations(page) == []


def test_sketch_finding_and_looking_with_the_keyboard_alone(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "paper":
            break
    assert page.evaluate("document.activeElement.id") == "paper"
    assert page.locator("#cursor").evaluate("(cursor) => getComputedStyle(cursor).visibility") == "visible"
    page.keyboard.press("Space")
    assert page.locator("#live").text_content() == "Pen down"
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft"):
        for _ in range(6):
            page.keyboard.press(key)
    page.keyboard.press("Space")
    found = expect_results(page)
    inked = ink(page)
    assert inked > 300
    page.keyboard.press("e")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    assert ink(page) == 0  # the eraser was on the line
    page.keyboard.press("Control+z")
    assert ink(page) == inked
    assert alike(results(page), found)
    page.keyboard.press("f")
    assert ink(page) > inked
    page.keyboard.press("p")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "photo":
            break
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    columns = page.evaluate(
        "new Set([...document.querySelectorAll('#grid li')].map((tile) => tile.style.insetInlineStart)).size"
    )
    until(page, f"document.activeElement.closest('li')?.ariaPosInSet === '{columns + 2}'")
    page.keyboard.press("Enter")
    assert page.locator("#viewer").is_visible()
    until(page, "document.activeElement.closest('dialog')?.id === 'viewer'")
    page.keyboard.press("Escape")
    until(page, f"document.activeElement.closest('li')?.ariaPosInSet === '{columns + 2}'")


def test_right_to_left_the_grid_begins_at_the_right(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    page.evaluate("document.documentElement.dir = 'rtl'")
    draw(page, (0.2, 0.2), (0.8, 0.2))
    expect_results(page)
    first, second = (page.locator("#grid li").nth(i).bounding_box() for i in (0, 1))
    sheet = page.locator("#sheet").bounding_box()
    assert first is not None
    assert second is not None
    assert sheet is not None
    assert second["x"] < first["x"] < sheet["x"]
    page.locator("#grid .photo").first.focus()
    page.keyboard.press("ArrowLeft")
    until(page, "document.activeElement.closest('li')?.ariaPosInSet === '2'")
    assert ink(page) > 300


def test_reduced_motion_fades_nothing(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url, reduced_motion="reduce")
    draw(page, (0.2, 0.2), (0.8, 0.2))
    expect_results(page)
    times = page.evaluate(
        "[...document.querySelectorAll('#grid img, .caption')].map((e) => getComputedStyle(e).transitionDuration)"
    )
    assert set(times) == {"0s"}


@pytest.mark.parametrize("size", [(320, 640), (390, 844), (844, 390), (1024, 768), (3840, 2160)])
def test_nothing_is_cut_off_at_any_size(
    new_page: Callable[..., Page], url: str, size: tuple[int, int], tmp_path: Path
) -> None:
    width, height = size
    page = new_page(url, viewport={"width": width, "height": height})
    picture(5).save(tmp_path / "a picture with quite a long name that says what it shows.png")
    page.set_input_files("#file", next(tmp_path.glob("*.png")))
    expect_results(page)
    for opened in ("", "document.getElementById('library').click()"):
        page.evaluate(opened)
        outside = page.evaluate(
            """[...document.querySelectorAll("button, input, p, select, canvas")].filter((element) => {
                 const { left, right, width } = element.getBoundingClientRect();
                 return width > 1 && !element.closest(".chips") && // which scrolls
                    (left < -1 || right > innerWidth + 1);
               }).map((element) => element.outerHTML)"""
        )
        assert outside == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_eraser_width_and_fit(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    draw(page, (0.2, 0.2), (0.8, 0.2))
    thin = ink(page)
    page.locator("#width").evaluate("(range) => { range.value = 19; range.dispatchEvent(new Event('input')); }")
    draw(page, (0.2, 0.5), (0.8, 0.5))
    both = ink(page)
    assert both - thin > 2 * thin
    page.locator("#eraser").click()
    draw(page, (0.5, 0.1), (0.5, 0.3))  # across the thin line alone
    assert ink(page) == pytest.approx(both - thin, rel=0.02)
    page.locator("#undo").click()
    assert ink(page) == both
    menu(page, "#fit")
    assert ink(page) > 1.2 * both
    assert expect_results(page)


def test_a_user_logs_in_and_out(new_page: Callable[..., Page], library: Library, url: str, tmp_path: Path) -> None:
    anyone = new_page(url)
    anyone.locator("#library").click()
    until(anyone, "document.getElementById('panel-holds').textContent.includes('61 photos')")
    assert anyone.locator("#log-out").is_hidden()

    users = tmp_path / "users"
    write_users(users, {"ann": User("ann", "password", "search", hash_password("correct horse battery"))})
    with serving(library, thumbnails=tmp_path / "thumbnails", sharing=Sharing(users=Users(users))) as shared:
        page = new_page(shared, encode="", failing="status of 401")
        page.locator("#name").fill("ann")
        page.locator("#password").fill("correct horse battery")
        page.get_by_role("button", name="Log in").click()
        until(page, "document.getElementById('hint')?.textContent.includes('Draw')")
        page.locator("#library").click()
        page.locator("#session").wait_for()
        assert page.locator("#session-user").inner_text() == "You are logged in as ann."
        assert page.locator("#panel-error").is_hidden()
        assert violations(page) == []
        page.locator("#log-out").click()
        page.locator("#password").wait_for()
        assert page.request.get(f"{shared}api/v1/status").status == 401
