"""Opening pictures safely: an allow-list of formats, a pixel cap, EXIF turn, and every color mode to 8-bit RGB."""

from __future__ import annotations

import io
import logging
import os
import re
import stat
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt
from PIL import (
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from sketchseek.errors import ImageError, ImageTooLargeError

logging.getLogger("PIL").addHandler(logging.NullHandler())
"""Pillow logs what is wrong with a TIFF; where a program has not set up logging, Python would print it."""

ImageSource = str | os.PathLike[str] | bytes | Image.Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Pillow's names of the formats that are opened; every other decoder stays shut. MPO, which phones write into .jpg, is
opened by JPEG's."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
"""Endings of the files that a scan takes for pictures, in lower case."""

MAX_PIXELS = 200_000_000
"""Pictures with more pixels are refused before they are decoded (about 800 MB while they are)."""

_REMEDY = "JPEG, PNG, WebP, GIF, BMP and TIFF are read."

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_QUARTER_TURNS = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)


def read_photo(source: ImageSource, size: int) -> npt.NDArray[np.uint8]:
    """Decode a picture to the square that a photo encoder takes.

    The picture is squashed, not cropped: nothing that was photographed may be unfindable, and The Sketchy Database
    squashes its photos the same way.

    Args:
        source: A path, the file's bytes, or a PIL image.
        size: Side of the square in pixels.

    Returns:
        (size, size, 3) uint8, RGB.

    Raises:
        ImageError: It cannot be read.
    """
    image = open_image(source, at_least=size)
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3.0))


def open_image(
    source: ImageSource,
    *,
    at_least: int | None = None,
    max_pixels: int = MAX_PIXELS,
    keep_alpha: bool = False,
) -> Image.Image:
    """Decode a picture's first frame to RGB, turned as its EXIF data says; transparency becomes white.

    The content decides on the format, not the name. Safe to call from several threads.

    Args:
        source: A path, the file's bytes, or a PIL image, which is left as it is.
        at_least: Where the picture may be decoded at a reduced size, the pixels that its shorter side must still have.
        max_pixels: Cap on width × height.
        keep_alpha: Give RGBA where the picture has transparency.

    Raises:
        ImageTooLargeError: It has more pixels than ``max_pixels``.
        ImageError: It is missing, empty, truncated or not a picture in one of ``FORMATS``.
    """
    name = shown_name(source)
    with _picture_errors(name):
        if isinstance(source, Image.Image):
            _check_size(source, name, max_pixels)
            with quiet_pillow:
                return _finish(source.copy(), at_least, keep_alpha)
        with _opened(source) as file:
            return _decode(file, name, at_least, max_pixels, keep_alpha)


def _opened(source: str | os.PathLike[str] | bytes) -> BinaryIO:
    if not isinstance(source, bytes):
        return open_regular(source)
    if not source:
        raise ImageError("empty.", subject=shown_name(source))
    return io.BytesIO(source)


@contextmanager
def _picture_errors(name: str) -> Iterator[None]:
    """Whatever a decoder raises as a ``ImageError`` that calls the picture by its name."""
    try:
        yield
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError("not a picture in a supported format.", subject=name, remedy=_REMEDY) from error
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(str(error), subject=name, remedy="Store a smaller copy of it.") from error
    except Exception as error:  # decoders raise nearly anything on hostile input, from struct.error to MemoryError
        raise ImageError(
            f"damaged or truncated ({error or type(error).__name__}).",
            subject=name,
            remedy="Copy it again from its source, or open it in another program and store it anew.",
        ) from error


@dataclass(frozen=True)
class Header:
    """What a picture's first bytes say.

    Attributes:
        width, height: In pixels, as the picture is seen: turned as its EXIF data says.
        media_type: Such as ``image/jpeg``.
    """

    width: int
    height: int
    media_type: str


