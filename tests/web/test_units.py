"""The unit tests of the page's scripts, by Node's own runner; users need no Node, and without it they are skipped."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sketchseek.server.app import PAGE

TESTS = Path(__file__).parent


def node() -> str:
    """Node, from version 20 on; else the test is skipped."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("there is no Node.js to run the page's unit tests")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.strip().lstrip("v").split(".")[0]) < 20:
        pytest.skip(f"Node.js {version.strip()} is older than 20")
    return program


def test_the_page_s_scripts_pass_their_unit_tests() -> None:
    files = sorted(TESTS.glob("*.test.js"))
    assert files
    done = subprocess.run([node(), "--test", *map(str, files)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_s_scripts_pass_the_type_check() -> None:
    build = Path(__file__).parents[2] / "web-build"
    compiler = build / "node_modules" / "typescript" / "lib" / "tsc.js"
    if not compiler.is_file():
        pytest.skip("TypeScript is not installed: npm ci in web-build/")
    command = [node(), str(compiler), "--project", str(build / "jsconfig.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_loads_all_its_scripts_at_once() -> None:
    scripts = {file.name for file in PAGE.glob("*.js")} - {"main.js", "encode-worker.js", "raster.js"}
    preloaded = re.findall(r'rel="modulepreload" href="([^"]+)"', (PAGE / "index.html").read_text())
    assert sorted(preloaded) == sorted(scripts)


def test_every_text_of_the_page_is_in_one_file() -> None:
    page = (PAGE / "index.html").read_text()
    without = re.sub(r"(?s)<(noscript|title|h1)>.*?</\1>|<!.*?>|<[^>]+>", " ", page)
    assert without.split() == []
    named = set(re.findall(r'data-(?:text|title|label|placeholder)="(\w+)"', page))
    known = set(re.findall(r"(?m)^  (\w+)[:,]", (PAGE / "texts.js").read_text()))
    assert named <= known
    used = {name for file in PAGE.glob("*.js") for name in re.findall(r"\btexts\.(?!js)(\w+)", file.read_text())}
    assert used <= known
    assert known <= used | named
