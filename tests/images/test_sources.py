"""What is not a picture file, odd names, and threads."""

from __future__ import annotations

import os
import threading
import warnings
from pathlib import Path

import pytest
from PIL import Image

from picture_scene import difference, encoded, scene
from sketchseek.errors import ImageError
from sketchseek.images import open_image, open_regular


def test_what_is_no_picture_file(tmp_path: Path) -> None:
    (tmp_path / "link.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")  # opening it for reading would wait for a writer for ever
    for name, cause in {
        "gone.jpg": "no such file",
        "link.jpg": "no such file",
        "loop.jpg": "cannot be opened",
        "empty.jpg": "empty file",
        "folder.jpg": "a folder",
        "pipe.jpg": "not a regular file",
        "nul\0.jpg": "not the name of a file",
    }.items():
        with pytest.raises(ImageError, match=cause) as caught:
            open_image(tmp_path / name)
        assert str(tmp_path) in caught.value.message
    with pytest.raises(ImageError, match="not a regular file"):
        open_image("/dev/zero")
    with pytest.raises(ImageError, match="empty"):
        open_image(b"")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(encoded(scene(), "PNG"))
    path.chmod(0)
    with pytest.raises(ImageError, match="no permission"):
        open_image(path)


def test_odd_names_open_and_their_errors_can_be_printed(tmp_path: Path) -> None:
    for raw in (b"caf\xe9.png", "ünï ☂ 画.png".encode(), b"line\nbreak.png", b"\x1b[31mred.png", b"-rf.png"):
        path = tmp_path / os.fsdecode(raw)
        path.write_bytes(encoded(scene(), "PNG"))
        assert open_image(path).size == (60, 40)
        path.write_bytes(b"no picture")
        with pytest.raises(ImageError) as caught:
            open_image(path)
        message = str(caught.value)
        message.encode("utf-8")
        assert message.split("\n")[0].isprintable()


def test_open_regular_closes_what_it_refuses(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    open_files = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else None
    for _ in range(3):
        with pytest.raises(ImageError):
            open_regular(tmp_path / "empty")
    if open_files is not None:
        assert len(list(Path("/proc/self/fd").iterdir())) == open_files


def test_threads_neither_disturb_each_other_nor_the_warning_filters() -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\xff\xff\x07\0\xff\xff\xff\x7f\xff\xff"
    good = encoded(scene(40, 60), "JPEG", exif=exif)  # Pillow warns of it
    before = list(warnings.filters)
    problems: list[object] = []

    def work() -> None:
        for _ in range(30):
            try:
                if difference(open_image(good), scene(40, 60).transpose(Image.Transpose.ROTATE_270)) > 12:
                    problems.append("a wrong picture")
                open_image(good[:-300])
                problems.append("a truncated picture opened")
            except ImageError as error:
                if "truncated" not in str(error):
                    problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert list(warnings.filters) == before
