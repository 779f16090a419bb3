"""The page in a real browser, against a real server: sketch, and what comes of it."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from browsing import CLEARED, PHONE, alike, body_of, draw, expect_results, ink, results, until
from served import COUNT, as_bytes, picture, serving
from sketchseek.search.library import Library
from sketchseek.server.app import PAGE

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_sketch_with_the_mouse_finds_what_python_finds(
    new_page: Callable[..., Page], url: str, library: Library
) -> None:
    page = new_page(url)
    assert page.locator("#hint").is_visible()
    until(page, f"document.getElementById('library').textContent === '{COUNT + 1} photos'")
    with page.expect_request("**/api/v1/search/sketch") as sent:
        draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
    found = expect_results(page)
    assert page.locator("#hint").is_hidden()
    assert ink(page) > 500
    strokes = body_of(sent.value)["strokes"]
    assert len(strokes) == 1
    assert abs(strokes[0][0][0] - 200) < 5
    assert abs(strokes[0][1][0] - 200) < 5
    with page.expect_request("**/api/v1/search/sketch") as sent:
        draw(page, (0.5, 0.5), (0.5, 0.5))
    again = expect_results(page)
    final = body_of(sent.value)
    assert len(final["strokes"]) == 2
    assert len(again) > 12
    assert results(page) == [one.path.name for one in library.search(final["strokes"], k=len(again))]
    assert len(found) == len(again)


def test_a_browser_that_encodes_keeps_the_sketch_to_itself(
    new_page: Callable[..., Page], url: str, library: Library
) -> None:
    server = new_page(url)
    until(server, "document.getElementById('where').textContent.startsWith('The server')")
    draw(server, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
    expected = expect_results(server)

    page = new_page(url, encode="browser")
    until(page, "document.getElementById('where').dataset.mode === 'browser'")
    assert "stays on this device" in page.locator("#where").inner_text()
    sent: list[Any] = []
    page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
    found = expect_results(page)
    assert {request.url.rsplit("/api/v1/")[1] for request in sent} == {"search/embedding"}
    embedding = body_of(sent[-1])["embedding"]
    assert found == [one.path.name for one in library.search_embedding(embedding, k=len(found))]
    assert len(set(found[:10]) & set(expected[:10])) >= 9  # test_encoding.py has the exact comparison


def test_the_faster_way_is_chosen_and_shown(new_page: Callable[..., Page], url: str, library: Library) -> None:
    page = new_page(url, encode="")
    until(page, "['', 'faster'].includes(document.getElementById('where').dataset.reason)")
    mode = page.evaluate("document.getElementById('where').dataset.mode")
    said = page.locator("#where").inner_text()
    assert said == ("Your drawing stays on this device" if mode == "browser" else "The server reads your drawing")

    slow = "const start = performance.now(); await new Promise((resolve) => setTimeout(resolve, 150));"
    worker = (PAGE / "encode-worker.js").read_text().replace("const start = performance.now();", slow)
    page = new_page(url, failing="status of 500")
    page.route("**/encode-worker.js", lambda route: route.fulfill(body=worker, content_type="text/javascript"))
    page.goto(url)
    until(page, "document.getElementById('where').dataset.reason === 'faster'")
    assert re.fullmatch(r"1[5-9]\d\.\d [\d.]+", page.locator("#where").get_attribute("data-times") or "")
    sent: list[Any] = []
    page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
    found = expect_results(page)
    assert {request.url.rsplit("/api/v1/")[1] for request in sent} == {"search/sketch"}
    assert found == [one.path.name for one in library.search(body_of(sent[-1])["strokes"], k=len(found))]

    # It fails from now on: the browser, which is ready, takes over.
    failure = {"error": {"type": "InternalError", "message": "The server failed.", "remedy": ""}}
    page.route("**/api/v1/search/sketch", lambda route: route.fulfill(status=500, json=failure))
    draw(page, (0.3, 0.7), (0.6, 0.4))
    until(page, "document.getElementById('where').dataset.mode === 'browser'")
    until(page, "document.getElementById('found').getAttribute('aria-busy') === 'false'")
    assert sent[-1].url.endswith("/api/v1/search/embedding")
    assert page.locator("#notice").is_hidden()


def test_where_the_server_is_slower_the_browser_encodes(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)

    def late(route: Any) -> None:
        time.sleep(0.3)
        route.continue_()

    page.route("**/api/v1/model/embedding", late)
    page.goto(url)
    until(page, "document.getElementById('where').dataset.mode === 'browser'")
    assert page.locator("#where").inner_text() == "Your drawing stays on this device"


def test_results_appear_before_the_line_ends(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    box = page.locator("#paper").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 140, steps=20)
    expect_results(page)  # the button is still down
    page.mouse.up()


def test_undo_redo_and_clear(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    assert page.locator("#undo").is_disabled()
    draw(page, (0.2, 0.2), (0.8, 0.2))
    first = expect_results(page)
    one_line = ink(page)
    draw(page, (0.5, 0.1), (0.5, 0.9))
    expect_results(page)
    assert ink(page) > one_line
    page.keyboard.press("Control+z")
    assert alike(results(page), first)
    assert ink(page) == one_line
    page.locator("#redo").click()
    assert ink(page) > one_line
    page.locator("#clear").click()
    until(page, CLEARED)
    assert ink(page) == 0
    assert page.locator("#hint").is_visible()
    page.locator("#undo").click()  # clearing can be taken back too
    expect_results(page)
    assert ink(page) > one_line
    page.keyboard.press("Delete")
    until(page, CLEARED)


def test_a_finger_draws_on_a_phone(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url, **PHONE)
    box = page.locator("#paper").bounding_box()
    assert box is not None
    touch = page.context.new_cdp_session(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        where = [{"x": box["x"] + x, "y": box["y"] + y} for x, y in points]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": where})

    send("touchStart", (60, 60))
    for step in range(10):
        send("touchMove", (60 + step * 20, 60 + step * 10))
    send("touchEnd")
    expect_results(page)
    assert ink(page) > 500
    assert page.evaluate("scrollY") == 0  # the finger drew; it did not scroll
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
    for button in ("#undo", "#clear", "#choose"):
        place = page.locator(button).bounding_box()
        assert place is not None
        assert place["height"] >= 40
        assert place["x"] + place["width"] <= 390


def test_a_pen_draws_with_pressure_and_every_point_and_a_resting_hand_does_not(
    new_page: Callable[..., Page], url: str
) -> None:
    page = new_page(url)
    pointer = """(kind, type, x, y, pressure, between = []) => {
      const paper = document.getElementById("paper");
      const box = paper.getBoundingClientRect();
      const at = ([x, y]) => ({ pointerType: type, pointerId: 77, isPrimary: true, pressure, bubbles: true,
        clientX: box.x + x * box.width / 100, clientY: box.y + y * box.height / 100 });
      const coalescedEvents = between.map((one) => new PointerEvent("pointermove", at(one)));
      paper.dispatchEvent(new PointerEvent(kind, { ...at([x, y]), coalescedEvents }));
    }"""
    sent: list[Any] = []
    page.on("request", lambda request: sent.append(request.post_data_json) if "search" in request.url else None)

    def stroke(kind: str, y: float, pressure: float, *, near: str = "") -> int:
        before = ink(page)
        page.evaluate(
            f"""() => {{ const pointer = {pointer};
            if ("{near}") pointer("pointermove", "{near}", 50, 10, 0);
            pointer("pointerdown", "{kind}", 10, {y}, {pressure});
            pointer("pointermove", "{kind}", 90, {y}, {pressure}, [[30, {y}], [50, {y + 5}], [70, {y}], [90, {y}]]);
            pointer("pointerup", "{kind}", 90, {y}, 0); }}"""
        )
        return ink(page) - before

    light, hard = stroke("pen", 40, 0.1), stroke("pen", 50, 0.9)
    assert hard > 1.5 * light > 0
    assert stroke("touch", 80, 0.5, near="pen") == 0  # at the same time: the pause between two calls may be long
    expect_results(page)
    assert [len(one[0]) for one in sent[-1]["strokes"]] == [5, 5]
    assert sent[-1]["strokes"][1][0] == pytest.approx([100, 300, 500, 700, 900], abs=3)


def test_a_line_goes_on_beyond_the_sheet(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    with page.expect_request("**/api/v1/search/sketch") as sent:
        draw(page, (0.5, 0.5), (1.4, 0.5), (0.5, 0.9))
    expect_results(page)
    assert body_of(sent.value)
    assert page.locator("#undo").is_enabled()
    page.locator("#undo").click()
    assert ink(page) == 0  # it was one stroke


def test_an_uploaded_picture_is_searched_with(new_page: Callable[..., Page], url: str, tmp_path: Path) -> None:
    file = tmp_path / "a <b>name.png"
    picture(23).save(file)
    page = new_page(url)
    page.set_input_files("#file", file)
    expect_results(page)
    assert page.locator("#about-text").inner_text() == file.name
    page.locator("#kind input[value=photo]").check()
    assert results(page)[0] == "disc 023.png"
    page.locator("#back").click()
    until(page, CLEARED)

    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    page.set_input_files("#file", broken)
    page.locator("#notice").wait_for()
    assert "The upload is" in page.locator("#notice-text").inner_text()


def test_a_pasted_picture_is_searched_with(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    page.evaluate(
        """async () => {
          const canvas = new OffscreenCanvas(80, 80);
          const context = canvas.getContext("2d");
          context.fillStyle = "white"; context.fillRect(0, 0, 80, 80);
          context.strokeRect(20, 20, 40, 40);
          const data = new DataTransfer();
          data.items.add(new File([await canvas.convertToBlob()], "pasted.png", { type: "image/png" }));
          dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        }"""
    )
    expect_results(page)
    assert page.locator("#kind input[value=sketch]").is_checked()


def test_a_dropped_picture_is_searched_with(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    page.evaluate(
        """(png) => {
          window.drag = (kind, data) => {
            const event = new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
            document.getElementById("grid").dispatchEvent(event);
            return event.defaultPrevented;
          };
          window.files = new DataTransfer();
          files.items.add(new File([new Uint8Array(png)], "dropped.png", { type: "image/png" }));
          window.words = new DataTransfer();
          words.setData("text/plain", "words");
        }""",
        list(as_bytes(picture(23))),
    )
    assert not page.evaluate("drag('dragenter', words) || drag('dragover', words) || drag('drop', words)")
    assert page.locator("#drop").is_hidden()
    page.evaluate("drag('dragenter', files)")
    assert page.locator("#drop").is_visible()
    page.evaluate("drag('dragleave', files)")
    assert page.locator("#drop").is_hidden()
    page.evaluate("drag('dragenter', files)")
    assert page.evaluate("drag('dragover', files) && drag('drop', files)")  # else the browser would open the file
    expect_results(page)
    assert page.locator("#drop").is_hidden()
    assert page.locator("#about-text").inner_text() == "dropped.png"
    page.locator("#kind input[value=photo]").check()
    assert results(page)[0] == "disc 023.png"


def test_a_late_answer_does_not_replace_a_newer_one(new_page: Callable[..., Page], url: str) -> None:
    from playwright.sync_api import Error

    page = new_page(url)
    held: list[Any] = []

    def hold_the_first(route: Any) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    draw(page, (0.2, 0.2), (0.8, 0.2))
    expect_results(page)
    page.route("**/api/v1/search/sketch", hold_the_first)
    page.locator("#undo").click()
    page.locator("#redo").click()  # held
    draw(page, (0.2, 0.8), (0.8, 0.8))
    newer = expect_results(page)
    assert held
    with suppress(Error):  # the page gave this request up already, as it should
        held[0].fulfill(json={"results": [], "seconds": 0.0})
    assert alike(results(page), newer)


def test_the_server_goes_and_comes_back(new_page: Callable[..., Page], library: Library, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with serving(library, thumbnails=tmp_path, port=port) as address:
        page = new_page(address)
        draw(page, (0.2, 0.2), (0.8, 0.2))
        expect_results(page)
        page.evaluate("document.getElementById('running').hidden = false")  # as if it were indexing
    draw(page, (0.5, 0.2), (0.5, 0.9))
    page.locator("#notice").wait_for()
    assert page.locator("#running").is_hidden()
    assert "does not answer" in page.locator("#notice-text").inner_text()
    assert page.locator("#retry").is_visible()
    with serving(library, thumbnails=tmp_path, port=port), page.expect_response("**/api/v1/search/sketch") as answer:
        page.locator("#notice").wait_for(state="hidden")  # by itself
        assert len(body_of(answer.value.request)["strokes"]) == 2
