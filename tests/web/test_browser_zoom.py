"""The page in a real browser: zooming and moving the sheet, and the ink of a pen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from browsing import PHONE, body_of, draw, expect_results, ink, menu, until, violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def strokes(page: Page) -> Any:
    """The strokes of the sheet, as the page keeps them."""
    return page.evaluate("history.state?.entry?.sheets[0]?.map(({ points }) => points) ?? []")


def zoom(page: Page) -> float:
    """How large the sheet is, in percent."""
    return float(page.locator("#zoomed").text_content()[:-2])  # type: ignore[index]


def box_of(page: Page) -> tuple[float, float, float]:
    """Left, top and width of the sheet in the window."""
    box = page.locator("#paper").bounding_box()
    assert box is not None
    return box["x"], box["y"], box["width"]


def test_wheel_and_space_zoom_and_move_the_sheet(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    left, top, width = box_of(page)
    assert page.locator("#zoom").is_hidden()
    page.mouse.move(left + 0.25 * width, top + 0.5 * width)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -400)
    page.keyboard.up("Control")
    page.locator("#zoom").wait_for()
    factor = zoom(page) / 100
    assert 3 < factor <= 8
    assert page.evaluate("visualViewport.scale") == 1  # the page itself is not zoomed
    assert violations(page) == []

    draw(page, (0.25, 0.5), (0.45, 0.5))  # in units of the whole sheet
    (line,) = strokes(page)
    assert line[0][:2] == pytest.approx([250, 500], abs=3)
    assert line[-1][:2] == pytest.approx([250 + 200 / factor, 500], abs=4)
    inked = ink(page)

    page.mouse.move(left + 0.5 * width, top + 0.8 * width)
    page.keyboard.down(" ")
    page.mouse.down()
    page.mouse.move(left + 0.5 * width, top + 0.6 * width, steps=4)
    page.mouse.up()
    page.keyboard.up(" ")
    assert len(strokes(page)) == 1  # nothing was drawn
    draw(page, (0.25, 0.5), (0.45, 0.5))
    assert strokes(page)[1][0][1] == pytest.approx(500 + 200 / factor, abs=4)  # the sheet went up
    page.locator("#undo").click()

    page.mouse.move(left + 0.5 * width, top + 0.6 * width)
    page.mouse.wheel(0, -0.2 * width)  # without Ctrl it moves the zoomed sheet
    draw(page, (0.25, 0.5), (0.45, 0.5))
    assert strokes(page)[1][0][1] == pytest.approx(500, abs=8)
    page.locator("#undo").click()

    page.locator("#whole-sheet").click()
    assert page.locator("#zoom").is_hidden()
    assert page.evaluate("document.activeElement.id") == "paper"
    assert ink(page) < inked / 2  # the same line, smaller
    assert expect_results(page)


def test_keys_and_buttons_zoom_the_sheet(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    page.locator("#paper").focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert zoom(page) == 225
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    for _ in range(30):  # beyond what is shown: the sheet follows the pen
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    (line,) = strokes(page)
    assert line[0][0] == pytest.approx(500 + 25 / 2.25, abs=1)
    assert line[-1][0] == pytest.approx(500 + 31 * 25 / 2.25, abs=1)
    x, _, width = box_of(page)
    cursor = page.locator("#cursor").bounding_box()
    assert cursor is not None
    assert x <= cursor["x"] + cursor["width"] / 2 <= x + width + 1
    page.keyboard.press("-")
    assert zoom(page) == 150
    page.keyboard.press("0")
    assert page.locator("#zoom").is_hidden()
    menu(page, "#more-zoom-in")
    assert zoom(page) == 150
    page.keyboard.press("Escape")
    page.locator("#zoom-in").click()
    page.locator("#zoom-out").click()
    assert zoom(page) == 150
    page.locator("#clear").click()
    assert page.locator("#zoom").is_hidden()  # a blank sheet is shown as a whole


def test_two_fingers_zoom_and_the_first_one_s_line_is_dropped(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url, **PHONE)
    left, top, width = box_of(page)
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": left + x * width, "y": top + y * width, "id": i} for i, (x, y) in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (0.4, 0.5))
    touch("touchMove", (0.41, 0.52))
    touch("touchStart", (0.41, 0.52), (0.6, 0.5))
    for spread in (0.05, 0.1, 0.15):
        touch("touchMove", (0.4 - spread, 0.5), (0.6 + spread, 0.5))
    touch("touchEnd")
    until(page, "!document.getElementById('zoom').hidden")
    assert 200 < zoom(page) < 300
    assert strokes(page) == []
    assert ink(page) == 0
    touch("touchStart", (0.5, 0.5))
    touch("touchMove", (0.7, 0.5))
    touch("touchEnd")
    until(page, "(history.state?.entry?.sheets.length ?? 0) === 1")
    (line,) = strokes(page)
    assert line[0][:2] == pytest.approx([500, 500], abs=15)
    assert page.evaluate("scrollY") == 0


def test_the_pressure_of_a_pen_shapes_its_line_but_not_the_search(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    pen = """([pressures, y]) => {
      const canvas = document.getElementById("paper");
      const { left, top, width } = canvas.getBoundingClientRect();
      const send = (kind, i) => canvas.dispatchEvent(new PointerEvent(kind, {
        pointerId: 7, pointerType: "pen", isPrimary: true, button: kind === "pointermove" ? -1 : 0, buttons: 1,
        pressure: pressures[i], bubbles: true, cancelable: true,
        clientX: left + (0.2 + (0.6 * i) / (pressures.length - 1)) * width, clientY: top + y * width,
      }));
      send("pointerdown", 0);
      for (let i = 1; i < pressures.length; i++) send("pointermove", i);
      send("pointerup", pressures.length - 1);
    }"""
    column = """(x) => {
      const canvas = document.getElementById("paper");
      const { data } = canvas.getContext("2d").getImageData(Math.round(x * canvas.width), 0, 1, canvas.height);
      return data.filter((alpha, i) => i % 4 === 3 && alpha > 127).length;
    }"""
    page.locator("#pen-options").click()
    page.locator("#width").fill("19")
    page.keyboard.press("Escape")
    with page.expect_request("**/api/v1/search/sketch") as sent:
        page.evaluate(pen, [[0.1 + 0.9 * i / 40 for i in range(41)], 0.5])
    thin, thick = page.evaluate(column, 0.25), page.evaluate(column, 0.75)
    assert 0 < 1.8 * thin < thick
    (line,) = body_of(sent.value)["strokes"]
    assert set(line[1]) == {line[1][0]}  # as it was drawn: a straight line, whatever its outline
    page.evaluate("scrollTo(0, 0)")
    before = ink(page)
    page.reload()
    expect_results(page)
    assert ink(page) == pytest.approx(before, rel=0.02)
