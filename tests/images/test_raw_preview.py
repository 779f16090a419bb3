"""RAW files with the extra ``raw``: the stored preview, developing, orientation, telling RAW from TIFF."""

from __future__ import annotations

import contextlib
import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from picture_scene import difference, scene
from raw_files import dng
from sketchseek.errors import ImageError, ImageTooLargeError
from sketchseek.images import open_image, read_header
from sketchseek.images.raw_preview import is_raw_tiff
from sketchseek.photo_metadata import read_photo_metadata

pytest.importorskip("rawpy")

SCENE = scene(600, 400)


def tiff(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[271] = "Testmaker"
    image.save(buffer, "TIFF", exif=exif)
    return buffer.getvalue()


def test_the_stored_preview_is_read() -> None:
    data = dng(SCENE)
    assert difference(open_image(data), SCENE) < 3
    header = read_header(data)
    assert (header.width, header.height, header.media_type) == (600, 400, "image/x-raw")
    metadata = read_photo_metadata(data)
    assert metadata.camera == "Testmaker Testcamera 9"
    assert metadata.taken == "2019-07-14 10:20:30"


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [(3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_90), (8, Image.Transpose.ROTATE_270)],
)
def test_the_preview_is_turned_once(orientation: int, turn: Image.Transpose) -> None:
    data = dng(SCENE.transpose(turn), orientation=orientation)
    assert difference(open_image(data), SCENE) < 3
    header = read_header(data)
    assert (header.width, header.height) == (600, 400)


@pytest.mark.parametrize("preview", [None, SCENE.resize((160, 107))])
def test_without_a_usable_preview_the_file_is_developed_at_half_size(preview: Image.Image | None) -> None:
    image = open_image(dng(preview, developed=SCENE))
    assert image.size == (300, 200)
    pixels = np.asarray(image).astype(int)
    red, blue = pixels[150, 60], pixels[150, 240]
    assert red[0] > 200 > 100 > red[2]
    assert blue[2] > 200 > 100 > blue[0]


def test_a_tiff_stays_a_tiff() -> None:
    data = tiff(scene(96, 64))
    assert not is_raw_tiff(io.BytesIO(data))
    assert read_header(data).media_type == "image/tiff"


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({271: 100, 330: 200, 254: 1}, True),  # NEF
        ({271: 100, 330: 200, 254: 1, 259: 6}, True),  # ARW
        ({271: 100, 259: 65535}, True),  # PEF
        ({271: 100, 330: 200, 254: 0, 259: 5}, False),  # a TIFF with smaller copies
        ({330: 200, 254: 1}, False),
        ({50706: 1}, True),
    ],
)
def test_raw_files_are_told_by_their_first_directory(tags: dict[int, int], expected: bool) -> None:
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    assert is_raw_tiff(io.BytesIO(b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries)) is expected


def test_the_cap_holds_for_the_preview() -> None:
    with pytest.raises(ImageTooLargeError):
        open_image(dng(SCENE), max_pixels=600 * 400 - 1)


def test_damaged_files_are_errors_of_ours() -> None:
    data = dng(SCENE)
    random = np.random.default_rng(0)
    for _ in range(30):
        broken = bytearray(data)
        for place in random.integers(0, 600, 4):
            broken[place] = random.integers(256)
        with contextlib.suppress(ImageError):  # anything else fails the test
            open_image(bytes(broken), max_pixels=4_000_000)
    with contextlib.suppress(ImageError):
        open_image(data[: len(data) // 3])


@given(st.binary(max_size=200))
def test_no_bytes_escape_the_test_for_raw(tail: bytes) -> None:
    for start in (b"II*\0", b"MM\0*", b""):
        file = io.BytesIO(start + tail)
        assert is_raw_tiff(file) in (True, False)
        assert file.tell() == 0


def test_unusual_starts_of_raw_files_are_errors_of_ours() -> None:
    for start in (b"IIRO", b"IIU\0", b"FUJIFILMCCD-RAW", b"II*\0\x08\0\0\0CR\x02\0", b"\0\0\0\x18ftypcrx \0\0\0\0crx "):
        with pytest.raises(ImageError):
            open_image(start + bytes(2000))
