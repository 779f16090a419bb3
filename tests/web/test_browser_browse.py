"""The page in a real browser: photos before a query, selecting several, favorites and saved searches."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browsing import CLEARED, PHONE, READY, alike, draw, expect_results, ink, menu, results, until
from sketchseek.search.library import Library

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

FIRST_PHOTO = "[...document.querySelectorAll('#grid img')].some((i) => i.naturalWidth)"


def test_before_a_drawing_the_newest_photos_are_shown(
    new_page: Callable[..., Page], url: str, library: Library, photos: Path
) -> None:
    page = new_page(url)
    until(page, FIRST_PHOTO)
    newest = [one.path.name for one in library.browse(k=100)]
    assert alike(results(page), newest)
    assert page.locator("#hint").is_visible()
    assert page.locator("#examples button").count() == 3
    page.locator("#order").select_option("oldest")
    until(page, f"document.querySelector('#grid .caption').textContent === {newest[-1]!r}")
    assert alike(results(page), newest[::-1])
    page.locator("#order").select_option("path")
    page.locator("#browse-folders button", has_text="below").click()
    until(page, "document.querySelectorAll('#grid li').length === 15")
    assert results(page) == sorted(file.name for file in (photos / "below").iterdir())
    page.locator("#grid .photo").nth(1).click()
    until(page, "document.getElementById('viewer-facts').textContent.includes('pixels')")
    assert "NaN" not in page.locator("#viewer").inner_text()
    assert page.locator("#viewer-rank").inner_text() == "2 of 15"
    assert page.locator("#viewer-right").is_hidden()  # there is no query to refine
    page.keyboard.press("+")
    page.keyboard.press("Escape")
    assert page.locator("#marked").is_hidden()
    page.locator("#browse-folders button", has_text="below").click()  # all again
    until(page, "document.querySelectorAll('#grid li').length > 15")
    draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
    found = expect_results(page)
    assert found != newest[: len(found)]
    assert page.locator("#browse").is_hidden()
    page.keyboard.press("Delete")
    until(page, CLEARED)


def test_scrolling_goes_on_through_all_photos(new_page: Callable[..., Page], url: str, library: Library) -> None:
    page = new_page(url, viewport={"width": 700, "height": 500})
    until(page, FIRST_PHOTO)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    oldest = library.browse("oldest", k=1)[0].path.name
    until(page, f"[...document.querySelectorAll('.caption')].some((c) => c.textContent === {oldest!r})")


def test_several_photos_are_selected_and_downloaded(new_page: Callable[..., Page], url: str, photos: Path) -> None:
    page = new_page(url, permissions=["clipboard-read", "clipboard-write"])
    draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
    found = expect_results(page)
    page.locator("#select").click()
    assert page.locator("#select-zip").is_hidden()
    page.locator("#grid .photo").nth(1).click()
    page.locator("#grid .photo").nth(3).click(modifiers=["Shift"])
    assert page.locator("#viewer").is_hidden()
    assert page.locator("#selected-text").inner_text() == "3 selected"
    page.locator("#grid .photo").nth(2).click()
    assert page.locator("#grid .photo[aria-pressed=true]").count() == 2
    chosen = [found[1], found[3]]
    page.locator("#select-paths").click()
    until(page, "document.getElementById('select-paths').textContent === 'Copied'")
    paths = page.evaluate("navigator.clipboard.readText()").split("\n")
    assert [Path(path).name for path in paths] == chosen
    with page.expect_download() as saved:
        page.locator("#select-zip").click()
    assert saved.value.suggested_filename == "photos.zip"
    with zipfile.ZipFile(io.BytesIO(Path(saved.value.path()).read_bytes())) as archive:
        assert archive.namelist() == chosen
        assert archive.read(chosen[0]) == Path(paths[0]).read_bytes()
    page.keyboard.press("Escape")
    assert page.locator("#selected").is_hidden()
    assert page.locator("#grid .photo[aria-pressed]").count() == 0
    page.locator("#grid .photo").nth(1).click()
    until(page, "document.getElementById('viewer').open")


def test_a_result_can_be_dragged_out(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
    found = expect_results(page)
    dragged = page.evaluate(
        """() => {
          const data = new DataTransfer();
          const photo = document.querySelector("#grid .photo");
          photo.dispatchEvent(new DragEvent("dragstart", { dataTransfer: data, bubbles: true }));
          return Object.fromEntries(["DownloadURL", "text/uri-list", "text/plain"].map((t) => [t, data.getData(t)]));
        }"""
    )
    address = dragged["text/uri-list"]
    assert dragged["DownloadURL"] == f"application/octet-stream:{found[0]}:{address}"
    assert Path(dragged["text/plain"]).name == found[0]
    answer = page.request.get(address)
    assert answer.ok
    assert answer.body() == Path(dragged["text/plain"]).read_bytes()


def test_favorites_and_searches_are_kept(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
    found, inked = expect_results(page), ink(page)
    page.locator("#grid .photo").nth(2).click()
    page.locator("#viewer-favorite").click()
    assert page.locator("#viewer-favorite").get_attribute("aria-pressed") == "true"
    page.keyboard.press("Escape")
    menu(page, "#save-search")
    assert page.locator("#saved-searches a").count() == 1
    page.keyboard.press("Escape")
    page.locator("#clear").click()
    until(page, CLEARED)
    page.goto(url)
    until(page, READY)
    menu(page, "#open-saved")
    assert page.locator("#saved-photos .saved-photo").get_attribute("title") == found[2]
    page.locator("#saved-searches a").click()
    assert expect_results(page)[0] == found[0]
    assert abs(ink(page) - inked) < 0.15 * inked  # links simplify lines
    menu(page, "#open-saved")
    page.locator("#saved-photos .saved-photo").click()
    until(page, "document.getElementById('viewer').open")
    assert page.locator("#viewer-name").inner_text() == found[2]
    page.keyboard.press("Escape")
    menu(page, "#open-saved")
    for remove in ("#saved-photos .remove", "#saved-searches .remove"):
        page.locator(remove).click()
    assert page.locator("#no-favorites").is_visible()
    assert page.locator("#no-searches").is_visible()


def test_shortcuts_are_listed(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    page.keyboard.press("?")
    assert page.locator("#shortcuts").is_visible()
    assert page.locator("#shortcut-list dt").count() == page.locator("#shortcut-list dd").count() > 10
    page.keyboard.press("Escape")
    page.locator("#shortcuts").wait_for(state="hidden")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "words"
    page.keyboard.press("?")  # typed
    assert page.locator("#shortcuts").is_hidden()


def test_on_a_phone_a_small_drawing_brings_the_sheet_back(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url, **PHONE)
    draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
    expect_results(page)
    assert page.locator("#to-sheet").is_hidden()
    page.evaluate("scrollTo(0, 1200)")
    page.locator("#to-sheet").wait_for()
    assert page.locator("#to-sheet polyline").count() == 1
    page.locator("#to-sheet").click()
    until(page, "document.getElementById('sheet').getBoundingClientRect().top >= 0")
    assert page.evaluate("scrollY") == pytest.approx(1200, abs=2)  # the results stay where they are
    page.locator("#to-sheet").wait_for(state="hidden")
