"""The picture formats that are read, and the names of those that are not.

Only the decoders named here are used. A format is recognized by a file's first bytes; a file's suffix only decides
whether a scan looks at it.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import PurePosixPath
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

_BASE = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})
_OTHER = frozenset({".eps", ".exr", ".hdr", ".j2k", ".jp2", ".pcx", ".pgm", ".ppm", ".psd", ".tga", ".xcf"})


@dataclass(frozen=True)
class Extra:
    """An optional part of the installation that reads further formats.

    Attributes:
        name: Name of the extra: ``pip install "sketchseek[name]"``.
        module: The package that it installs.
        formats: What it reads, for messages.
        suffixes: Lower-case suffixes of these files.
    """

    name: str
    module: str
    formats: str
    suffixes: frozenset[str]

    @cached_property
    def installed(self) -> bool:
        """Whether its package is there."""
        return find_spec(self.module) is not None


HEIC = Extra("heic", "pillow_heif", "HEIC", frozenset({".heic", ".heif", ".hif"}))
JPEG_XL = Extra("jxl", "pillow_jxl", "JPEG XL", frozenset({".jxl"}))
_RAW = (
    ".3fr",
    ".arw",
    ".cr2",
    ".cr3",
    ".dng",
    ".erf",
    ".iiq",
    ".mrw",
    ".nef",
    ".nrw",
    ".orf",
    ".pef",
    ".raf",
    ".raw",
    ".rw2",
    ".rwl",
    ".sr2",
    ".srf",
    ".srw",
    ".x3f",
)
RAW = Extra(
    "raw",
    "rawpy",
    "camera RAW",
    frozenset(_RAW),
)
VIDEO = Extra(
    "video",
    "av",
    "video",
    frozenset([".3gp", ".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".webm", ".wmv"]),
)
EXTRAS = (HEIC, JPEG_XL, RAW, VIDEO)

SUFFIXES = _BASE.union(*(extra.suffixes for extra in (HEIC, JPEG_XL) if extra.installed))
"""Lower-case suffixes of pictures that are read."""

INDEXED_SUFFIXES = SUFFIXES.union(*(extra.suffixes for extra in (RAW, VIDEO) if extra.installed))
"""Lower-case suffixes of the files that a scan treats as photos: also RAW files and videos, of which one picture is
read."""

UNREAD_SUFFIXES = _OTHER.union(*(extra.suffixes for extra in EXTRAS)) - INDEXED_SUFFIXES
"""Lower-case suffixes of photos, pictures and videos that are not read. A scan counts them, so that they are not
missing without a word."""


def _read_formats() -> str:
    installed = [extra.formats for extra in EXTRAS if extra.installed]
    names = ["JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "AVIF", *installed]
    text = f"{', '.join(names[:-1])} and {names[-1]} are read."
    if missing := [extra for extra in EXTRAS if not extra.installed]:
        text += f" With extras also {', '.join(extra.formats for extra in missing)}: {install_command(missing)}"
    return text


def install_command(extras: Sequence[Extra]) -> str:
    """Return the command that installs extras."""
    return f'pip install "sketchseek[{",".join(extra.name for extra in extras)}]"'


READ_FORMATS = _read_formats()
"""For messages about a file in another format."""

_START = 256
"""Bytes that are enough to recognize any format, including the brands of an ISO media file."""

_Open = Callable[[BinaryIO], Image.Image]


def has_picture_suffix(name: str) -> bool:
    """Return whether a name, path or URI has the suffix of a picture. Videos and RAW files have others."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


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
    return HEIC.installed and not {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}.isdisjoint(_brands(start))


def _open_heic(file: BinaryIO) -> Image.Image:
    from pillow_heif.as_plugin import HeifImageFile  # 30 ms, which only HEIC photos pay

    image: Image.Image = HeifImageFile(file)
    return image


def _is_jpeg_xl(start: bytes) -> bool:
    return JPEG_XL.installed and (start[:2] == b"\xff\x0a" or start[:12] == b"\0\0\0\x0cJXL \r\n\x87\n")


def _open_jpeg_xl(file: BinaryIO) -> Image.Image:
    from sketchseek.images.jpeg_xl import JpegXlImage

    return JpegXlImage(file)


def _is_raw(start: bytes) -> bool:
    """Whether a file is a RAW file by its first bytes. Many RAW files begin as TIFF does; see ``_open_tiff``."""
    return RAW.installed and (
        start[:4] in (b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")
        or start[:15] == b"FUJIFILMCCD-RAW"
        or (start[:4] == b"II*\0" and start[8:10] == b"CR")
        or b"crx " in _brands(start)
    )


def _open_raw(file: BinaryIO) -> Image.Image:
    from sketchseek.images.raw_preview import open_preview

    return open_preview(file)


def _open_tiff(file: BinaryIO) -> Image.Image:
    if RAW.installed:
        from sketchseek.images.raw_preview import is_raw_tiff

        if is_raw_tiff(file):
            return _open_raw(file)
    return TiffImagePlugin.TiffImageFile(file)


def _container(start: bytes) -> str:
    """Return FFmpeg's name of a video's container; empty for a file that is none."""
    brands = _brands(start)
    if brands & {b"avif", b"avis", b"mif1", b"msf1", b"heic", b"crx ", b"jxl "}:
        return ""
    if brands or start[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "mov"
    if start[:4] == b"\x1aE\xdf\xa3":
        return "matroska"
    if start[:4] == b"RIFF" and start[8:12] == b"AVI ":
        return "avi"
    if start[:16] == bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"):
        return "asf"
    if start[:4] == b"\0\0\x01\xba":
        return "mpeg"
    if (start[:1] == start[188:189] == b"G") or (start[4:5] == start[196:197] == b"G"):
        return "mpegts"
    return ""


def _open_video(file: BinaryIO) -> Image.Image:
    from sketchseek.images.video_frame import VideoImage

    start = file.read(_START)
    file.seek(0)
    return VideoImage(file, _container(start))


def is_raw_or_video(data: bytes) -> bool:
    """Whether reading even the header of a file, given as its bytes, runs code of LibRaw or FFmpeg."""
    from sketchseek.images.raw_preview import is_raw_tiff

    if data[:4] in TiffImagePlugin.PREFIXES:
        return RAW.installed and is_raw_tiff(io.BytesIO(data))
    return _is_raw(data) or (VIDEO.installed and bool(_container(data)))


_FORMATS: list[tuple[Callable[[bytes], bool], _Open]] = [
    (lambda start: start[:3] == b"\xff\xd8\xff", JpegImagePlugin.jpeg_factory),
    (lambda start: start[:8] == b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (lambda start: start[:4] == b"RIFF" and start[8:12] == b"WEBP", WebPImagePlugin.WebPImageFile),
    (lambda start: start[:6] in (b"GIF87a", b"GIF89a"), GifImagePlugin.GifImageFile),
    (lambda start: start[:2] == b"BM", BmpImagePlugin.BmpImageFile),
    (_is_raw, _open_raw),
    (lambda start: start[:4] in TiffImagePlugin.PREFIXES, _open_tiff),
    (_is_avif, AvifImagePlugin.AvifImageFile),
    (_is_heic, _open_heic),
    (_is_jpeg_xl, _open_jpeg_xl),
    (lambda start: VIDEO.installed and bool(_container(start)), _open_video),
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
    "JXL": "image/jxl",
    "RAW": "image/x-raw",
    "VIDEO": "video/mp4",
}
