"""What decoding a picture costs, estimated from its header: memory, and scans of a JPEG.

A small file can ask for much of both. Decoders themselves check neither.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, BinaryIO

from PIL import Image, JpegImagePlugin

MAX_BYTES = 850_000_000
"""Pictures that need more memory to decode are refused."""

LARGE_BYTES = 120_000_000
"""Pictures that need more memory than this are decoded one at a time in a process."""

MAX_SCANS = 100
"""Maximum scans of a JPEG; programs write about ten."""

MAX_SCANNED_PIXELS = 2_000_000_000
"""Maximum pixels × scans of a JPEG: each scan passes over every pixel, however few bytes it has."""

MAX_FRAMES = 33
"""Frames of an animation that are decoded, until one is not blank."""

QUICK_WORK = 100_000_000
"""Pixels that any decoder has passed over after a few seconds; see ``decoding_work``."""

_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}  # of one pixel; 4 in other modes
# libwebp's two canvases, a copy as bytes, and Pillow's picture, of 4 bytes each; AV1 and HEVC decoders are much alike.
_VIDEO_BYTES = 16
_VIDEO_FORMATS = frozenset({"WEBP", "AVIF", "HEIF", "JXL", "VIDEO"})
_OPAQUE_FORMATS = frozenset({"AVIF", "HEIF", "JXL", "RAW", "VIDEO"})
_TIFF_ROWS, _TIFF_TILE = 278, (322, 323)

_READ = 128 << 20  # bytes of a JPEG in which scans are counted
_HEAD = 1 << 18  # bytes that hold most JPEGs' metadata and the beginning of the first scan

_ONE_LARGE = threading.Lock()

_MARKER = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")  # neither a stuffed byte nor a restart marker
_END, _SCAN = 0xD9, 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL_FRAMES = frozenset({0xC0, 0xC1, 0xC9})
_WITHOUT_CONTENT = frozenset({0x01, 0xD8})


@contextmanager
def one_large_decode(cost: int) -> Iterator[None]:
    """Wait, for a picture that needs more than ``LARGE_BYTES``, until no other thread decodes such a one."""
    if cost <= LARGE_BYTES:
        yield
        return
    with _ONE_LARGE:
        yield


def decoding_bytes(image: Image.Image, full_size: tuple[int, int], factor: int) -> int:
    """Estimate the memory that decoding and converting a picture takes at its peak.

    Args:
        image: The picture, identified but not loaded. A JPEG may be set to a reduced size.
        full_size: Its width and height before that.
        factor: Factor by which the decoded picture is reduced at once.
    """
    pixels = image.width * image.height
    result = 0 if image.mode == "RGB" and factor == 1 else 4 * pixels // factor**2
    if image.format in _VIDEO_FORMATS:
        return _VIDEO_BYTES * pixels + result
    cost = _BYTES.get(image.mode, 4) * pixels + result
    if image.format == "GIF":
        cost += pixels
    elif image.format == "TIFF":
        cost += _tiff_buffer(image)
    elif isinstance(image, JpegImagePlugin.JpegImageFile) and image.info.get("progressive"):
        cost += _coefficients(image, full_size[0] * full_size[1])
    return cost


def decoding_work(image: Image.Image, scans: int) -> float:
    """Return how many pixels a decoder passes over, at most: each scan and each frame passes over all of them.

    Infinite for formats whose decoders do work that the header does not tell.

    Args:
        image: The picture, identified but not loaded, in its full size.
        scans: Scans, of a JPEG.
    """
    if image.format in _OPAQUE_FORMATS or _has_opaque_pages(image):
        return float("inf")
    pixels = image.width * image.height
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        return pixels * max(1, scans)
    # Whether a GIF is an animation is only known from all of its first frame.
    return pixels * (MAX_FRAMES if image.format == "GIF" or getattr(image, "is_animated", False) else 1)


def _has_opaque_pages(image: Image.Image) -> bool:
    """Whether a picture is a TIFF with a JPEG in it, which may have many scans, or with further pages of any kind."""
    pages = getattr(image, "is_animated", False)
    return image.format == "TIFF" and (pages or "jpeg" in str(getattr(image, "_compression", "")))


def _coefficients(image: Any, pixels: int) -> int:
    """Return the size of the coefficients of a progressive JPEG, all of which the decoder keeps."""
    sampling = [across * down for _, across, down, _ in image.layer] or [1]
    return int(2 * pixels * sum(sampling) / max(sampling))


def _tiff_buffer(image: Any) -> int:
    """Return the size of the largest strip or tile of a compressed TIFF, which is decoded into a buffer."""
    tags = getattr(image, "tag_v2", {})
    if getattr(image, "_compression", "raw") == "raw":
        return 0
    try:
        width, rows = (int(tags[tag]) for tag in _TIFF_TILE)
    except (KeyError, TypeError, ValueError):
        width, rows = image.width, image.height
        if isinstance(tags.get(_TIFF_ROWS), int):
            rows = min(rows, tags[_TIFF_ROWS])
    return 4 * max(0, width) * max(0, rows)


def count_scans(file: BinaryIO, limit: int) -> int:
    """Count the scans that a decoder would read in a JPEG. The file's position does not change.

    Returns:
        The number, ``limit`` + 1 if there are more; up to ``limit`` also scans of an embedded thumbnail may count.
    """
    position = file.tell()
    file.seek(0)
    data = file.read(_HEAD)
    first = next((is_last for is_last in _scans(data)), False)
    if not first:  # most JPEGs have one scan, which the head tells
        data += file.read(_READ - _HEAD)
    file.seek(position)
    if first:
        return 1
    at_most = data.count(bytes((0xFF, _SCAN)))  # much faster than following the markers
    if at_most <= limit:
        return at_most
    return sum(1 for _ in islice(_scans(data), limit + 1))


def _scans(data: bytes) -> Iterator[bool]:
    """Yield, for each scan that a decoder reads, whether it reads no further one."""
    components = 0
    sequential = False
    position = 2
    while marker := _MARKER.search(data, position):
        kind, position = data[marker.end() - 1], marker.end()
        if kind == _END:
            return
        if kind in _WITHOUT_CONTENT:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        if length < 2 or position + length > len(data):
            return  # the decoder stops here
        if kind in _FRAMES and length > 7:
            components, sequential = data[position + 7], kind in _SEQUENTIAL_FRAMES
        elif kind == _SCAN:
            is_last = sequential and length > 2 and data[position + 2] == components
            yield is_last
            if is_last:
                return
        position += length
