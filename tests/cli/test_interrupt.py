"""Ctrl-C ends a command that is inside native code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image

from hostile_requests import blank_animation
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library

pytestmark = pytest.mark.slow

# Minutes of native code that releases the GIL and knows no signals, as decoders are.
STUCK = """
import hashlib, signal, sys
from pathlib import Path
import sketchseek.encoder as encoder
import sketchseek.search.photo_reader as reader
from sketchseek.cli import main
read = encoder.read_photo
started = Path(sys.argv.pop(1))

def stuck(source, size):
    pixels = read(source, size)
    if pixels[0, 0, 0] > 128:
        started.touch()
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)
    return pixels

encoder.read_photo = reader.read_photo = stuck
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell starts in the background
main()
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}


# signal.SIGINT is ignored in what a shell starts in the background.
PLAIN = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from sketchseek.cli import main; main()"
)


def interrupted(started: Path, *arguments: str | Path) -> tuple[int, str, float]:
    """Run a command, press Ctrl-C once it is in native code, and return its status, its words and the seconds taken."""
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK, str(started), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    try:
        while not started.exists():
            assert process.poll() is None
            time.sleep(0.02)
        time.sleep(0.2)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        return process.returncode, errors, time.monotonic() - start
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def library(tiny_model: ModelPackage, tmp_path: Path) -> Path:
    path = tmp_path / "library"
    Library.create(path, tiny_model.path).close()
    return path


def test_index_ends_and_keeps_its_work(library: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(40):
        Image.new("RGB", (9, 9), (number, 0, 0)).save(photos / f"{number:02}.png")
    Image.new("RGB", (9, 9), (255, 0, 0)).save(photos / "99.png")
    status, errors, seconds = interrupted(tmp_path / "started", "index", photos, "--library", library)
    assert status == 130
    assert "Finished work is kept" in errors
    assert "Traceback" not in errors
    assert seconds < 20  # two, and what a busy machine adds
    with Library.open(library, readonly=True) as opened:
        assert 0 < len(opened) <= 40


def test_search_ends(library: Path, tmp_path: Path) -> None:
    Image.new("RGB", (9, 9), (255, 0, 0)).save(tmp_path / "photo.png")
    status, errors, seconds = interrupted(
        tmp_path / "started", "search", "--photo", tmp_path / "photo.png", "--library", library
    )
    assert (status, errors.strip()) == (130, "Interrupted.")
    assert seconds < 20


def test_index_ends_while_a_process_decodes_a_slow_picture(library: Path, tmp_path: Path) -> None:
    """A real picture that takes most of a minute: its process ends, too, and the picture is not blamed."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(40):
        Image.new("RGB", (9, 9), (number, 0, 0)).save(photos / f"{number:02}.png")
    (photos / "99.gif").write_bytes(blank_animation(12_000))
    process = subprocess.Popen(
        [sys.executable, "-c", PLAIN, "index", str(photos), "--library", str(library)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    try:
        decoders: list[psutil.Process] = []
        while not any(sum(one.cpu_times()[:2]) > 1.0 for one in decoders):  # starting takes less
            assert process.poll() is None
            time.sleep(0.05)
            decoders = psutil.Process(process.pid).children()
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        seconds = time.monotonic() - start
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert "Finished work is kept" in errors
    assert "Traceback" not in errors
    assert seconds < 20
    psutil.wait_procs(decoders, timeout=20)
    assert not [one for one in decoders if one.is_running()]
    with Library.open(library) as opened:
        assert opened.failures() == []
        (photos / "99.gif").unlink()
        opened.add([photos])
        assert len(opened) == 40
