"""The Makefile's way from nothing to the demo, with a stand-in for Python: no network, and no environment of size."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")

PYTHON = """#!/bin/sh
# -c asks for the version, -m venv makes an environment whose python installs a command that prints its arguments.
case "$1 $2" in
    "-c "*) exit "${OLD:-0}" ;;
    "-m venv")
        mkdir -p "$3/bin"
        cp "$0" "$3/bin/python"
        [ -z "$NO_ENSUREPIP" ] || exit 1
        touch "$3/bin/pip" ;;
    "-m pip")
        bin=$(dirname "$0")
        printf '#!/bin/sh\\nprintf "<%%s>" "$@"\\n' > "$bin/sketchseek"
        chmod +x "$bin/sketchseek"
        echo "$@" >> "$bin/installed" ;;
esac
"""


def make(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MAKE") and key != "MFLAGS"}
    return subprocess.run(
        ["make", *arguments, "PYTHON=./python"],
        cwd=folder,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the Makefile, a project to install and a stand-in for Python."""
    shutil.copy(Path(__file__).parents[1] / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    return tmp_path


def test_the_demo_is_installed_once_and_gets_the_photos(checkout: Path) -> None:
    done = make(checkout, "demo", "PHOTOS=My Photos")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("<demo><My Photos>")
    installed = (checkout / ".venv/bin/installed").read_text()
    assert installed.splitlines()[-1].endswith("--editable .")  # the base install: no torch
    assert make(checkout, "demo").stdout.endswith("<demo>")
    assert (checkout / ".venv/bin/installed").read_text() == installed


def test_an_old_python_is_refused_by_name(checkout: Path) -> None:
    done = make(checkout, "demo", OLD="1")
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed, and ./python is not" in done.stderr
    assert "make demo PYTHON=" in done.stderr
    assert not (checkout / ".venv").exists()


def test_without_venv_it_says_so_and_goes_on_once_there_is_one(checkout: Path) -> None:
    done = make(checkout, "demo", NO_ENSUREPIP="1")
    assert done.returncode != 0
    assert "apt install python3-venv" in done.stderr
    assert (checkout / ".venv/bin/python").exists()  # the half that venv leaves behind
    assert make(checkout, "demo").stdout.endswith("<demo>")
