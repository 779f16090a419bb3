"""The page in a real browser: what it says while a library fills and while the server is gone, and examples."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from browsing import CLEARED, draw, expect_results, ink, results, until
from served import picture, serving
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library
from sketchseek.search.local_library import LocalLibrary
from sketchseek.search.results import IndexProgress

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def test_while_a_library_fills_every_line_says_so_and_the_drawing_is_searched(
    new_page: Callable[..., Page], tiny_model: ModelPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    (root / "first").mkdir(parents=True)
    (root / "second").mkdir()
    for number in range(4):
        picture(number).save(root / "first" / f"{number}.png")
        picture(number + 4).save(root / "second" / f"{number + 4}.png")
    started, half, rest = threading.Event(), threading.Event(), threading.Event()
    plain = LocalLibrary.add

    def in_halves(library: LocalLibrary, folders: Any, tell: Any, **options: Any) -> Any:
        """Add one folder, wait, add the other: as one run that commits twice."""
        tell(IndexProgress("embed", 0, 8))
        assert started.wait(60)
        plain(library, [root / "first"], **options)
        tell(IndexProgress("embed", 4, 8, indexed=4))
        assert half.wait(60)
        report = plain(library, [root / "second"], **options)
        tell(IndexProgress("embed", 8, 8, indexed=8))
        assert rest.wait(60)
        return report

    monkeypatch.setattr(LocalLibrary, "add", in_halves)
    with (
        Library.open(tmp_path / "library", tiny_model.path, create=True) as library,
        serving(library, thumbnails=tmp_path / "thumbnails", roots=[root]) as address,
    ):
        page = new_page(address)
        until(page, "document.getElementById('hint').textContent.includes('0 photos')")
        page.locator("#library").click()
        page.locator("#folder-list button").click()
        page.locator("#add").click()
        until(page, "document.getElementById('hint').textContent.startsWith('The first photos are being indexed')")
        started.set()
        until(page, "document.getElementById('panel-holds').textContent.startsWith('4 photos')")
        assert page.locator("#library-text").inner_text() == "4 photos"
        page.locator("#panel-close").click()
        assert "being indexed" in page.locator("#hint").inner_text()
        assert "0 photos" not in page.locator("#hint").inner_text()
        draw(page, (0.2, 0.2), (0.8, 0.2))
        assert len(expect_results(page)) == 4
        half.set()
        until(page, "document.querySelectorAll('#grid li').length === 8")  # the drawing is searched as photos arrive
        assert page.locator("#library-text").inner_text() == "8 photos"
        rest.set()
        until(page, "document.getElementById('running').hidden")


def test_with_the_server_gone_the_server_is_named_and_not_the_files(
    new_page: Callable[..., Page], library: Library, tmp_path: Path
) -> None:
    port = free_port()
    with serving(library, thumbnails=tmp_path, port=port) as address:
        page = new_page(address, failing="net::ERR_CONNECTION_RESET")
        held: list[Any] = []
        page.route("**/thumbnail**", lambda route: held.append(route))  # the server goes while they load
        draw(page, (0.2, 0.2), (0.8, 0.2))
        until(page, "document.querySelectorAll('#grid li').length > 8")
    for route in held:
        route.abort("connectionrefused")
    page.unroute("**/thumbnail**")
    until(page, "document.querySelectorAll('#grid .missing').length > 0")
    page.locator("#notice").wait_for()
    assert "does not answer" in page.locator("#notice-text").inner_text()
    said = set(page.locator("#grid .missing").all_text_contents())
    assert said == {"The server does not answer."}
    page.locator("#grid .photo").first.click()
    until(page, "!document.getElementById('viewer-error').hidden")
    assert page.locator("#viewer-error").inner_text() == "The server does not answer."
    page.keyboard.press("Escape")
    page.keyboard.press("Delete")
    assert page.locator("#hint").inner_text() == "The server does not answer."
    page.locator("#undo").click()
    with serving(library, thumbnails=tmp_path, port=port):
        page.locator("#notice").wait_for(state="hidden")
        expect_results(page)  # the photos are loaded again, too
        until(page, "document.querySelectorAll('#grid .missing').length === 0")


def test_a_file_that_is_gone_is_named_as_gone(
    new_page: Callable[..., Page], tiny_model: ModelPackage, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(2):
        picture(number).save(tmp_path / "photos" / f"{number}.png")
    with Library.open(tmp_path / "library", tiny_model.path, create=True) as library:
        library.add([tmp_path / "photos"])
        (tmp_path / "photos" / "1.png").unlink()
        with serving(library, thumbnails=tmp_path / "thumbnails") as address:
            page = new_page(address, failing="status of 404")
            draw(page, (0.2, 0.2), (0.8, 0.2))
            until(page, "document.querySelectorAll('#grid .missing').length === 1")
            assert "file is missing" in page.locator("#grid .missing").first.inner_text()
            assert page.locator("#notice").is_hidden()


def test_an_example_is_tapped(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    page.locator("#examples button").first.wait_for()
    assert page.locator("#examples button").count() == 3
    page.locator("#examples button", has_text="Bicycle").click()
    expect_results(page)
    inked = ink(page)
    assert inked > 1000
    assert page.locator("#examples").is_hidden()
    assert page.locator("#invite").is_hidden()
    page.keyboard.press("Control+z")
    until(page, CLEARED)
    assert page.locator("#examples").is_visible()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("raw.ndjson", json.dumps({"word": "line", "drawing": [[[0, 90, 255], [10, 40, 200], [0, 9, 20]]]}) + "\n{}\n"),
        ("simplified.ndjson", json.dumps({"drawing": [[[0, 90, 255], [10, 40, 200]], [[7], [9]]]}) + "\n"),
        ("strokes.json", json.dumps([[[0, 1], [0, 1]]])),
    ],
)
def test_dropped_strokes_are_shown_on_the_sheet(new_page: Callable[..., Page], url: str, name: str, text: str) -> None:
    page = new_page(url)
    page.evaluate(
        """([name, text]) => {
          const data = new DataTransfer();
          data.items.add(new File([text], name));
          dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        [name, text],
    )
    expect_results(page)
    assert ink(page) > 500
    assert page.locator("#about").is_hidden()  # it is the drawing now, and can be drawn on
    draw(page, (0.2, 0.2), (0.8, 0.2))
    assert len(results(page)) > 12


