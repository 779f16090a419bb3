"""Recognizing formats by their first bytes; AVIF, HEIC with the extra ``heic``, and what is said about others."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, UnidentifiedImageError

from picture_scene import check_damage
from sketchseek.cli.index_report import _advice
from sketchseek.errors import ImageError, ImageTooLargeError
from sketchseek.images import open_image, read_header
from sketchseek.images.formats import EXTRAS, INDEXED_SUFFIXES, SUFFIXES, UNREAD_SUFFIXES, identify


def scene(width: int = 96, height: int = 64) -> Image.Image:
    """Red to the left, blue to the right, a green band on top."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[:, : width // 2, 0] = 250
    pixels[:, width // 2 :, 2] = 250
    pixels[: height // 4, :, 1] = 250
    return Image.fromarray(pixels)


def avif(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "AVIF", **options)
    return buffer.getvalue()


def heic(image: Image.Image, **options: object) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=90, **options)
    return buffer.getvalue()


def difference(a: Image.Image, b: Image.Image) -> float:
    assert a.size == b.size
    return float(np.abs(np.asarray(a, dtype=np.int16) - np.asarray(b, dtype=np.int16)).mean())


@pytest.mark.parametrize("write", [avif, heic])
def test_a_picture_is_decoded_from_bytes_and_path(write: object, tmp_path: Path) -> None:
    data = write(scene())  # type: ignore[operator]
    path = tmp_path / "picture.bin"
    path.write_bytes(data)
    for source in (data, path):
        image = open_image(source, at_least=32)
        assert image.mode == "RGB"
        assert difference(image, scene()) < 12
        header = read_header(source)
        assert (header.width, header.height) == (96, 64)
    assert header.media_type == ("image/avif" if write is avif else "image/heic")


def test_a_heic_photo_is_turned_once(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    scene().save(tmp_path / "scene.png")
    # Cameras store the inverse of the turn that EXIF asks for. The writer is another process: registering it here would
    # change Pillow for all tests.
    code = """if True:
        import sys
        from PIL import Image
        from pillow_heif import register_heif_opener
        register_heif_opener()
        inverse = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
        for orientation, turn in inverse.items():
            exif = Image.Exif()
            exif[0x0112] = orientation
            with Image.open(sys.argv[1] + "/scene.png") as scene:
                stored = scene.transpose(turn)
            stored.info["exif"] = exif.tobytes()  # from here, the writer also makes HEIC's own turn
            stored.save(f"{sys.argv[1]}/{orientation}.heic")
        """
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    for orientation in (3, 6, 8):
        path = tmp_path / f"{orientation}.heic"
        assert difference(open_image(path), scene()) < 12
        header = read_header(path)
        assert (header.width, header.height) == (96, 64)


@pytest.mark.parametrize("write", [avif, heic])
def test_transparency_lies_on_white(write: object) -> None:
    clear = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    assert np.asarray(open_image(write(clear))).min() > 240  # type: ignore[operator]


@pytest.mark.parametrize("write", [avif, heic])
def test_the_cap_holds_before_decoding(write: object) -> None:
    with pytest.raises(ImageTooLargeError, match="96 × 64 pixels"):
        open_image(write(scene()), max_pixels=96 * 64 - 1)  # type: ignore[operator]


@pytest.mark.parametrize("write", [avif, heic])
def test_a_damaged_picture_is_an_error_of_ours(write: object) -> None:
    data = write(scene())  # type: ignore[operator]
    check_damage(data, (20, 60, len(data) // 2, len(data) - 40), changes=6)


@given(st.binary(max_size=300))
def test_no_bytes_behind_an_iso_header_escape(tail: bytes) -> None:
    for data in (tail, struct.pack(">I", 24) + b"ftyp" + tail, struct.pack(">I", 24) + b"ftypmif1\0\0\0\0avif" + tail):
        with pytest.raises(ImageError):
            open_image(data or b"x", max_pixels=10_000)


@pytest.mark.parametrize("brand", [b"mif1", b"jxl ", b"msf1"])
def test_other_iso_media_are_not_pictures(brand: bytes) -> None:
    start = struct.pack(">I", 20) + b"ftyp" + brand + b"\0\0\0\0" + brand
    with pytest.raises(UnidentifiedImageError):
        identify(io.BytesIO(start + bytes(64)))
    with pytest.raises(ImageError, match=r"supported format[\s\S]*AVIF"):
        open_image(start + bytes(64))


def test_a_brand_behind_the_box_does_not_count() -> None:
    start = struct.pack(">I", 20) + b"ftypmif1\0\0\0\0msf1" + b"avif" * 4
    with pytest.raises(UnidentifiedImageError):
        identify(io.BytesIO(start))


def test_a_suffix_is_read_or_counted_never_both() -> None:
    assert not INDEXED_SUFFIXES & UNREAD_SUFFIXES
    assert SUFFIXES.union(*(extra.suffixes for extra in EXTRAS)) <= INDEXED_SUFFIXES | UNREAD_SUFFIXES


def test_data_sets_hold_pictures_only() -> None:
    assert SUFFIXES.isdisjoint({".mp4", ".cr2"})


@pytest.mark.parametrize(
    ("extra", "module", "suffix"),
    [
        ("heic", "pillow_heif", ".heic"),
        ("jxl", "pillow_jxl", ".jxl"),
        ("raw", "rawpy", ".cr2"),
        ("video", "av", ".mp4"),
    ],
)
def test_without_an_extra_its_formats_are_named_as_not_read(extra: str, module: str, suffix: str) -> None:
    code = (
        f"import sys; sys.modules['{module}'] = None\n"
        "import re\n"
        "from importlib import util\n"
        "find = util.find_spec\n"
        f"util.find_spec = lambda name, *rest: None if name == '{module}' else find(name, *rest)\n"
        "from sketchseek.images.formats import INDEXED_SUFFIXES, READ_FORMATS, UNREAD_SUFFIXES\n"
        f"assert '{suffix}' in UNREAD_SUFFIXES and '{suffix}' not in INDEXED_SUFFIXES\n"
        # Other extras may be missing, too.
        f"assert re.search(r'sketchseek\\[[a-z,]*\\b{extra}\\b', READ_FORMATS), READ_FORMATS\n"
        "from sketchseek.cli.index_report import _advice\n"
        f"assert 'sketchseek[{extra}]' in _advice({{'{suffix[1:]}': 2}})\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_advice_names_extras_only() -> None:
    assert _advice({"psd": 3}) == ""
