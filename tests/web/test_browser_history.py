"""The page in a real browser: Back, Forward, reload and links."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browsing import CLEARED, alike, draw, expect_results, ink, menu, results, until
from served import picture

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

VIEWER = "document.getElementById('viewer').open"


def test_a_reload_keeps_the_drawing_and_the_filter(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
    draw(page, (0.3, 0.5), (0.6, 0.5))
    found, inked = expect_results(page), ink(page)
    page.locator("#filters summary").click()
    page.locator("#before").fill("2090-02-03")
    until(page, "location.hash.includes('before=2090-02-03')")
    page.reload()
    assert alike(expect_results(page), found)
    assert ink(page) == inked
    assert page.locator("#filter-count").inner_text() == "1"
    page.locator("#clear").click()
    until(page, CLEARED)
    page.go_back()  # to the drawing that was cleared
    assert alike(expect_results(page), found)
    assert ink(page) == inked


def test_back_closes_the_viewer_and_stays_on_the_page(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    draw(page, (0.2, 0.2), (0.8, 0.2))
    found = expect_results(page)
    page.locator("#grid .photo").nth(2).click()
    page.keyboard.press("ArrowRight")
    page.go_back()  # at once
    until(page, f"!{VIEWER}")
    assert alike(results(page), found)
    assert ink(page) > 0
    page.go_forward()
    until(page, VIEWER)
    assert page.locator("#viewer-name").inner_text() == found[3]
    assert page.locator("#viewer-rank").inner_text().startswith("4 of")
    page.reload()
    until(page, VIEWER)
    assert page.locator("#viewer-name").inner_text() == found[3]
    until(page, "document.getElementById('viewer-rank').textContent.startsWith('4 of')")  # once the results are there
    page.go_back()
    until(page, f"!{VIEWER}")
    assert alike(expect_results(page), found)


def test_a_change_right_before_a_reload_is_kept(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    draw(page, (0.2, 0.2), (0.8, 0.2))
    found = expect_results(page)
    page.locator("#grid .photo").first.click()
    until(page, VIEWER)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.reload()
    until(page, VIEWER)
    assert page.locator("#viewer-name").inner_text() == found[2]
    page.keyboard.press("Escape")
    page.locator("#words").press_sequentially("disc 02", delay=0)
    page.reload()
    until(page, "document.getElementById('words').value === 'disc 02'")


def test_many_changes_of_the_address_are_not_too_many_for_browsers(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    page.evaluate(
        """() => {
          window.written = 0;
          const plain = history.replaceState.bind(history);
          history.replaceState = (...all) => { written++; plain(...all); };
        }"""
    )
    for number in range(120):
        page.locator("#words").fill(f"disc {number}")
    assert 30 <= page.evaluate("written") < 100
    until(page, "location.hash === '#text=disc+119'")


def test_clearing_the_sheet_right_after_the_viewer_keeps_undo(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    draw(page, (0.2, 0.2), (0.8, 0.2))
    draw(page, (0.5, 0.1), (0.5, 0.9))
    expect_results(page)
    inked = ink(page)
    page.locator("#grid .photo").first.click()
    until(page, VIEWER)
    page.evaluate(
        """() => {
          document.getElementById("viewer-close").click();
          addEventListener("close", () => document.getElementById("clear").click(), { capture: true, once: true });
        }"""
    )
    until(page, "!location.hash.includes('photo=') && !location.hash.includes('sketch=')")
    assert ink(page) == 0
    page.locator("#undo").click()
    assert ink(page) == inked
    page.locator("#undo").click()
    assert 0 < ink(page) < inked
    page.go_back()  # to the drawing that was cleared
    until(page, "location.hash.includes('sketch=')")
    assert ink(page) == inked


def test_closing_the_viewer_leaves_no_entry_behind(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    draw(page, (0.2, 0.2), (0.8, 0.2))
    expect_results(page)
    page.locator("#grid .photo").first.click()
    page.locator("#viewer-like").click()
    until(page, "location.hash.startsWith('#like=')")
    similar = expect_results(page)
    for close in ("Escape", "Escape"):
        page.locator("#grid .photo").nth(1).click()
        until(page, VIEWER)
        page.keyboard.press(close)
        until(page, f"!{VIEWER} && !location.hash.includes('photo=')")
    assert alike(results(page), similar)
    page.go_back()  # to the viewer that "more like this" left
    until(page, VIEWER)
    page.go_back()
    until(page, f"!{VIEWER} && location.hash.startsWith('#sketch=')")
    assert page.locator("#about").is_hidden()
    page.go_forward()
    page.go_forward()
    until(page, "location.hash.startsWith('#like=')")
    assert alike(results(page), similar)
    assert "Photos like" in page.locator("#about-text").inner_text()


def test_a_link_is_shared(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url, permissions=["clipboard-read", "clipboard-write"])
    draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
    found = expect_results(page)
    menu(page, "#copy-link")
    until(page, "document.getElementById('copy-link-text').textContent === 'Copied'")
    page.keyboard.press("Escape")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(url)
    assert len(link) < 200

    other = new_page(link)
    assert expect_results(other)[0] == found[0]
    assert ink(other) > 500
    other.locator("#grid .photo").first.click()
    until(other, "location.hash.includes('photo=')")
    other.locator("#viewer-like").click()
    until(other, "location.hash.startsWith('#like=')")
    similar = expect_results(other)

    liked = new_page(other.url)
    assert alike(expect_results(liked), similar)
    until(liked, f"document.getElementById('about-text').textContent === 'Photos like {found[0]}'")


def test_back_from_a_shared_photo_stays_on_the_page(
    new_page: Callable[..., Page], url: str, id_of: dict[str, int]
) -> None:
    page = new_page(f"{url}#photo={id_of['disc 023.png']}")
    until(page, VIEWER)
    assert page.locator("#viewer-name").inner_text() == "disc 023.png"
    until(page, "document.getElementById('viewer-rank').textContent.endsWith('of 61')")  # among all photos
    page.go_back()
    until(page, f"!{VIEWER}")
    assert page.locator("#hint").is_visible()
    page = new_page(f"{url}#photo=999999999&sketch=nonsense&before=tomorrow", failing="status of 404")
    page.locator("#notice").wait_for()
    assert "no photo" in page.locator("#notice-text").inner_text()
    assert page.locator("#viewer").is_hidden()
    assert ink(page) == 0


def test_a_reload_keeps_an_uploaded_picture(new_page: Callable[..., Page], url: str, tmp_path: Path) -> None:
    page = new_page(url)
    picture(23).save(tmp_path / "mine.png")
    page.set_input_files("#file", tmp_path / "mine.png")
    expect_results(page)
    page.locator("#kind input[value=photo]").check()
    assert results(page)[0] == "disc 023.png"
    until(page, "history.state.entry.picture.kind === 'photo'")
    page.reload()
    assert expect_results(page)[0] == "disc 023.png"
    assert page.locator("#about-text").inner_text() == "mine.png"
    assert page.locator("#kind input[value=photo]").is_checked()
    page.go_back()
    until(page, "document.getElementById('kind-sketch').checked")
    page.go_back()
    until(page, "document.getElementById('about').hidden")
    page.locator("#hint").wait_for()


def test_a_reload_keeps_the_library_and_back_leaves_it(new_page: Callable[..., Page], url_of_two: str) -> None:
    page = new_page(url_of_two)
    draw(page, (0.2, 0.2), (0.8, 0.2))
    expect_results(page)
    page.locator("#choice").select_option("the few & others")
    until(page, "document.querySelectorAll('#grid li').length === 3")
    page.reload()
    until(page, "document.getElementById('library-text').textContent === '3 photos'")
    until(page, "document.querySelectorAll('#grid li').length === 3")
    assert page.locator("#choice").input_value() == "the few & others"
    page.go_back()
    until(page, "document.getElementById('library-text').textContent === '61 photos'")
    until(page, "document.querySelectorAll('#grid li').length > 3")
    assert page.locator("#choice").input_value() == "discs"
    gone = new_page(f"{url_of_two}#library=sold", failing="status of 404")
    gone.locator("#notice").wait_for()
    assert "no library" in gone.locator("#notice-text").inner_text()
    until(gone, "document.getElementById('library-text').textContent === '61 photos'")
