"""Opening pictures: formats, color modes, EXIF, caps, and what is not a picture."""

from __future__ import annotations

import io
import os
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from sketchseek.errors import ImageError, ImageTooLargeError
from sketchseek.image_formats import FORMATS
from sketchseek.images import MAX_PIXELS, open_image, open_regular, read_header, read_photo

ORIENTATION = 0x0112


def scene(width: int = 60, height: int = 40) -> Image.Image:
    """Red to the left, blue to the right, a green band on top."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[:, : width // 2, 0] = 250
    pixels[:, width // 2 :, 2] = 250
    pixels[: height // 4, :, 1] = 250
    return Image.fromarray(pixels)


def encoded(image: Image.Image, format_name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def difference(a: Image.Image, b: Image.Image) -> float:
    assert a.size == b.size
    return float(np.abs(np.asarray(a, dtype=np.int16) - np.asarray(b, dtype=np.int16)).mean())


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


@pytest.mark.parametrize("mode", ["L", "LA", "P", "PA", "1", "CMYK", "YCbCr", "HSV", "RGBX", "La", "RGBa"])
def test_color_modes_of_images_in_memory(mode: str) -> None:
    base = scene().convert("RGBA") if mode in ("La", "RGBa", "PA") else scene()
    if mode in ("La", "PA"):
        base = base.convert("LA")
    image = open_image(base.convert(mode))
    assert (image.mode, image.size) == ("RGB", (60, 40))
    assert np.asarray(image).std() > 20


def test_cmyk_jpeg() -> None:
    assert difference(open_image(encoded(scene().convert("CMYK"), "JPEG")), scene()) < 25


@pytest.mark.parametrize(
    ("dtype", "top"), [(np.uint16, 65535), (np.int32, 65535), (np.float32, 1.0), (np.float32, 255.0)]
)
def test_deep_greys_are_scaled_not_clipped(dtype: type, top: float) -> None:
    ramp: np.ndarray = np.tile(np.linspace(0, top, 64), (8, 1)).astype(dtype)
    values = np.asarray(open_image(encoded(Image.fromarray(ramp), "TIFF")))[0, :, 0].astype(int)
    assert values[0] == 0
    assert values[-1] == 255
    assert abs(values[32] - 129) <= 2


def test_a_float_picture_without_a_number_in_it_is_black() -> None:
    values = np.full((4, 4), np.nan, dtype=np.float32)
    assert np.asarray(open_image(Image.fromarray(values))).max() == 0


def test_sixteen_bit_png() -> None:
    ramp = np.tile(np.linspace(0, 65535, 64), (8, 1)).astype(np.uint16)
    values = np.asarray(open_image(encoded(Image.fromarray(ramp), "PNG")))[0, :, 0].astype(int)
    assert abs(values[32] - 129) <= 2


def test_transparency_becomes_white_or_stays() -> None:
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    image.putpixel((0, 0), (255, 0, 0, 255))
    data = encoded(image, "PNG")
    flat = open_image(data)
    assert flat.getpixel((0, 0)) == (255, 0, 0)
    assert flat.getpixel((3, 3)) == (255, 255, 255)
    assert open_image(data, keep_alpha=True).mode == "RGBA"
    assert open_image(encoded(scene(), "PNG"), keep_alpha=True).mode == "RGB"


def test_transparent_palette_entry() -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.putpixel((1, 1), 1)
    for format_name in ("PNG", "GIF"):
        flat = open_image(encoded(image, format_name, transparency=0))
        assert flat.getpixel((0, 0)) == (255, 255, 255)
        assert flat.getpixel((1, 1)) == (200, 0, 0)


@pytest.mark.parametrize("format_name", ["GIF", "WEBP", "TIFF", "PNG"])
def test_the_first_frame_of_many(format_name: str) -> None:
    frames = [Image.new("RGB", (20, 10), color) for color in ((200, 0, 0), (0, 200, 0))]
    data = encoded(frames[0], format_name, save_all=True, append_images=frames[1:])
    red, green, _ = open_image(data).getpixel((5, 5))  # type: ignore[misc]
    assert red > 180 > 40 > green


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


def test_reduced_decoding_hardly_changes_a_photo() -> None:
    rng = np.random.default_rng(0)
    photo = Image.fromarray(rng.integers(0, 255, (15, 20, 3), dtype=np.uint8)).resize((1600, 1200), 3)
    whole = np.asarray(photo.resize((64, 64), Image.Resampling.BOX), dtype=int)
    for format_name in ("JPEG", "PNG"):
        assert np.abs(read_photo(encoded(photo, format_name), 64) - whole).mean() < 4


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
