"""A process that decodes uploaded pictures to small ones. See ``decoding.py``."""

from __future__ import annotations

import struct
import sys

from PIL import Image

from sketchseek.images import open_image, squash
from sketchseek.images.worker import answer_requests
from sketchseek.sketches.bitmap import WORK, reduce_picture

REQUEST = struct.Struct(">I")
"""Side of the square that a photo is squashed to, or 0 for a sketch; the picture's bytes follow."""

RESPONSE = struct.Struct(">BII")
"""One of ``MODES``; width; height; the pixels follow."""

MODES = ("RGB", "RGBA")

_NICE = 5  # searches of others run first

_OWN_MEMORY = 256_000_000  # beyond what the picture takes: its bytes, the result, and buffers


def decode(data: bytes, size: int, *, max_pixels: int, max_bytes: int) -> Image.Image:
    """Decode a picture to a small one.

    Args:
        data: The picture's bytes.
        size: Side of the square that a photo is squashed to; 0 for a sketch.
        max_pixels, max_bytes: See ``open_image``.

    Raises:
        ImageError: It cannot be read.
    """
    if size:
        return squash(open_image(data, at_least=size, max_pixels=max_pixels, max_bytes=max_bytes), size)
    return reduce_picture(
        open_image(data, at_least=2 * WORK, keep_alpha=True, max_pixels=max_pixels, max_bytes=max_bytes)
    )


def main() -> None:
    """Answer requests until standard input ends."""
    max_pixels, max_bytes = map(int, sys.argv[1:3])

    def answer(request: bytes) -> bytes:
        (size,) = REQUEST.unpack_from(request)
        image = decode(request[REQUEST.size :], size, max_pixels=max_pixels, max_bytes=max_bytes)
        return RESPONSE.pack(MODES.index(image.mode), *image.size) + image.tobytes()

    answer_requests(answer, max_bytes=max_bytes + _OWN_MEMORY, nice=_NICE)


if __name__ == "__main__":
    main()
