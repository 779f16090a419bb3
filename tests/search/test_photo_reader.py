"""Photos read in this process and in another one are the same, and costly ones are read in another one."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hostile_requests as make
from hostile_files import picture
from sketchseek.errors import ImageError, ImageTooLargeError
from sketchseek.images import quick
from sketchseek.images.worker_pool import WorkerPool, WorkerStartError
from sketchseek.search.photo_reader import PhotoReader
from sketchseek.search.photo_worker import PhotoFile


def described_photo() -> bytes:
    """A photo that is turned, with a caption."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "A caption"
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def same(one: PhotoFile, other: PhotoFile) -> bool:
    return (one.width, one.height, one.metadata) == (other.width, other.height, other.metadata) and np.array_equal(
        one.pixels, other.pixels
    )


def test_bytes_and_paths_here_and_in_a_process_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = described_photo()
    (tmp_path / "photo.jpg").write_bytes(data)
    with PhotoReader(32) as reader:
        here = reader.read(data)
        by_path = reader.read(str(tmp_path / "photo.jpg"))
        monkeypatch.setattr(quick, "QUICK_WORK", 0)
        in_process = reader.read(data)
        monkeypatch.setattr(quick, "LARGE_FILE", 10)
        large = reader.read(data)
    assert (here.width, here.height, here.metadata.caption, here.pixels.shape) == (60, 90, "A caption", (32, 32, 3))
    assert same(here, by_path)
    assert same(here, in_process)
    assert same(here, large)


def test_ordinary_photos_need_no_process_and_costly_ones_do(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def ask(self: WorkerPool, *request: bytes, subject: str) -> bytes:
        asked.append(len(request[1]))
        raise ImageTooLargeError("asked.", subject=subject)

    monkeypatch.setattr(WorkerPool, "ask", ask)
    with PhotoReader(32) as reader:
        for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"):
            reader.read(picture(kind))
        assert asked == []
        costly = [make.blank_animation(2000), make.progressive_jpeg(8900, 8900, scans=2), picture("AVIF")]
        for data in costly:
            with pytest.raises(ImageTooLargeError, match="asked"):
                reader.read(data)
        with pytest.raises(ImageError, match="not a picture"):
            reader.read(b"no picture")
    assert asked == [len(data) for data in costly]


def test_errors_of_a_process_name_the_photo(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(described_photo()[:700])
    with PhotoReader(32) as reader:
        with pytest.raises(ImageError, match=r"photo\.jpg: damaged or truncated"):
            reader.read(str(path))
        with pytest.raises(ImageError, match=r"missing\.jpg: no such file"):
            reader.read(os.fspath(tmp_path / "missing.jpg"))


def test_where_no_process_can_be_started_photos_are_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(self: WorkerPool, *request: bytes, subject: str) -> bytes:
        raise WorkerStartError("no")

    data = described_photo()
    with PhotoReader(32) as reader:
        expected = reader.read(data)
        monkeypatch.setattr(quick, "QUICK_WORK", 0)
        monkeypatch.setattr(WorkerPool, "ask", ask)
        assert same(reader.read(data), expected)
