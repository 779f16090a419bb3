from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library
from sketchseek.shown import shown

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202e\u2028x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Käse 猫 👩\u200d🚀.jpg", "Käse 猫 👩\u200d🚀.jpg"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x9b2J", "\\x9b2J"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("\udcff", "\\udcff"),
    ],
)
def test_only_what_a_terminal_obeys_is_escaped(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_line_breaks_may_stay() -> None:
    assert shown("a\nb\x1b", lines=True) == "a\nb\\x1b"


@given(st.text())
def test_nothing_else_gets_through(text: str) -> None:
    assert all(one.isprintable() or one == "\u200d" for one in shown(text))


@pytest.mark.slow
def test_names_of_photos_folders_and_libraries_do_not_reach_the_terminal_raw(
    tmp_path: Path, tiny_model: ModelPackage
) -> None:
    """On the old code, ``status`` and ``failures`` cleared the screen."""
    folder = tmp_path / HOSTILE
    folder.mkdir()
    Image.new("RGB", (9, 9), "red").save(folder / f"a{HOSTILE}.png")
    (folder / f"b{HOSTILE}.png").write_bytes(b"broken")
    path = tmp_path / f"library{HOSTILE}"
    with Library.open(path, tiny_model.path, create=True) as library:
        library.add([folder])
        library.remove([folder / f"b{HOSTILE}.png"])
    commands = (
        ("status", "--library", path),
        ("failures", "--library", path),
        ("search", folder / f"a{HOSTILE}.png", "--photo", "--library", path),
        ("search", f"none{HOSTILE}.svg", "--library", path),
        ("index", f"none{HOSTILE}", "--library", path),
        ("verify", "--library", path),
        ("status", "--library", f"none{HOSTILE}"),
        ("serve", "--library", f"none{HOSTILE}"),
    )
    script = "import sys, subprocess\nfrom sketchseek.cli import cli, main\n"
    script += "try:\n main()\nexcept SystemExit:\n pass\n"
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-c", script, *map(str, command)], capture_output=True, env=ENVIRONMENT, timeout=120
        )
        output = (done.stdout + done.stderr).decode()
        assert output
        assert not [one for one in output if not one.isprintable() and one != "\n"], command
