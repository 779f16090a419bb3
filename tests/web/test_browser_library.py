"""The page in a real browser: the library, indexing and its progress, failures, folders, several libraries."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from browsing import draw, expect_results, until
from served import picture, serving
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library
from sketchseek.search.local_library import LocalLibrary

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_what_is_indexed_and_what_failed_and_why(new_page: Callable[..., Page], url: str, photos: Path) -> None:
    page = new_page(url)
    page.locator("#library").click()
    until(page, "document.getElementById('panel-holds').textContent.includes('61 photos')")
    assert "model tiny" in page.locator("#panel-holds").inner_text()
    assert page.locator("#panel-folders").inner_text() == str(photos)
    page.locator("#failures-summary").click()
    failure = page.locator("#failures-list li")
    assert failure.locator("bdi").inner_text() == str(photos / "broken.png")
    assert len(failure.locator("p").inner_text()) > 5
    assert page.locator("#read-only").is_visible()
    assert page.locator("#adding").is_hidden()
    page.keyboard.press("Escape")
    assert page.locator("#panel").is_hidden()


def hold_adding(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Have every adding wait at its first photo for the first event; the second says that it does."""
    gate, reached = threading.Event(), threading.Event()
    plain = LocalLibrary.add

    def held(library: LocalLibrary, folders: Any, tell: Any, **options: Any) -> Any:
        def slow(progress: Any) -> None:
            tell(progress)
            if progress.stage == "embed":
                reached.set()
                gate.wait(20)

        return plain(library, folders, slow, **options)

    monkeypatch.setattr(LocalLibrary, "add", held)
    return gate, reached


def test_a_folder_is_added_and_its_progress_is_pushed(
    new_page: Callable[..., Page], tiny_model: ModelPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "root" / "<b>holidays & more"
    folder.mkdir(parents=True)
    for number in range(6):
        picture(number).save(folder / f"{number}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    for name in ("1.psd", "2.psd", "3.xcf"):
        (folder / name).write_bytes(b"x")
    gate, reached = hold_adding(monkeypatch)
    with (
        Library.open(tmp_path / "library", tiny_model.path, create=True) as library,
        serving(library, thumbnails=tmp_path / "thumbnails", roots=[tmp_path / "root"]) as address,
    ):
        page = new_page(address)
        until(page, "document.getElementById('hint').textContent.includes('0 photos')")
        page.locator("#library").click()
        page.locator("#folder-list button").click()  # the root
        page.locator("#folder-list button", has_text="holidays").click()
        until(page, f"document.getElementById('folder-path').textContent === {str(folder)!r}")
        assert page.locator("#no-folders").is_visible()
        page.locator("#up").click()
        page.locator("#folder-list button", has_text="holidays").click()
        until(page, f"document.getElementById('folder-path').textContent === {str(folder)!r}")
        page.locator("#add").click()
        page.locator("#stop").wait_for()
        assert reached.wait(20)
        until(page, "document.getElementById('progress-text').textContent.includes('of')")
        assert page.locator("#progress-bar").is_visible()
        assert page.locator("#add").is_disabled()
        assert "Indexing" in (page.locator("#running").text_content() or "")
        gate.set()
        until(page, "document.getElementById('progress-text').textContent.startsWith('Done: 6 new')")
        assert "1 not readable" in page.locator("#progress-text").inner_text()
        until(page, "document.getElementById('library-text').textContent === '6 photos'")
        until(page, "!document.getElementById('failures').hidden")
        assert page.locator("#unread").inner_text() == "3 files in formats that are not read: psd 2, xcf 1"
        page.locator("#panel-close").click()
        draw(page, (0.2, 0.2), (0.8, 0.2))
        assert len(expect_results(page)) == 6
        page.locator("#library").click()
        picture(50).save(folder / "new.png")
        page.locator("#sync").click()
        until(page, "document.getElementById('library-text').textContent === '7 photos'")
        until(page, "document.querySelectorAll('#grid li').length === 7")  # it was asked again


def test_adding_is_stopped_and_goes_on_later(
    new_page: Callable[..., Page], tiny_model: ModelPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for number in range(6):
        picture(number).save(root / f"{number}.png")
    gate, reached = hold_adding(monkeypatch)
    with (
        Library.open(tmp_path / "library", tiny_model.path, create=True) as library,
        serving(library, thumbnails=tmp_path / "thumbnails", roots=[root]) as address,
    ):
        page = new_page(address)
        page.locator("#library").click()
        page.locator("#folder-list button").click()
        page.evaluate("document.getElementById('panel-folders').style.marginBlockEnd = '2000px'")  # a long list
        page.locator("#add").click()
        assert reached.wait(20)
        page.locator("#stop").wait_for()
        box = "document.getElementById('stop').getBoundingClientRect()"
        until(page, f"{box}.top > 0 && {box}.bottom < innerHeight")
        with page.expect_response("**/api/v1/indexing/stop") as stopped:
            page.locator("#stop").click()
        assert stopped.value.ok
        gate.set()
        until(page, "document.getElementById('progress-text').textContent.startsWith('Stopped.')")
        assert page.locator("#stop").is_hidden()
        assert page.locator("#progress-bar").is_hidden()
        assert page.locator("#running").is_hidden()
        page.locator("#add").click()
        until(page, "document.getElementById('progress-text').textContent.startsWith('Done:')")
        until(page, "document.getElementById('library-text').textContent === '6 photos'")
        assert library.count() == 6


def test_several_libraries(new_page: Callable[..., Page], url_of_two: str, tmp_path: Path) -> None:
    page = new_page(url_of_two)
    draw(page, (0.2, 0.2), (0.8, 0.2))
    expect_results(page)
    page.locator("#choice").select_option("the few & others")
    until(page, "document.querySelectorAll('#grid li').length === 3")
    until(page, "document.querySelectorAll('#grid img').length === 3")
    assert page.locator("#library-text").inner_text() == "3 photos"
    assert all(name.startswith("few") for name in expect_results(page))
    page.locator("#grid .photo").first.click()
    until(page, "document.getElementById('viewer-facts').textContent.includes('pixels')")
    assert page.locator("#viewer-path").inner_text().startswith(str(tmp_path / "few"))
    page.keyboard.press("Escape")
    page.locator("#library").click()
    until(page, "document.getElementById('panel-name').textContent === 'the few & others'")


def test_one_library_is_no_choice(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    assert page.locator("#choice").is_hidden()
