"""The page in a real browser: the viewer, refining, filters, parts of pictures, results without end."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from browsing import PHONE, alike, body_of, draw, expect_results, results, until
from served import COUNT, picture, serving
from sketchseek.models import DEFAULT_MODEL
from sketchseek.models.package import ModelPackage, bundled_models
from sketchseek.search.catalog import Catalog, Row
from sketchseek.search.index_mirror import IndexMirror
from sketchseek.search.library import Library

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

MANY = 100_000


def test_the_viewer_and_more_like_this(new_page: Callable[..., Page], url: str, photos: Path) -> None:
    page = new_page(url)
    draw(page, (0.2, 0.2), (0.8, 0.2))
    found = expect_results(page)
    page.locator("#grid .photo").nth(2).click()
    viewer = page.locator("#viewer")
    assert viewer.locator("h2").inner_text() == found[2]
    until(page, "document.getElementById('viewer-image').naturalWidth > 0")
    until(page, "document.getElementById('viewer-facts').textContent.includes('pixels')")
    assert str(photos) in page.locator("#viewer-path").inner_text()
    assert re.search(
        r"Score -?\d\.\d{3} · \d+ × \d+ pixels · [\d.,]+ (bytes|kB) · \w+ \d+, \d{4}",
        page.locator("#viewer-facts").inner_text(),
    )
    page.keyboard.press("ArrowRight")
    assert viewer.locator("h2").inner_text() == found[3]
    page.keyboard.press("Escape")
    assert not viewer.is_visible()
    until(page, "document.activeElement.closest('li')?.ariaPosInSet === '4'")

    page.keyboard.press("Enter")
    with page.expect_request("**/api/v1/search/photo/*"):
        page.locator("#viewer-like").click()
    until(page, "!document.getElementById('about').hidden")
    assert found[3] in page.locator("#about-text").inner_text()
    assert found[3] not in results(page)
    page.locator("#back").click()
    assert alike(results(page), found)


def test_results_are_announced_and_labelled(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    draw(page, (0.2, 0.2), (0.8, 0.2))
    found = expect_results(page)
    said = f"{COUNT + 1} photos, best first: {found[0]}."
    until(page, f"document.getElementById('live').textContent === '{said}'")
    assert page.locator("#grid .photo").first.get_attribute("aria-label") == f"1: {found[0]}"


def test_a_result_is_downloaded_and_its_path_copied(new_page: Callable[..., Page], url: str, photos: Path) -> None:
    page = new_page(url, permissions=["clipboard-read", "clipboard-write"])
    draw(page, (0.2, 0.2), (0.8, 0.2))
    found = expect_results(page)
    page.locator("#grid .photo").first.click()
    with page.expect_download() as download:
        page.locator("#viewer-download").click()
    assert download.value.suggested_filename == found[0]
    assert Path(download.value.path()).read_bytes() == next(photos.rglob(found[0])).read_bytes()
    page.locator("#viewer-copy").click()
    until(page, "document.getElementById('viewer-copy').textContent === 'Copied'")
    assert page.evaluate("navigator.clipboard.readText()") == str(next(photos.rglob(found[0])))


def test_the_folder_is_opened_where_that_may_be(
    new_page: Callable[..., Page], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    monkeypatch.setattr("sketchseek.server.routers.library.can_show", lambda: True)
    monkeypatch.setattr("sketchseek.server.routers.photos.show_in_folder", opened.append)
    page = new_page(url)
    draw(page, (0.2, 0.2), (0.8, 0.2))
    found = expect_results(page)
    page.locator("#grid .photo").first.click()
    page.locator("#viewer-open").click()
    until(page, "document.getElementById('viewer-open').textContent === 'Opened'")
    assert [path.name for path in opened] == [found[0]]


def test_marks_refine_and_can_be_taken_back(new_page: Callable[..., Page], url: str, library: Library) -> None:
    page = new_page(url)
    sent_strokes: list[Any] = []
    page.on("request", lambda one: sent_strokes.append(one.post_data_json) if "sketch" in one.url else None)
    draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
    found = expect_results(page)
    page.locator("#grid li").nth(4).hover()
    with page.expect_request("**/api/v1/search/refine") as sent:
        page.locator("#grid li").nth(4).locator(".mark[data-right=true]").click()
    right = body_of(sent.value)["positive"]
    strokes = sent_strokes[-1]["strokes"]
    assert [one.path.name for one in library.search(strokes, k=5)][-1] == found[4]
    refined = results(page)
    assert refined == [one.path.name for one in library.refine(strokes, positive=right, k=len(refined))]
    assert page.locator("#grid li.right").count() == 1
    page.locator("#grid .photo").nth(1).focus()
    with page.expect_request("**/api/v1/search/refine") as sent:
        page.keyboard.press("-")
    assert body_of(sent.value)["negative"] == [library.refine(strokes, positive=right, k=2)[1].id]
    assert refined[1] not in results(page)
    assert page.locator("#marked-text").inner_text() == "Refined by 1 right, 1 wrong"
    page.locator("#marks .wrong").click()
    assert alike(results(page), refined)
    page.locator("#forget").click()
    assert alike(results(page), found)
    assert page.locator("#marked").is_hidden()
    page.locator("#grid .photo").nth(2).click()
    page.locator("#viewer-right").click()
    until(page, "document.getElementById('viewer-right').ariaPressed === 'true'")
    page.locator("#viewer-next").click()
    gone = page.locator("#viewer-name").inner_text()
    with page.expect_response("**/api/v1/search/refine"):
        page.keyboard.press("-")
    until(page, f"[...document.querySelectorAll('#grid .caption')].every((one) => one.textContent !== '{gone}')")
    after = results(page)
    page.keyboard.press("ArrowRight")  # to what took its place
    assert page.locator("#viewer-name").inner_text() in after
    assert page.locator("#viewer-name").inner_text() != gone
    page.keyboard.press("Escape")
    page.keyboard.press("Delete")  # a fresh sheet begins without marks
    assert page.locator("#marked").is_hidden()


def test_results_are_narrowed_by_folder_and_date(
    new_page: Callable[..., Page], url: str, library: Library, photos: Path
) -> None:
    page = new_page(url)
    draw(page, (0.2, 0.2), (0.8, 0.2))
    everything = expect_results(page)
    page.locator("#filters summary").click()
    below = {file.name for file in (photos / "below").iterdir()}
    with page.expect_response("**/api/v1/search/sketch"):
        page.locator("#folder").fill(str(photos / "below"))
        page.locator("#folder").press("Enter")
    assert set(results(page)) == below
    assert page.locator("#filter-count").inner_text() == "1"
    today = datetime.now().date()
    page.locator("#before").fill(str(today))  # the whole day counts
    assert set(results(page)) == below
    with page.expect_response("**/api/v1/search/sketch"):
        page.locator("#before").fill("2001-02-03")
    until(page, "document.querySelectorAll('#grid li').length === 0")
    assert "left to show" in page.locator("#hint").inner_text()
    page.locator("#no-filter").click()
    assert alike(expect_results(page), everything)
    page.locator("#grid .photo").nth(everything.index(next(iter(below & set(everything))))).click()
    until(page, "!document.getElementById('viewer-folder').disabled")
    page.locator("#viewer-folder").click()
    until(page, "document.getElementById('filter-count').textContent === '1'")
    assert set(results(page)) == below


def test_a_part_of_a_result_is_searched_with(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    draw(page, (0.2, 0.2), (0.8, 0.2))
    found = expect_results(page)
    page.locator("#grid .photo").first.click()
    with page.expect_request("**/api/v1/search/image"):
        page.locator("#viewer-part").click()
    assert found[0] in page.locator("#about-text").inner_text()
    whole = expect_results(page)
    assert whole[0] == found[0]  # the photo itself
    box = page.locator("#crop-area").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.4 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.6 * box["height"], steps=4)
    with page.expect_request("**/api/v1/search/image"):
        page.mouse.up()
    assert "A part of" in page.locator("#about-text").inner_text()
    assert page.locator("#crop-frame").is_visible()
    with page.expect_request("**/api/v1/search/image"):
        page.locator("#crop-area").press("Shift+ArrowRight")
    with page.expect_request("**/api/v1/search/image"):
        page.locator("#crop").click()  # all of it again
    assert alike(results(page), whole)


def test_a_photographed_sheet_of_paper_is_a_sketch(new_page: Callable[..., Page], url: str, tmp_path: Path) -> None:
    page = new_page(url, **PHONE)
    assert page.locator("#photograph").is_visible()
    camera = page.locator("#camera")
    assert camera.get_attribute("capture") == "environment"
    picture(3).convert("L").point(lambda value: value // 2 + 60).save(tmp_path / "paper.jpg")
    page.set_input_files("#camera", tmp_path / "paper.jpg")
    expect_results(page)
    assert page.locator("#kind input[value=sketch]").is_checked()


def test_results_go_on_to_the_last(new_page: Callable[..., Page], url: str, library: Library) -> None:
    page = new_page(url)
    sent: list[Any] = []
    page.on("request", lambda one: sent.append(one.post_data_json) if "sketch" in one.url else None)
    draw(page, (0.2, 0.2), (0.8, 0.2))
    expect_results(page)
    page.mouse.move(900, 500)
    page.mouse.wheel(0, 20_000)
    until(page, f"document.querySelector('#grid li[aria-posinset=\"{COUNT + 1}\"]')?.dataset.id")
    last = page.locator(f'#grid li[aria-posinset="{COUNT + 1}"]')
    everything = library.search(sent[-1]["strokes"], k=100)
    assert last.locator(".caption").text_content() == everything[-1].path.name
    assert last.get_attribute("aria-setsize") == str(COUNT + 1)


@pytest.fixture(scope="module")
def many(tiny_model: ModelPackage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server of a library of 100,000 entries: a few pictures, each in many folders that are one."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "photos").mkdir()
    for number in range(100):
        picture(number).save(folder / "photos" / f"{number}.png")
    for number in range(MANY // 100):
        (folder / f"{number:03}").symlink_to("photos")
    path = folder / "library"
    Library.create(path, tiny_model.path).close()
    embeddings = np.random.default_rng(0).standard_normal((MANY, tiny_model.manifest.dimensions))
    embeddings = (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float16)
    catalog = Catalog(path, write=True)
    with catalog.transaction():
        for i, embedding in enumerate(embeddings):
            name = os.fsencode(folder / f"{i // 100:03}" / f"{i % 100}.png")
            catalog.add(Row(name, 1, 0, i.to_bytes(32, "big"), 96, 64, embedding.tobytes()))
    IndexMirror(path, tiny_model.manifest.dimensions, "cosine").save(catalog)
    catalog.close()
    with Library.open(path, readonly=True) as library, serving(library, thumbnails=folder / "thumbnails") as address:
        yield address


@pytest.mark.slow
def test_a_hundred_thousand_entries_scroll(new_page: Callable[..., Page], many: str) -> None:
    page = new_page(many)
    until(page, "document.getElementById('library').textContent === '100,000 photos'")
    draw(page, (0.2, 0.2), (0.8, 0.2))
    expect_results(page)
    tiles = "document.querySelectorAll('#grid li').length"
    at_first = page.evaluate(tiles)
    height = page.evaluate("document.documentElement.scrollHeight")
    assert height > MANY / 5 * 150
    page.mouse.move(900, 500)
    for _ in range(10):
        page.mouse.wheel(0, 1500)
    for place in (0.3, 0.9, 0.5):
        page.evaluate(f"scrollTo(0, {place * height})")
        rank = "document.querySelector('#grid li').ariaPosInSet"
        until(page, f"Math.abs({rank} - {place * MANY}) < {0.02 * MANY}")
        until(page, "[...document.querySelectorAll('#grid li')].every((tile) => tile.dataset.id)")
        assert page.evaluate(tiles) <= at_first + 12  # few exist, wherever it is
        ids = page.evaluate("[...document.querySelectorAll('#grid li')].map((tile) => tile.dataset.id)")
        assert len(set(ids)) == len(ids)
    assert page.evaluate("document.documentElement.scrollHeight") == height  # nothing jumped
    page.locator("#grid .photo").nth(8).focus()
    page.keyboard.press("End")
    until(page, f"document.activeElement.closest('li')?.ariaPosInSet === '{MANY}'")
    until(page, "document.activeElement.closest('li').dataset.id")
    page.keyboard.press("Home")
    until(page, "document.activeElement.closest('li')?.ariaPosInSet === '1'")


def test_a_slow_network_shows_what_is_newest(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    page.context.new_cdp_session(page).send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 300, "downloadThroughput": 60_000, "uploadThroughput": 30_000},
    )
    sent: list[Any] = []
    page.on("request", lambda request: sent.append(request) if "api/v1/search" in request.url else None)
    draw(page, (0.2, 0.2), (0.8, 0.2))
    until(page, "document.getElementById('found').ariaBusy === 'true'")
    draw(page, (0.5, 0.2), (0.5, 0.9))
    draw(page, (0.2, 0.2), (0.7, 0.9))
    found = expect_results(page)
    assert len(found) > 12
    page.locator("#undo").click()
    page.locator("#redo").click()
    assert alike(results(page), found)
    assert len(body_of(sent[-1])["strokes"]) == 3


@pytest.mark.real_data
def test_a_real_cat_finds_cats_stroke_by_stroke(new_page: Callable[..., Page], real_data: Path, tmp_path: Path) -> None:
    if DEFAULT_MODEL not in bundled_models():
        pytest.skip("no model is bundled")
    photos = real_data / "sketchy" / "256x256" / "photo" / "tx_000000000000"
    names = ("airplane", "apple", "bicycle", "chair", "guitar", "teapot")
    chosen = [file for name in names for file in sorted((photos / name).iterdir())[:3]]
    chosen += sorted((photos / "cat").iterdir())[:6]
    with (real_data / "quickdraw" / "simplified" / "cat.ndjson").open() as lines:
        strokes = json.loads(next(itertools.islice(lines, 3, None)))["drawing"]
    with Library.open(tmp_path / "library", create=True) as library:
        library.add(chosen)
        with serving(library, thumbnails=tmp_path / "thumbnails") as address:
            page = new_page(address, encode="browser")
            until(page, "document.getElementById('where').dataset.mode === 'browser'")
            for xs, ys in strokes:
                draw(page, *[(0.1 + x / 320, 0.1 + y / 320) for x, y in zip(xs, ys, strict=True)])
                expect_results(page)  # after each
            page.wait_for_timeout(300)
            paths = page.evaluate("[...document.querySelectorAll('#grid .photo')].map((photo) => photo.title)")
    cats = [re.search(r"/cat/", path) is not None for path in paths[:6]]
    assert sum(cats) >= 4, paths[:6]
