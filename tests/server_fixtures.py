"""Fixtures: a library of generated pictures, and a client of its server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from browsing import READY, until
from served import COUNT, SMALL, launch, may_change, picture, serving
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library
from sketchseek.server.app import create_app
from sketchseek.server.thumbnails import ThumbnailCache

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of pictures: PNG files, a JPEG that EXIF rotates, and a file that is no picture."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "below").mkdir()
    for number in range(COUNT):
        picture(number).save(folder / ("below" if number % 4 == 0 else ".") / f"disc {number:03}.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90°
    picture(99, (90, 30)).save(folder / "turned.jpg", exif=exif)
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="session")
def library(photos: Path, tiny_model: ModelPackage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Yield the library of the folder. Tests must not change it."""
    path = tmp_path_factory.mktemp("libraries") / "discs"
    with Library.open(path, tiny_model.path, create=True) as opened:
        opened.add([photos])
        yield opened


@pytest.fixture(scope="module")
def module_client(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Yield a client of the library's server for a module: the first request to an application takes long."""
    app = create_app(library, thumbnails=ThumbnailCache(tmp_path_factory.mktemp("thumbnails")), limits=SMALL)
    with TestClient(app, base_url="http://127.0.0.1:8765", raise_server_exceptions=False) as opened:
        yield may_change(opened)


@pytest.fixture
def client(module_client: TestClient) -> Iterator[TestClient]:
    """Yield a client of the library's server, with small limits and the token for changes."""
    headers = module_client.headers.copy()
    yield module_client
    module_client.headers = headers
    module_client.cookies.clear()


@pytest.fixture(scope="session")
def id_of(library: Library) -> dict[str, int]:
    """Return photo ids by file name."""
    return {one.path.name: one.id for one in library.search([[[0, 9], [0, 9]]], k=1000)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield Chromium. Not for the session: while Playwright is open, this thread cannot run another event loop."""
    with launch() as opened:
        yield opened


@pytest.fixture(scope="module")
def url(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(library, thumbnails=tmp_path_factory.mktemp("thumbnails")) as address:
        yield address


@pytest.fixture
def url_of_two(library: Library, tiny_model: ModelPackage, tmp_path: Path) -> Iterator[str]:
    """Yield the address of a server of two libraries; the second, "the few & others", has the folder ``few``."""
    folder = tmp_path / "few"
    folder.mkdir()
    for number in range(3):
        picture(number).save(folder / f"few {number}.png")
    with Library.open(tmp_path / "the few & others", tiny_model.path, create=True) as other:
        other.add([folder])
        with serving(library, other, thumbnails=tmp_path / "thumbnails") as address:
            yield address


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open pages. A console message or a request to another host fails the test."""
    complaints: list[str] = []
    harmless = ["net::ERR_CONNECTION_REFUSED", "net::ERR_FAILED", "status of 422", "willReadFrequently"]
    harmless.append("Service Worker registration blocked")
    with ExitStack() as stack:

        def open_page(address: str, *, encode: str = "server", failing: str = "", **options: Any) -> Page:
            base = re.split("[?#]", address)[0]
            # What a service worker asks for, tests could not hold or change.
            usual = {"viewport": {"width": 1200, "height": 800}, "service_workers": "block"}
            context = browser.new_context(**{**usual, **options})
            if failing:  # the test causes this failure on purpose
                harmless.append(failing)
            context.set_default_timeout(60_000)  # a busy machine is slow
            stack.callback(context.close)
            page = context.new_page()
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda text: complaints.append(text.text) if text.type in ("error", "warning") else None)
            page.on(
                "request",
                lambda request: (
                    None
                    if request.url.startswith((base, "blob:" + base))
                    else complaints.append(f"foreign request: {request.url}")
                ),
            )
            # With "server" the page sends the sketch, which the tests inspect; with "" the page chooses.
            page.goto(address if not encode or "?" in address else address.replace(base, f"{base}?encode={encode}", 1))
            until(page, READY)
            return page

        yield open_page
    assert [text for text in complaints if not any(known in text for known in harmless)] == []
