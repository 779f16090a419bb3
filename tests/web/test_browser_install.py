"""The page in a real browser: installed, and open while its server is away."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browsing import until
from served import serving
from sketchseek.search.library import Library
from sketchseek.server.app import PAGE

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

KEPT = """async () => (await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).keys())))
  .flat().map(({ url }) => new URL(url).pathname)"""


def test_the_manifest_names_files_that_are_there() -> None:
    manifest = json.loads((PAGE / "app.webmanifest").read_text())
    assert manifest["start_url"] == manifest["scope"] == "./"
    assert {"any", "maskable"} == {icon["purpose"] for icon in manifest["icons"]}
    for icon in manifest["icons"]:
        assert (PAGE / icon["src"]).is_file()


def test_the_page_opens_while_its_server_is_away(
    new_page: Callable[..., Page], library: Library, tmp_path: Path
) -> None:
    with serving(library, thumbnails=tmp_path) as address:
        page = new_page(address, encode="", service_workers="allow", failing="net::ERR")
        until(page, "navigator.serviceWorker.controller !== null")
        for _ in range(200):
            kept = page.evaluate(KEPT)
            if {"/", "/main.js", "/texts-fr.js", "/encode-worker.js", "/vendor/perfect-freehand.mjs"} <= set(kept):
                break
            page.wait_for_timeout(100)
        assert {"/", "/main.js", "/texts-fr.js", "/encode-worker.js", "/vendor/perfect-freehand.mjs"} <= set(kept)
        assert all(
            re.fullmatch(r"/([\w-]+\.(js|css|svg|webmanifest)|vendor/perfect-freehand\.mjs)?", path) for path in kept
        )  # no photos, no answers
        scope = page.evaluate("navigator.serviceWorker.ready.then(({ scope }) => scope)")
        assert scope == page.url.split("#")[0]
    page.reload()
    page.locator("#notice").wait_for()
    assert "does not answer" in page.locator("#notice-text").inner_text()
    assert page.locator("#invite").inner_text() == "Draw here"


def test_the_service_worker_delays_no_request_and_gives_the_icon_that_it_keeps(
    new_page: Callable[..., Page], library: Library, tmp_path: Path
) -> None:
    with serving(library, thumbnails=tmp_path) as address:
        page = new_page(address, encode="", service_workers="allow")
        until(page, "navigator.serviceWorker.controller !== null")
        page.reload()
        until(page, "performance.getEntriesByType('resource').some(({ name }) => name.includes('/api/'))")
        sources = page.evaluate(
            """() => performance.getEntriesByType("resource").filter(({ name }) => name.includes("/api/"))
              .map((entry) => entry.workerFinalSourceType)"""
        )
        assert set(sources) == {"network"}
        icon = page.evaluate(
            """async () => {
              const cache = await caches.open("sketchseek page");
              await cache.put("icon.svg", new Response("<svg>kept</svg>"));
              return (await fetch("icon.svg")).text();
            }"""
        )
        assert icon == "<svg>kept</svg>"
