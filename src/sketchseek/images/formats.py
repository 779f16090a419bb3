"""The picture formats that are read, and the names of those that are not.

Only the decoders named here are used. A format is recognized by a file's first bytes; a file's suffix only decides
whether a scan looks at it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from importlib.util import find_spec
from typing import BinaryIO

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""Pillow's names of the formats that are always read. MPO, which phones write as .jpg, is read as JPEG."""

HEIC_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
"""Suffixes of the photos of iPhones and some cameras; reading them needs the extra ``heic``."""

_HAS_HEIC = find_spec("pillow_heif") is not None

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}) | (
    HEIC_SUFFIXES if _HAS_HEIC else frozenset()
)
"""Lower-case suffixes of the files that a scan treats as images."""

_RAW = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".dng", ".erf", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".srw"}
)
_OTHER = frozenset({".eps", ".exr", ".hdr", ".j2k", ".jp2", ".jxl", ".pcx", ".pgm", ".ppm", ".psd", ".tga", ".xcf"})
_VIDEO = frozenset({".3gp", ".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".webm", ".wmv"})

UNREAD_SUFFIXES = (_RAW | _OTHER | _VIDEO | HEIC_SUFFIXES) - SUFFIXES
"""Lower-case suffixes of photos, pictures and videos that are not read. A scan counts them, so that they are not
missing without a word."""

READ_FORMATS = "JPEG, PNG, WebP, GIF, BMP, TIFF and AVIF are read" + (
    ", and HEIC." if _HAS_HEIC else '; HEIC with the extra: pip install "sketchseek[heic]".'
)
"""For messages about a file in another format."""

_START = 256
"""Bytes that are enough to recognize any format, including the brands of an ISO media file."""

_Open = Callable[[BinaryIO], Image.Image]


def identify(file: BinaryIO) -> Image.Image:
    """Open an image without decoding it. Like ``Image.open``, but with the formats of this module only, and without
    Pillow's pixel limit, which is global to the process.

    Raises:
        UnidentifiedImageError: It is in none of these formats.
    """
    start = file.read(_START)
    for accept, opener in _FORMATS:
        if accept(start):
            file.seek(0)
            return opener(file)
    raise UnidentifiedImageError


def media_type(image: Image.Image) -> str:
    """Return an identified image's media type, such as ``image/jpeg``."""
    # MPO, a JPEG with a second picture behind it, is shown by everything that shows a JPEG, under that name only.
    return _MEDIA_TYPES[image.format or ""]


def _brands(start: bytes) -> set[bytes]:
    """The brands of an ISO media file (AVIF, HEIC, MP4); empty for another file."""
    if start[4:8] != b"ftyp" or len(start) < 16:
        return set()
    (length,) = struct.unpack(">I", start[:4])
    compatible = start[16 : min(length, len(start))]
    return {start[8:12], *(compatible[i : i + 4] for i in range(0, len(compatible) - 3, 4))}


def _is_avif(start: bytes) -> bool:
    return not {b"avif", b"avis"}.isdisjoint(_brands(start))


def _is_heic(start: bytes) -> bool:
    return _HAS_HEIC and not {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}.isdisjoint(_brands(start))


def _open_heic(file: BinaryIO) -> Image.Image:
    from pillow_heif.as_plugin import HeifImageFile  # 30 ms, which only HEIC photos pay

    image: Image.Image = HeifImageFile(file)
    return image


_FORMATS: list[tuple[Callable[[bytes], bool], _Open]] = [
    (lambda start: start[:3] == b"\xff\xd8\xff", JpegImagePlugin.jpeg_factory),
    (lambda start: start[:8] == b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (lambda start: start[:4] == b"RIFF" and start[8:12] == b"WEBP", WebPImagePlugin.WebPImageFile),
    (lambda start: start[:6] in (b"GIF87a", b"GIF89a"), GifImagePlugin.GifImageFile),
    (lambda start: start[:2] == b"BM", BmpImagePlugin.BmpImageFile),
    (lambda start: start[:4] in TiffImagePlugin.PREFIXES, TiffImagePlugin.TiffImageFile),
    (_is_avif, AvifImagePlugin.AvifImageFile),
    (_is_heic, _open_heic),
]

_MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}
