"""What the tests of the page do in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}


LOOKS = [
    pytest.param({"color_scheme": "light"}, id="light"),
    pytest.param({"color_scheme": "dark"}, id="dark"),
    pytest.param({"color_scheme": "light", "locale": "ar"}, id="right to left"),
    pytest.param({"color_scheme": "dark", **PHONE}, id="phone"),
]
STILL = {"reduced_motion": "reduce"}
"""Without fades: axe would meet texts that are half there."""


def until(page: Page, expression: str) -> None:
    """Wait until an expression of JavaScript holds. Playwright's own way needs eval, which the policy forbids."""
    for _ in range(2400):  # a minute: a busy machine is slow
        if page.evaluate(expression):
            return
        page.wait_for_timeout(25)
    pytest.fail(f"never came true: {expression}")


CLEARED = "document.body.dataset.view === 'browse' && document.getElementById('found').ariaBusy === 'false'"
"""The sheet is empty, and the page shows the library's photos."""


READY = "!document.getElementById('paper') || Boolean(document.body.dataset.view)"
"""The page's scripts have started. They wait for the texts, and browsers do not count that as loading."""


def menu(page: Page, item: str) -> None:
    """Choose an item of the page's menu."""
    page.locator("#more").click()
    page.locator(item).click()


def draw(page: Page, *points: tuple[float, float]) -> None:
    """Draw a line with the mouse; the sheet is 1 wide and high."""
    box = page.locator("#paper").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + points[0][0] * box["width"], box["y"] + points[0][1] * box["height"])
    page.mouse.down()
    for x, y in points[1:]:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=5)
    page.mouse.up()


def results(page: Page) -> list[str]:
    """Names of the results that have tiles, when the page has come to rest."""
    until(page, "document.getElementById('found').getAttribute('aria-busy') === 'false'")
    return page.locator("#grid .caption").all_text_contents()


def alike(some: list[str], others: list[str]) -> bool:
    """Whether two answers are one; how many of its results have tiles depends on the room that other lines leave."""
    count = min(len(some), len(others))
    return count >= 8 and some[:count] == others[:count]


def ink(page: Page) -> int:
    """How many pixels of the sheet are inked."""
    return int(
        page.evaluate(
            "() => { const c = document.getElementById('paper');"
            "const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);"
            "return data.filter((v, i) => i % 4 === 3 && v).length; }"
        )
    )


def expect_results(page: Page) -> list[str]:
    """Names of the results that have tiles, once there are some and a photo is painted."""
    until(page, "document.body.dataset.view === 'results'")
    until(page, "[...document.querySelectorAll('#grid img')].some((i) => i.naturalWidth)")
    return results(page)


def body_of(request: Any) -> Any:
    """The JSON body of a request that the page sent."""
    return request.post_data_json


def violations(page: Page) -> list[str]:
    """What axe finds: its rule and the element."""
    from axe_playwright_python.base import AXE_FILE_PATH

    page.evaluate(Path(AXE_FILE_PATH).read_text())
    found = page.evaluate("async () => (await axe.run({ resultTypes: ['violations'] })).violations")
    return [f"{one['id']}: {node['html'][:200]} {node['failureSummary']}" for one in found for node in one["nodes"]]
