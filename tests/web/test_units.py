"""Unit tests, type check, lint and format of the page's scripts. They need Node.js; users do not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from sketchseek.server.app import PAGE

TESTS = Path(__file__).parent
BUILD = TESTS.parents[1] / "web-build"
REQUIRED = os.environ.get("SKETCHSEEK_REQUIRE_BROWSER") == "1"


def skip(reason: str) -> NoReturn:
    """Skip the test, or fail it where SKETCHSEEK_REQUIRE_BROWSER is set: CI checks everything."""
    if REQUIRED:
        pytest.fail(f"SKETCHSEEK_REQUIRE_BROWSER is set, but {reason}")
    pytest.skip(reason)


def node() -> str:
    """Node, from version 20 on; else the test is skipped."""
    program = shutil.which("node")
    if program is None:
        skip("there is no Node.js to run the page's unit tests")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.strip().lstrip("v").split(".")[0]) < 20:
        skip(f"Node.js {version.strip()} is older than 20")
    return program


def check(name: str) -> None:
    """Run one of web-build's checks; its tools are installed first where they are required and missing."""
    node()
    npm = shutil.which("npm")
    if npm is None:
        skip("there is no npm to run the page's checks")
    if not (BUILD / "node_modules" / "prettier").is_dir():
        if not REQUIRED:
            pytest.skip("the page's tools are not installed: run npm ci in web-build/")
        run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=BUILD, timeout=300)
    run(npm, "run", "--silent", f"check:{name}", cwd=BUILD)


def run(*command: str, cwd: Path | None = None, timeout: float = 120) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_s_scripts_pass_their_unit_tests() -> None:
    files = sorted(TESTS.glob("*.test.js"))
    assert files
    run(node(), "--test", *map(str, files))


@pytest.mark.slow
def test_the_page_s_scripts_pass_the_type_check() -> None:
    check("types")


@pytest.mark.slow
def test_the_page_s_scripts_pass_the_linter() -> None:
    check("lint")


@pytest.mark.slow
def test_the_page_s_files_are_formatted() -> None:
    check("format")


def test_the_page_loads_all_its_scripts_at_once() -> None:
    scripts = {file.name for file in PAGE.glob("*.js") if not re.fullmatch(r"texts-\w\w\.js", file.name)}
    scripts -= {"main.js", "encode-worker.js", "raster.js", "service-worker.js"}
    preloaded = re.findall(r'rel="modulepreload" href="([^"]+)"', (PAGE / "index.html").read_text())
    assert sorted(preloaded) == sorted({*scripts, "vendor/perfect-freehand.mjs"})


def test_every_text_of_the_page_is_in_one_file() -> None:
    page = (PAGE / "index.html").read_text()
    without = re.sub(r"(?s)<(noscript|title|h1)>.*?</\1>|<!.*?>|<[^>]+>", " ", page)
    assert without.split() == []
    named = set(re.findall(r'data-(?:text|title|label|placeholder)="(\w+)"', page))
    known = set(re.findall(r"(?m)^  (\w+)[:,]", (PAGE / "texts-en.js").read_text()))
    assert named <= known
    used = {name for file in PAGE.glob("*.js") for name in re.findall(r"\btexts\.(?!js)(\w+)", file.read_text())}
    assert used <= known
    assert known <= used | named
