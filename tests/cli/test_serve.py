from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from PIL import Image

from sketchseek.errors import ConfigError
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library
from sketchseek.server.running import DEFAULT_PORT, bind, url_of

pytestmark = pytest.mark.slow

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def library(tiny_model: ModelPackage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    Image.new("RGB", (30, 20), "red").save(folder / "red.png")
    path = folder / "library"
    with Library.open(path, tiny_model.path, create=True) as opened:
        opened.add([folder / "red.png"])
    return path


@contextmanager
def command(*arguments: str | Path, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "sketchseek", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT | (environment or {}),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_url_serves_and_ends_quietly(library: Path, how: signal.Signals) -> None:
    with command("serve", "--library", library, "--port", "0", "--json") as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        assert url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{url}api/v1/status").json()["library"]["photos"] == 1
        found = httpx.post(f"{url}api/v1/search/sketch", json={"strokes": [[[1, 5], [1, 9]]]}).json()["results"]
        assert [one["name"] for one in found] == ["red.png"]
        assert "<canvas" in httpx.get(url).text
        process.send_signal(how)
        out, err = process.communicate(timeout=20)
        assert (out, err) == ("", "")
        assert process.returncode in (0, 130, -how)


def test_people_are_told_in_words(library: Path) -> None:
    with command("serve", "--library", library, "--port", "0") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
    assert line.startswith("Draw at http://127.0.0.1:")


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="these always have a screen")
@pytest.mark.parametrize("screen", ["", ":0"])
def test_the_browser_is_opened_only_where_there_is_a_screen(library: Path, tmp_path: Path, screen: str) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.part && mv {opened}.part {opened}\n')
    browser.chmod(0o755)
    environment = {"BROWSER": str(browser), "DISPLAY": screen, "WAYLAND_DISPLAY": ""}
    with command("serve", "--library", library, "--port", "0", "--open", "--json", environment=environment) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        for _ in range(200):
            if opened.exists() or not screen:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert (opened.read_text().strip() if opened.exists() else None) == (url if screen else None)


def test_a_taken_port_is_an_error_only_if_asked_for() -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=str(port)):
            bind("127.0.0.1", port)
    with bind("127.0.0.1", None) as first, bind("127.0.0.1", None) as second:
        ports = [first.getsockname()[1], second.getsockname()[1]]
    assert DEFAULT_PORT <= ports[0] < ports[1]


@pytest.mark.parametrize("host", ["203.0.113.1", "no such host.invalid"])
def test_a_foreign_address_is_an_error(host: str) -> None:
    with pytest.raises(ConfigError, match=r"no such address|cannot listen"):
        bind(host, 0)


def test_urls_are_for_this_machine() -> None:
    with bind("0.0.0.0", 0) as listener:
        assert url_of(listener).startswith("http://127.0.0.1:")
    if socket.has_ipv6:
        with bind("::1", 0) as listener:
            assert url_of(listener).startswith("http://[::1]:")


def test_a_model_that_went_is_told_at_the_start(tiny_model: ModelPackage, tmp_path: Path) -> None:
    shutil.copytree(tiny_model.path, tmp_path / "model")
    Library.open(tmp_path / "library", tmp_path / "model", create=True).close()
    shutil.rmtree(tmp_path / "model")
    with command("serve", "--library", tmp_path / "library", "--port", "0") as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert out == ""
    assert "not there any more" in err
    assert "Traceback" not in err


def test_no_library_is_one_clear_error(tmp_path: Path) -> None:
    with command("serve", "--library", tmp_path / "none") as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "there is no library here" in err
    assert "Traceback" not in err


def test_a_misspelled_library_is_not_created(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with command("serve", "--root", tmp_path / "photos", "-l", tmp_path / "typo.library") as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "there is no library here" in err
    assert not (tmp_path / "typo.library").exists()


def test_create_makes_a_library_to_fill_in_the_page(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    options = ("--root", tmp_path / "photos", "-l", tmp_path / "new.library", "--create", "--port", "0", "--json")
    with command("serve", *options) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        assert httpx.get(f"{url}api/v1/status").json()["library"]["photos"] == 0
    with command("serve", "-l", tmp_path / "other.library", "--create") as process:
        _, err = process.communicate(timeout=120)
    assert (process.returncode, "--create needs --root" in err) == (2, True)


def test_a_server_on_every_interface_says_where_others_reach_it(library: Path) -> None:
    with command("serve", "--library", library, "--host", "0.0.0.0", "--no-auth", "--port", "0", "--json") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        if "lan_url" not in told:
            pytest.skip("this machine has no network")
        assert httpx.get(f"{told['lan_url']}api/v1/status").json()["library"]["photos"] == 1
