"""A picture whose parts and sides are easy to tell apart, for tests of reading pictures."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


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
