"""The page in a real browser: what matched, and how much the page loads before the encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from browsing import draw, expect_results, until

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

VEILED = """() => {
  const canvas = document.getElementById("matched");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const alphas = new Set(data.filter((value, i) => i % 4 === 3));
  return [alphas.size, Math.max(...alphas)];
}"""


def test_what_matched_is_shown_over_the_photo(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
    draw(page, (0.4, 0.5), (0.5, 0.5))
    expect_results(page)
    page.locator("#grid .photo").nth(1).click()
    until(page, "document.getElementById('viewer-image').naturalWidth > 0")
    assert page.locator("#matched").is_hidden()
    with page.expect_response("**/api/v1/search/explain/*") as answer:
        page.locator("#viewer-matched").click()
    assert answer.value.ok
    page.locator("#matched").wait_for()
    shades, darkest = page.evaluate(VEILED)
    assert shades > 10  # parts differ
    assert page.locator("#matched-strokes").is_visible()  # so do the two strokes
    assert darkest > 100
    assert page.locator("#viewer-matched").get_attribute("aria-pressed") == "true"
    with page.expect_response("**/api/v1/search/explain/*") as answer:
        page.keyboard.press("ArrowRight")  # the next photo is explained, too
    assert answer.value.ok
    page.locator("#matched").wait_for()
    page.locator("#viewer-matched").click()
    assert page.locator("#matched").is_hidden()
    assert page.locator("#matched-legend").is_hidden()


def test_words_alone_cannot_be_explained(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)
    page.locator("#words").fill("disc 023")
    expect_results(page)
    page.locator("#grid .photo").first.click()
    until(page, "document.getElementById('viewer').open")
    assert page.locator("#viewer-matched").is_disabled()


def test_the_page_is_light_before_the_encoder_loads(new_page: Callable[..., Page], url: str) -> None:
    page = new_page(url)  # the server encodes here, so the encoder is not loaded
    page.locator("#examples").wait_for()
    page.wait_for_timeout(500)
    sizes = page.evaluate(
        """() => ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind))
             .filter((one) => !one.name.includes("/api/"))
             .map((one) => [new URL(one.name).pathname, one.transferSize])"""
    )
    assert sum(size for _, size in sizes) <= 250_000, sorted(sizes, key=lambda one: -one[1])[:5]
    assert len(sizes) > 20


def test_what_is_transferred_before_the_encoder_is_light(new_page: Callable[..., Page], url: str) -> None:
    """Counted by the browser's network stack, headers included. The encoder's worker loads its own files."""
    page = new_page(url)
    names: dict[str, str] = {}
    sizes: dict[str, int] = {}
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    network.on("Network.requestWillBeSent", lambda sent: names.update({sent["requestId"]: sent["request"]["url"]}))
    network.on("Network.loadingFinished", lambda done: sizes.update({done["requestId"]: done["encodedDataLength"]}))
    with page.expect_worker():
        page.goto(f"{url}?encode=browser")
    page.locator("#examples").wait_for()
    page.wait_for_timeout(500)
    loaded = [(urlsplit(names.get(request, "")).path, size) for request, size in sizes.items()]
    light = [(path, size) for path, size in loaded if "/thumbnail" not in path]
    assert {"/main.js", "/api/v1/photos"} <= {path for path, _ in light}
    assert len(light) > 60
    assert 100_000 < sum(size for _, size in light) <= 250_000, sorted(light, key=lambda one: -one[1])[:5]