def read_header(source: str | os.PathLike[str] | bytes) -> Header:
    """Look at a picture without decoding it.

    Raises:
        ImageError: As from ``open_image``, but for what only decoding shows, and whatever its size.
    """
    with _picture_errors(shown_name(source)), _opened(source) as file, quiet_pillow, _identify(file) as image:
        width, height = image.size
        if image.format != "TIFF" and _turn_of(image) in _QUARTER_TURNS:  # Pillow turns a TIFF's size by itself
            width, height = height, width
        # MPO, a JPEG with a second picture behind it, is shown by everything that shows a JPEG, under that name only.
        kind = "JPEG" if image.format == "MPO" else image.format or ""
        return Header(width, height, Image.MIME[kind])


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading, but never a folder, device or pipe, which could block or never end.

    Raises:
        ImageError: It is missing, empty, not readable or not a regular file.
    """
    name = shown_name(path)
    try:
        # Without O_NONBLOCK, opening a pipe waits for somebody to write to it. Asking for its kind first is a race.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        file = os.fdopen(os.open(path, flags), "rb")
    except FileNotFoundError as error:
        raise ImageError("no such file.", subject=name, remedy="Look at the path; a link may be broken.") from error
    except IsADirectoryError as error:
        raise ImageError("a folder, not a file.", subject=name) from error
    except PermissionError as error:
        if os.path.isdir(path):  # noqa: PTH112 (how Windows refuses to open a folder)
            raise ImageError("a folder, not a file.", subject=name) from error
        raise ImageError("no permission to read it.", subject=name, remedy="Change the file's permissions.") from error
    except OSError as error:
        raise ImageError(f"cannot be opened ({error.strerror or error}).", subject=name) from error
    except ValueError as error:  # a NUL in the name, or characters that the file system cannot have
        raise ImageError("not the name of a file.", subject=name) from error
    info = os.fstat(file.fileno())
    if not stat.S_ISREG(info.st_mode):
        file.close()
        raise ImageError("not a regular file.", subject=name)
    if info.st_size == 0:
        file.close()
        raise ImageError("empty file.", subject=name)
    return file


def _decode(file: BinaryIO, name: str, at_least: int | None, max_pixels: int, keep_alpha: bool) -> Image.Image:
    with quiet_pillow, _identify(file) as image:
        _check_size(image, name, max_pixels)
        if at_least is not None:
            image.draft("RGB", (at_least, at_least))
        image.load()
        return _finish(image, at_least, keep_alpha)


def _identify(file: BinaryIO) -> Image.Image:
    """What ``Image.open`` does, but for its cap on pixels, which is one for the process and lower than ours."""
    start = file.read(16)
    for format_name in FORMATS:
        opener, accept = _OPENERS[format_name]
        if accept(start):
            file.seek(0)
            return opener(file)
    raise UnidentifiedImageError


_OPENERS: dict[str, tuple[Callable[[BinaryIO], Image.Image], Callable[[bytes], bool]]] = {
    "JPEG": (JpegImagePlugin.jpeg_factory, lambda start: start[:3] == b"\xff\xd8\xff"),
    "PNG": (PngImagePlugin.PngImageFile, lambda start: start[:8] == b"\x89PNG\r\n\x1a\n"),
    "WEBP": (WebPImagePlugin.WebPImageFile, lambda start: start[:4] == b"RIFF" and start[8:12] == b"WEBP"),
    "GIF": (GifImagePlugin.GifImageFile, lambda start: start[:6] in (b"GIF87a", b"GIF89a")),
    "BMP": (BmpImagePlugin.BmpImageFile, lambda start: start[:2] == b"BM"),
    "TIFF": (TiffImagePlugin.TiffImageFile, lambda start: start[:4] in TiffImagePlugin.PREFIXES),
}


def _check_size(image: Image.Image, name: str, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageTooLargeError(
            f"{width} × {height} pixels, more than the cap of {max_pixels:,}.",
            subject=name,
            remedy="Store a smaller copy of it.",
        )
    if width == 0 or height == 0:
        raise ImageError("it has no pixels.", subject=name)


def _finish(image: Image.Image, at_least: int | None, keep_alpha: bool) -> Image.Image:
    """Shrink, turn and convert a decoded picture."""
    turn = _turn_of(image)
    if at_least is not None and image.mode in ("L", "RGB", "RGBA", "CMYK"):
        factor = min(image.size) // (3 * at_least)
        if factor > 1:  # before anything copies it: large pictures need much memory
            image = image.reduce(factor)
    image = _to_rgb(image, keep_alpha=keep_alpha)
    return image if turn is None else image.transpose(turn)


def _turn_of(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a damaged EXIF block is no reason to lose the picture
        return None


def _to_rgb(image: Image.Image, *, keep_alpha: bool) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        image = _to_8_bit(image)
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        if keep_alpha:
            return rgba
        paper = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(paper, rgba).convert("RGB")
    return image.convert("RGB")


def _to_8_bit(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float grays to 8 bits: Pillow's own conversion clips them to white."""
    values = np.asarray(image).astype(np.float32)
    values = np.where(np.isfinite(values), values, np.float32(0.0))
    highest = float(values.max(initial=0.0))
    tops = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    top = next((top for top in tops if highest <= top), highest)
    return Image.fromarray((np.clip(values / top, 0.0, 1.0) * 255.0).astype(np.uint8))


class _Quiet:
    """Keeps Pillow's warnings, of odd EXIF blocks and the like, from users: a picture decodes or it does not.

    ``warnings.catch_warnings`` swaps the list of filters of the whole process, so two threads that leave it in the
    wrong order lose somebody's filters. Here one filter goes into the list with the first thread and out with the last.
    """

    _FILTER = ("ignore", None, Warning, re.compile(r"PIL\."), 0)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads = 0

    def __enter__(self) -> None:
        filters = cast(list[object], warnings.filters)
        with self._lock:
            self._threads += 1
            if self._FILTER not in filters:
                filters.insert(0, self._FILTER)

    def __exit__(self, *_: object) -> None:
        filters = cast(list[object], warnings.filters)
        with self._lock:
            self._threads -= 1
            if self._threads == 0 and self._FILTER in filters:
                filters.remove(self._FILTER)


quiet_pillow = _Quiet()
"""``with quiet_pillow:`` around whatever opens a picture by other means than this module's."""


def shown_name(source: ImageSource) -> str:
    """What messages call a picture or file, with control and stray characters escaped, which terminals obey."""
    if isinstance(source, bytes):
        return "picture"
    if isinstance(source, Image.Image):
        source = str(getattr(source, "filename", "") or "picture")
    name = os.fsdecode(source)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)
