"""JPEG XL with the extra ``jxl``: sizes before decoding, orientation, metadata, hostile files."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from picture_scene import check_damage, difference, scene
from sketchseek.errors import ImageError, ImageTooLargeError
from sketchseek.images import open_image, read_header
from sketchseek.images.jpeg_xl import read_header as read_size
from sketchseek.photo_metadata import read_photo_metadata

pillow_jxl = pytest.importorskip("pillow_jxl")


def jxl(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JXL", **options)
    return buffer.getvalue()


def packed_jpeg(image: Image.Image, orientation: int) -> bytes:
    """Return a JPEG that JPEG XL packed without loss."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=95, exif=exif.tobytes())
    encoder = pillow_jxl.Encoder(
        mode="RGB",
        lossless=True,
        quality=100,
        decoding_speed=0,
        effort=3,
        use_container=True,
        use_original_profile=False,
        num_threads=0,
    )
    return bytes(encoder(jpeg.getvalue(), image.width, image.height, jpeg_encode=True))


@pytest.mark.parametrize("container", [False, True])
def test_a_picture_is_decoded(container: bool) -> None:
    data = jxl(scene(96, 64), use_container=container)
    assert difference(open_image(data, at_least=32), scene(96, 64)) < 5
    header = read_header(data)
    assert (header.width, header.height, header.media_type) == (96, 64, "image/jxl")


@pytest.mark.parametrize("size", [(1, 1), (640, 480), (1920, 1080), (3000, 2000), (5000, 17), (257, 513), (512, 256)])
def test_the_size_is_known_before_decoding(size: tuple[int, int]) -> None:
    data = jxl(Image.new("RGB", size), effort=1)
    header = read_header(data)
    assert (header.width, header.height) == size
    with pytest.raises(ImageTooLargeError):
        open_image(data, max_pixels=size[0] * size[1] - 1)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA"])
def test_transparency_lies_on_white_in_any_mode(mode: str) -> None:
    image = Image.new(mode, (40, 30))
    pixels = np.asarray(open_image(jxl(image, lossless=True)))
    assert pixels.shape == (30, 40, 3)
    assert pixels.min() == (0 if mode == "L" else 255)


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [(3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_90), (8, Image.Transpose.ROTATE_270)],
)
def test_a_packed_jpeg_is_turned_once(orientation: int, turn: Image.Transpose) -> None:
    data = packed_jpeg(scene(96, 64).transpose(turn), orientation)
    assert difference(open_image(data), scene(96, 64)) < 5
    header = read_header(data)
    assert (header.width, header.height) == (96, 64)


@pytest.mark.parametrize("offset", [False, True])
def test_exif_gives_the_camera_and_no_second_turn(offset: bool) -> None:
    exif = Image.Exif()
    exif[0x0110] = "Camera 7"
    exif[0x0112] = 6
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    data = jxl(scene(96, 64), use_container=True, exif=(b"\0\0\0\0" if offset else b"") + block)
    assert read_photo_metadata(data).camera == "Camera 7"
    assert open_image(data).size == (96, 64)


def test_damaged_pictures_are_errors_of_ours() -> None:
    data = jxl(scene(96, 64))
    check_damage(data, (3, 20, len(data) // 2), changes=4)


@given(st.binary(max_size=200))
def test_no_bytes_escape_the_header(tail: bytes) -> None:
    with contextlib.suppress(SyntaxError):
        width, height, orientation = read_size(b"\xff\x0a" + tail)
        assert width >= 0 < height
        assert 1 <= orientation <= 8
    for start in (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n", b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x20Exif"):
        with contextlib.suppress(ImageError):
            read_header(start + tail)
