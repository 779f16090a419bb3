"""Every color mode, deep gray and transparency become 8-bit RGB."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from picture_scene import difference, encoded, scene
from sketchseek.images import open_image


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
