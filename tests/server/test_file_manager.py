from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from served import may_change
from sketchseek.search.library import Library
from sketchseek.server.app import create_app
from sketchseek.server.thumbnails import ThumbnailCache

pytestmark = pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="the stand-in is a script named xdg-open")


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in which a stand-in for xdg-open writes its arguments."""
    out = tmp_path / "shown"
    program = tmp_path / "bin" / "xdg-open"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s|" "$#" "$@" > {out}.part && mv {out}.part {out}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/bin:/usr/bin")
    monkeypatch.setenv("DISPLAY", ":0")
    return out


def client_at(library: Library, address: str, tmp_path: Path) -> TestClient:
    app = create_app(library, thumbnails=ThumbnailCache(tmp_path / "thumbnails"))
    return TestClient(app, base_url="http://localhost", client=(address, 50000))


@pytest.fixture
def local(library: Library, tmp_path: Path) -> Iterator[TestClient]:
    with client_at(library, "127.0.0.1", tmp_path) as client:
        yield may_change(client)


def test_the_folder_of_a_photo_is_opened(local: TestClient, id_of: dict[str, int], photos: Path, shown: Path) -> None:
    assert local.get("/api/v1/status").json()["may"]["open"] is True
    answer = local.post(f"/api/v1/photos/{id_of['disc 004.png']}/open")
    assert (answer.status_code, answer.json()) == (200, {"opened": str(photos / "below")})
    for _ in range(400):
        if shown.exists():
            break
        time.sleep(0.01)
    assert shown.read_text() == f"1|{photos / 'below'}|"


@pytest.mark.parametrize("address", ["192.168.1.7", "::ffff:192.168.1.7", "testclient"])
def test_other_machines_open_nothing(library: Library, tmp_path: Path, address: str, shown: Path) -> None:
    with client_at(library, address, tmp_path) as client:
        assert client.get("/api/v1/status").json()["may"]["open"] is False
        answer = may_change(client).post("/api/v1/photos/1/open")
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "NotThisMachine")
    assert not shown.exists()


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_loopback_addresses_are_this_machine(library: Library, tmp_path: Path, address: str, shown: Path) -> None:
    with client_at(library, address, tmp_path) as client:
        assert client.get("/api/v1/status").json()["may"]["open"] is True


def test_what_a_proxy_passes_on_is_not_of_this_machine(local: TestClient, shown: Path) -> None:
    for name in ("X-Forwarded-For", "Forwarded", "Via"):
        assert local.post("/api/v1/photos/1/open", headers={name: "x"}).status_code == 403


def test_photos_are_named_by_id_alone(local: TestClient, shown: Path) -> None:
    assert local.post("/api/v1/photos/999999/open").status_code == 404
    assert local.post("/api/v1/photos/..%2f/open").status_code in (404, 405, 422)
    assert local.get("/api/v1/photos/1/open").status_code in (404, 405)
    assert not shown.exists()


def test_without_a_screen_it_says_so(local: TestClient, monkeypatch: pytest.MonkeyPatch, shown: Path) -> None:
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    answer = local.post("/api/v1/photos/1/open")
    assert (answer.status_code, answer.json()["error"]["type"]) == (409, "NoFileManager")
