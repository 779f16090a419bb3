"""Opening pictures: formats, EXIF, reduced sizes, caps, and headers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from picture_scene import difference, encoded, scene
from sketchseek.errors import ImageError, ImageTooLargeError
from sketchseek.images import MAX_PIXELS, open_image, read_header, read_photo
from sketchseek.images.formats import FORMATS

ORIENTATION = 0x0112


@pytest.mark.parametrize("format_name", FORMATS)
def test_each_format_from_path_and_bytes(format_name: str, tmp_path: Path) -> None:
    data = encoded(scene(), format_name)
    path = tmp_path / "picture.bin"
    path.write_bytes(data)
    for source in (path, str(path), data):
        image = open_image(source)
        assert image.mode == "RGB"
        assert difference(image, scene()) < 12


def test_the_content_counts_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "really-a-png.jpg"
    path.write_bytes(encoded(scene(), "PNG"))
    assert difference(open_image(path), scene()) == 0


def test_a_formats_decoder_that_is_not_listed_stays_shut() -> None:
    with pytest.raises(ImageError, match="not a picture in a supported format"):
        open_image(encoded(scene(), "PPM"))


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turn(format_name: str, orientation: int) -> None:
    # What a camera stores for a scene: the inverse of the turn that the tag asks for.
    inverse = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = scene() if inverse is None else scene().transpose(inverse)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encoded(stored, format_name, exif=exif)
    assert difference(open_image(data), scene()) < 12


def test_exif_turn_of_a_jpeg_decoded_at_reduced_size() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    stored = scene(1600, 1200).transpose(Image.Transpose.ROTATE_90)
    image = open_image(encoded(stored, "JPEG", exif=exif), at_least=100)
    assert image.size == (200, 150)
    assert difference(image, scene(200, 150)) < 12


@pytest.mark.parametrize("format_name", ["PNG", "WEBP"])
def test_exif_turn_of_another_format_decoded_at_reduced_size(format_name: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 8
    stored = scene(1200, 800).transpose(Image.Transpose.ROTATE_270)
    image = open_image(encoded(stored, format_name, exif=exif), at_least=50)
    assert image.size == (240, 160)
    assert difference(image, scene(240, 160)) < 12


@pytest.mark.parametrize("at_least", [30, 64, 100, 224, 600])
def test_reduced_decoding_keeps_the_pixels_asked_for(at_least: int) -> None:
    for format_name in ("JPEG", "PNG"):
        image = open_image(encoded(scene(640, 800), format_name), at_least=at_least)
        assert min(image.size) >= at_least


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("block", [b"garbage", b"MM\0*\xff\xff\xff\xff" + b"\xff" * 40], ids=["garbage", "endless"])
def test_damaged_exif_does_not_lose_the_picture(format_name: str, block: bytes) -> None:
    data = encoded(scene(), format_name, exif=b"Exif\0\0" + block)
    assert difference(open_image(data), scene()) < 12
    assert (read_header(data).width, read_header(data).height) == (60, 40)


@pytest.mark.parametrize("format_name", ["GIF", "WEBP", "TIFF", "PNG"])
def test_the_first_frame_of_many(format_name: str) -> None:
    frames = [Image.new("RGB", (20, 10), color) for color in ((200, 0, 0), (0, 200, 0))]
    data = encoded(frames[0], format_name, save_all=True, append_images=frames[1:])
    red, green, _ = open_image(data).getpixel((5, 5))  # type: ignore[misc]
    assert red > 180 > 40 > green


@pytest.mark.parametrize("format_name", ["GIF", "WEBP", "PNG"])
@pytest.mark.parametrize("blank", [1, 3])
def test_a_blank_beginning_of_an_animation_is_skipped(format_name: str, blank: int) -> None:
    black = Image.new("RGB", (60, 40))
    frames = [black] * blank + [scene()] * 4 + [black]
    data = encoded(
        frames[0],
        format_name,
        save_all=True,
        append_images=frames[1:],
        duration=[40 + i for i in range(8)][: len(frames)],
    )
    assert difference(open_image(data), scene()) < 8


def test_a_damaged_frame_behind_a_blank_one_does_not_matter() -> None:
    data = encoded(Image.new("RGB", (60, 40)), "GIF", save_all=True, append_images=[scene()])
    assert open_image(data[:-60]).size == (60, 40)


def test_an_embedded_color_profile_does_not_matter() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert difference(open_image(encoded(scene(), "PNG", icc_profile=profile)), scene()) == 0


def test_the_cap_is_on_pixels_and_before_decoding() -> None:
    data = encoded(scene(), "PNG")
    assert open_image(data, max_pixels=60 * 40).size == (60, 40)
    with pytest.raises(ImageTooLargeError, match=r"60 × 40 pixels, more than the cap of 2,399") as caught:
        open_image(data[:200], max_pixels=60 * 40 - 1)  # truncated: decoding it would be another error
    assert caught.value.remedy


def test_the_cap_is_our_own_not_pillows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # a host program's choice for itself
    assert open_image(encoded(scene(), "JPEG")).size == (60, 40)
    assert MAX_PIXELS > 199_756_800  # what a phone of 200 megapixels takes


def test_a_picture_in_memory_is_left_as_it_is() -> None:
    image = Image.open(io.BytesIO(encoded(scene(800, 600), "JPEG")))
    assert open_image(image, at_least=10).mode == "RGB"
    assert image.size == (800, 600)
    image.load()


def test_read_photo_squashes_to_the_square() -> None:
    pixels = read_photo(encoded(scene(900, 300), "PNG"), 48)
    assert pixels.shape == (48, 48, 3)
    assert pixels.dtype == np.uint8
    assert difference(Image.fromarray(pixels), scene(48, 48)) < 8


@pytest.mark.slow
def test_reduced_decoding_hardly_changes_a_photo() -> None:
    rng = np.random.default_rng(0)
    photo = Image.fromarray(rng.integers(0, 255, (15, 20, 3), dtype=np.uint8)).resize((1600, 1200), 3)
    whole = np.asarray(photo.resize((64, 64), Image.Resampling.BOX), dtype=int)
    for format_name in ("JPEG", "PNG"):
        assert np.abs(read_photo(encoded(photo, format_name), 64) - whole).mean() < 4


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_header_is_read_without_decoding(format_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    options = {} if format_name in ("GIF", "BMP") else {"exif": exif}
    data = encoded(scene(), format_name, **options)
    path = tmp_path / "picture.bin"
    path.write_bytes(data)
    if format_name != "WEBP":  # whose decoder heeds Pillow's cap by itself
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    expected = (40, 60) if options else (60, 40)
    for source in (data, path):
        header = read_header(source)
        assert (header.width, header.height) == expected
        assert header.media_type == f"image/{format_name.lower()}"


def test_two_pictures_in_one_jpeg_are_a_jpeg_to_the_world() -> None:
    data = encoded(scene(), "MPO", save_all=True, append_images=[scene()])
    assert Image.open(io.BytesIO(data)).format == "MPO"
    assert read_header(data).media_type == "image/jpeg"
    assert difference(open_image(data), scene()) < 12


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"BM" + b"\xff" * 30])
def test_a_header_that_cannot_be_read_is_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"^picture: "):
        read_header(data)
