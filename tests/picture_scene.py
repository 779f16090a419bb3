"""A picture whose parts and sides are easy to tell apart, for tests of reading pictures."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from sketchseek.errors import ImageError
from sketchseek.images import open_image


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


def check_damage(data: bytes, cuts: Sequence[int], changes: int) -> None:
    """Check that a file that is cut short, or has some bytes changed, gives a picture or an error of ours."""
    random = np.random.default_rng(0)
    for cut in cuts:
        with pytest.raises(ImageError):
            open_image(data[:cut])
    for _ in range(40):
        broken = bytearray(data)
        for place in random.integers(0, len(data), changes):
            broken[place] = random.integers(256)
        with contextlib.suppress(ImageError):  # anything else fails the test; some changes leave a sound picture
            open_image(bytes(broken), max_pixels=1_000_000)
