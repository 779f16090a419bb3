"""Shared by tests of the server: pictures, small limits, a real server and browser, and a fake npm."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tarfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageDraw

from sketchseek.search.library import Library
from sketchseek.server.app import create_app
from sketchseek.server.http_server import HttpServer
from sketchseek.server.running import bind, url_of
from sketchseek.server.security import Limits
from sketchseek.server.sharing import Sharing
from sketchseek.server.thumbnails import ThumbnailCache

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from starlette.testclient import TestClient

CHROMIUM = Path(os.environ.get("SKETCHSEEK_CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

LINES = [[[10, 200, 200], [10, 10, 90]], [[40, 40], [60, 200]]]
"""Strokes of a sketch."""

COUNT = 60
SMALL = Limits(
    body=200_000, json=100_000, json_images=200_000, text=5_000, pixels=250_000, points=500, results=100, depth=150
)


def picture(number: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
    """Return a picture of a disc whose position, size and color depend on the number."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    x, y, r = 12 + number * 7 % 70, 10 + number * 5 % 45, 4 + number % 9
    draw.ellipse((x - r, y - r, x + r, y + r), fill=(number * 4 % 200, 0, 0))
    return image


def as_bytes(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Return a picture encoded as a file."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


EMOJI = as_bytes(Image.new("RGBA", (8, 8), "red"), "WEBP")


def names(answer: Any) -> list[str]:
    """Return the names of the photos in a search's answer."""
    assert answer.status_code == 200, answer.text
    return [one["name"] for one in answer.json()["results"]]


def write_tarball(path: Path, members: dict[str, bytes], links: dict[str, str] | None = None) -> str:
    """Write a tarball and return its SHA-512 in base64."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


def fake_npm(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a program named npm on the PATH, and little else."""
    folder.mkdir()
    program = folder / "npm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")


def may_change(client: TestClient) -> TestClient:
    """Give a client the token for changes, as the page gets it."""
    client.headers["X-Sketchseek-Token"] = client.get("/api/v1/session").json()["token"]
    return client


@contextmanager
def serving(
    library: Library,
    *others: Library,
    thumbnails: Path,
    port: int = 0,
    roots: Iterable[Path] = (),
    sharing: Sharing | None = None,
) -> Iterator[str]:
    """Run a real server in a thread and yield its URL."""
    with bind("127.0.0.1", port) as listener:
        app = create_app(library, *others, thumbnails=ThumbnailCache(thumbnails), roots=roots, sharing=sharing)
        server = HttpServer(app)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield url_of(listener)
        finally:
            server.should_exit = True
            thread.join(10)


@contextmanager
def launch() -> Iterator[Browser]:
    """Start Chromium. Without it, skip the test, or fail if SKETCHSEEK_REQUIRE_BROWSER is 1."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        _skip("Playwright is not installed")
    if not CHROMIUM.is_file():
        _skip(f"there is no {CHROMIUM}")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


def _skip(reason: str) -> None:
    if os.environ.get("SKETCHSEEK_REQUIRE_BROWSER") == "1":
        pytest.fail(f"SKETCHSEEK_REQUIRE_BROWSER is set, but {reason}")
    pytest.skip(reason)
