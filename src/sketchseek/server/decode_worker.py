"""A process that decodes uploaded pictures, so that a hostile one can be killed with it.

It reads requests from standard input and writes small pictures to standard output. See ``decoding.py``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import sys
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from sketchseek.errors import ImageError, ImageTooLargeError
from sketchseek.images import open_image, squash
from sketchseek.sketches.bitmap import WORK, reduce_picture

REQUEST = struct.Struct(">IQ")
"""Side of the square that a photo is squashed to, or 0 for a sketch; bytes of the picture, which follow."""

RESPONSE = struct.Struct(">BIIQ")
"""One of ``MODES``, or 255 for an error as JSON; width; height; bytes of the pixels or of the error, which follow."""

MODES = ("RGB", "RGBA")
ERROR = 255
ERRORS = {kind.__name__: kind for kind in (ImageError, ImageTooLargeError)}

_NICE = 5

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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the server's terminal is for the server
    _limit_memory(max_bytes)
    if hasattr(os, "nice"):
        os.nice(_NICE)  # searches of others run first
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while head := source.read(REQUEST.size):
        size, length = REQUEST.unpack(head)
        try:
            image = decode(source.read(length), size, max_pixels=max_pixels, max_bytes=max_bytes)
        except ImageError as error:
            told = {"type": type(error).__name__, "reason": error.reason, "remedy": error.remedy}
            _write(target, ERROR, (0, 0), json.dumps(told).encode())
        else:
            _write(target, MODES.index(image.mode), image.size, image.tobytes())


def _write(target: BinaryIO, mode: int, size: tuple[int, int], content: bytes) -> None:
    target.write(RESPONSE.pack(mode, *size, len(content)))
    target.write(content)
    target.flush()


def _limit_memory(max_bytes: int) -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):  # not on every platform
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with Path("/proc/self/statm").open(encoding="ascii") as statm:
            own = int(statm.read().split()[0]) * resource.getpagesize()
        limit = own + max_bytes + _OWN_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main()