def test_strokes_that_are_none_are_an_error(new_page: Callable[..., Page], url: str, tmp_path: Path) -> None:
    (tmp_path / "broken.ndjson").write_text('{"drawing": [[["x"], [1]]]}\n')
    page = new_page(url)
    page.set_input_files("#file", tmp_path / "broken.ndjson")
    page.locator("#notice").wait_for()
    assert page.locator("#notice-text").inner_text() == "This file has no drawing."
    assert ink(page) == 0


def test_one_short_line_says_where_drawings_are_read(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url, encode="")
    until(page, "['', 'faster'].includes(document.getElementById('where').dataset.reason)")
    assert page.locator("#where").inner_text() in ("Your drawing stays on this device", "The server reads your drawing")


def test_the_folder_filter_matches_parts_and_suggests(new_page: Callable[..., Page], url: str, photos: Path) -> None:
    page = new_page(url)
    draw(page, (0.2, 0.2), (0.8, 0.2))
    expect_results(page)
    page.locator("#filters summary").click()
    page.locator("#folder").press_sequentially("ELO")
    until(page, "document.querySelectorAll('#folders option').length === 1")
    option = page.locator("#folders option")
    assert option.get_attribute("value") == str(photos / "below")
    assert option.text_content() == "15 photos"
    with page.expect_response("**/api/v1/search/sketch"):
        page.locator("#folder").press("Enter")
    assert set(results(page)) == {file.name for file in (photos / "below").iterdir()}
    page.reload()
    until(page, "document.getElementById('filter-count').textContent === '1'")
    assert set(expect_results(page)) == {file.name for file in (photos / "below").iterdir()}
