"""Open images safely: allow-listed formats, a pixel limit, EXIF orientation, conversion of every mode to 8-bit RGB."""

from __future__ import annotations

import io
import logging
import os
import re
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from sketchseek.errors import ImageError, ImageTooLargeError
from sketchseek.image_formats import READ_FORMATS, identify, media_type

logging.getLogger("PIL").addHandler(logging.NullHandler())
"""Pillow logs problems of TIFF files; without a handler, Python would print them."""

ImageSource = str | os.PathLike[str] | bytes | Image.Image

MAX_PIXELS = 200_000_000
"""Images with more pixels are refused before decoding, which takes about 800 MB at this size."""

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

    The image is squashed, not cropped, so that everything in it can be found; The Sketchy Database does the same.

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
    """Decode an image's first frame to RGB, with EXIF orientation applied and transparency on white.

    The format is detected from the content, not from the name. Thread-safe.

    Args:
        source: A path, the file's bytes, or a PIL image, which is left as it is.
        at_least: Minimum pixels of the shorter side if the image may be decoded at a reduced size.
        max_pixels: Cap on width × height.
        keep_alpha: Give RGBA where the picture has transparency.

    Raises:
        ImageTooLargeError: It has more pixels than ``max_pixels``.
        ImageError: It is missing, empty, truncated or not a picture in a format of ``image_formats``.
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
    """Convert anything that a decoder raises to an ``ImageError`` that names the image."""
    try:
        yield
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError("not a picture in a supported format.", subject=name, remedy=READ_FORMATS) from error
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(str(error), subject=name, remedy="Save a smaller copy of it.") from error
    except Exception as error:  # decoders raise nearly anything on hostile input, from struct.error to MemoryError
        raise ImageError(
            f"damaged or truncated ({error or type(error).__name__}).",
            subject=name,
            remedy="Copy it again from its source, or open it in another program and store it anew.",
        ) from error


@dataclass(frozen=True)
class Header:
    """An image's header.

    Attributes:
        width, height: In pixels, with EXIF orientation applied.
        media_type: Such as ``image/jpeg``.
    """

    width: int
    height: int
    media_type: str


def read_header(source: str | os.PathLike[str] | bytes) -> Header:
    """Read an image's header without decoding the image.

    Raises:
        ImageError: As from ``open_image``, except for problems that only decoding finds; there is no size limit.
    """
    with _picture_errors(shown_name(source)), _opened(source) as file, quiet_pillow, identify(file) as image:
        width, height = image.size
        if image.format != "TIFF" and _turn_of(image) in _QUARTER_TURNS:  # Pillow turns a TIFF's size by itself
            width, height = height, width
        return Header(width, height, media_type(image))


@contextmanager
def opened_header(source: str | os.PathLike[str] | bytes) -> Iterator[Image.Image]:
    """Open an image without decoding it, for its metadata.

    Raises:
        ImageError: As from ``read_header``.
    """
    with _picture_errors(shown_name(source)), _opened(source) as file, quiet_pillow, identify(file) as image:
        yield image


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading. Folders, devices and pipes are refused, since reading them could block.

    Raises:
        ImageError: It is missing, empty, not readable or not a regular file.
    """
    name = shown_name(path)
    try:
        # Without O_NONBLOCK, opening a pipe waits for a writer. Checking the file type first would be a race.
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
    with quiet_pillow, identify(file) as image:
        _check_size(image, name, max_pixels)
        if at_least is not None:
            image.draft("RGB", (at_least, at_least))
        image.load()
        return _finish(image, at_least, keep_alpha)


def _check_size(image: Image.Image, name: str, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageTooLargeError(
            f"{width} × {height} pixels, more than the cap of {max_pixels:,}.",
            subject=name,
            remedy="Save a smaller copy of it.",
        )
    if width == 0 or height == 0:
        raise ImageError("it has no pixels.", subject=name)


def _finish(image: Image.Image, at_least: int | None, keep_alpha: bool) -> Image.Image:
    """Shrink, turn and convert a decoded picture."""
    turn = _turn_of(image)
    if at_least is not None and image.mode in ("L", "RGB", "RGBA", "CMYK"):
        factor = min(image.size) // (3 * at_least)
        if factor > 1:  # before any copy is made: large images need much memory
            image = image.reduce(factor)
    image = _to_rgb(image, keep_alpha=keep_alpha)
    return image if turn is None else image.transpose(turn)


def _turn_of(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # an image with a damaged EXIF block is still usable
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
    """Convert 16-bit, 32-bit and float gray values to 8 bits; Pillow's own conversion clips them to white."""
    values = np.asarray(image).astype(np.float32)
    values = np.where(np.isfinite(values), values, np.float32(0.0))
    highest = float(values.max(initial=0.0))
    tops = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    top = next((top for top in tops if highest <= top), highest)
    return Image.fromarray((np.clip(values / top, 0.0, 1.0) * 255.0).astype(np.uint8))


class _Quiet:
    """Silences Pillow's warnings, for example about odd EXIF blocks.

    ``warnings.catch_warnings`` replaces the filters of the whole process, so threads that leave it in another order
    lose filters. Here the first thread adds one filter and the last thread removes it.
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
"""``with quiet_pillow:`` silences Pillow in code that opens images without this module."""


def shown_name(source: ImageSource) -> str:
    """Name of an image or file for messages, with control characters escaped so that terminals do not obey them."""
    if isinstance(source, bytes):
        return "picture"
    if isinstance(source, Image.Image):
        source = str(getattr(source, "filename", "") or "picture")
    name = os.fsdecode(source)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)
