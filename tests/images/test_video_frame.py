"""Videos with the extra ``video``: the first frame that is not blank, for each container; hostile files."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from picture_scene import difference, scene
from sketchseek.errors import ImageError, ImageTooLargeError
from sketchseek.images import open_image, read_header
from video_files import video

pytest.importorskip("av")

BLACK = Image.new("RGB", (96, 64))


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("mp4", "mpeg4"),
        ("mov", "mpeg4"),
        ("matroska", "mpeg4"),
        ("avi", "mpeg4"),
        ("mpegts", "mpeg2video"),
        ("mpeg", "mpeg2video"),
        ("asf", "wmv2"),
    ],
)
def test_the_first_frame_that_is_not_blank_is_read(container: str, codec: str, tmp_path: Path) -> None:
    data = video([BLACK, BLACK, scene(96, 64), BLACK], container, codec)
    path = tmp_path / "film.bin"
    path.write_bytes(data)
    for source in (data, path):
        assert difference(open_image(source, at_least=32), scene(96, 64)) < 5
        header = read_header(source)
        assert (header.width, header.height, header.media_type) == (96, 64, "video/mp4")


def test_of_a_blank_video_the_first_frame_is_read() -> None:
    gray = Image.new("RGB", (96, 64), (128, 128, 128))
    assert np.asarray(open_image(video([BLACK, gray]))).max() < 10


def test_a_title_may_have_any_encoding() -> None:
    made = video([scene(96, 64)], "matroska", title="cafXYZ")
    assert b"cafXYZ" in made
    assert difference(open_image(made.replace(b"cafXYZ", b"caf\xe9YZ")), scene(96, 64)) < 5


def test_the_cap_holds_before_decoding() -> None:
    with pytest.raises(ImageTooLargeError, match="96 × 64 pixels"):
        open_image(video([scene(96, 64)]), max_pixels=96 * 64 - 1)


@pytest.mark.parametrize("start", [b"#EXTM3U\n", b"ffconcat version 1.0\nfile '/etc/passwd'\n"])
def test_playlists_are_no_videos(start: bytes) -> None:
    with pytest.raises(ImageError, match="not a picture"):
        open_image(start + bytes(300))


def test_damaged_videos_are_errors_of_ours() -> None:
    data = video([scene(96, 64)] * 3)
    random = np.random.default_rng(0)
    for cut in (40, len(data) // 2):
        with contextlib.suppress(ImageError):
            open_image(data[:cut])
    for _ in range(40):
        broken = bytearray(data)
        for place in random.integers(0, len(data), 6):
            broken[place] = random.integers(256)
        with contextlib.suppress(ImageError):  # anything else fails the test
            open_image(bytes(broken), max_pixels=1_000_000)


@given(st.binary(max_size=200))
def test_no_bytes_escape(tail: bytes) -> None:
    for start in (struct.pack(">I", 24) + b"ftypisom", b"\x1aE\xdf\xa3", b"RIFF\0\0\0\0AVI ", b"\0\0\x01\xba"):
        with pytest.raises(ImageError):
            open_image(start + tail, max_pixels=10_000)
