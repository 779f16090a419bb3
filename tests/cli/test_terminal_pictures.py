"""Photos in the terminal: in terminals with and without Sixel, and never in pipes."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from cli_runs import STROKES, run, run_process
from sketchseek.cli import terminal_pictures

pytest.importorskip("textual_image")

pytestmark = pytest.mark.slow

QUESTION = b"\x1b[c"


def in_terminal(*arguments: object, answer: bytes, columns: int = 100) -> bytes:
    """Run the program in a pseudo-terminal that answers what it can show; return all that it prints."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 16 * 40, 8 * columns))
    process = subprocess.Popen(
        [sys.executable, "-m", "sketchseek", *map(str, arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
    )
    os.close(theirs)
    printed, end = b"", time.monotonic() + 120
    while time.monotonic() < end:
        if not select.select([ours], [], [], 0.1)[0]:
            continue
        try:
            data = os.read(ours, 65536)
        except OSError:  # the program has ended
            break
        printed += data
        if QUESTION in data:
            os.write(ours, answer)
    assert process.wait(timeout=60) == 0, printed
    os.close(ours)
    return printed


@pytest.fixture
def search(library: Path, tmp_path: Path) -> list[object]:
    (tmp_path / "sketch.json").write_text(STROKES)
    return ["search", tmp_path / "sketch.json", "--library", library, "-k", "2", "--show"]


def test_a_terminal_with_sixel_gets_pictures(search: list[object]) -> None:
    printed = in_terminal(*search, answer=b"\x1b[?62;4c")
    assert printed.count(b"\x1bP") == 2
    assert b"  1  " in printed


def test_another_terminal_gets_half_characters(search: list[object]) -> None:
    printed = in_terminal(*search, answer=b"\x1b[?62;22c")
    assert "▀".encode() in printed
    assert b"\x1bP" not in printed


def test_a_terminal_without_a_size_gets_text_only(search: list[object]) -> None:
    assert b"\x1b" not in in_terminal(*search, answer=b"", columns=0)


def test_a_pipe_gets_text_only(search: list[object]) -> None:
    done = run_process(*search)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2
    assert "\x1b" not in done.stdout


def test_without_the_extra_it_says_what_to_install(search: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal_pictures, "find_spec", lambda name: None)
    done = run(*search)  # type: ignore[arg-type]
    assert done.exit_code == 2
    assert "sketchseek[terminal]" in done.output


def test_a_photo_that_is_gone_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    terminal_pictures.show_photo(tmp_path / "gone.jpg", "gone.jpg")
    assert "gone.jpg: no such file" in capsys.readouterr().err
