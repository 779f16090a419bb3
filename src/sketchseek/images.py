"""Open images safely: allow-listed formats, a pixel limit, EXIF orientation, conversion of every mode to 8-bit RGB."""

from __future__ import annotations

import io
import logging
import os
import re
import stat
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from sketchseek.errors import ImageError, ImageTooLargeError
from sketchseek.image_cost import (
    MAX_BYTES,
    MAX_SCANNED_PIXELS,
    MAX_SCANS,
    count_scans,
    decoding_bytes,
    one_large_decode,
)
from sketchseek.image_formats import READ_FORMATS, identify, media_type
from sketchseek.shown import shown

logging.getLogger("PIL").addHandler(logging.NullHandler())
"""Pillow logs problems of TIFF files; without a handler, Python would print them."""

ImageSource = str | os.PathLike[str] | bytes | Image.Image

MAX_PIXELS = 200_000_000
"""Images with more pixels are refused before decoding."""

_SMALLER = "Save a smaller copy of it."

_STRIP = 4_000_000
"""Pixels that are converted at a time in a large picture."""

_MAX_CHUNKS = 10_000
_MAX_EXIF = 1_000_000

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
    return np.asarray(squash(open_image(source, at_least=size), size))


def squash(image: Image.Image, size: int) -> Image.Image:
    """Return an image as a square, whatever its shape."""
    return image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3.0)


def open_image(
    source: ImageSource,
    *,
    at_least: int | None = None,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    keep_alpha: bool = False,
) -> Image.Image:
    """Decode an image's first frame to RGB, with EXIF orientation applied and transparency on white.

    The format is detected from the content, not from the name. Thread-safe.

    Args:
        source: A path, the file's bytes, or a PIL image, which is left as it is.
        at_least: Minimum pixels of the shorter side if the image may be decoded at a reduced size.
        max_pixels: Cap on width × height.
        max_bytes: Cap on the memory that decoding takes; see ``image_cost.decoding_bytes``.
        keep_alpha: Give RGBA where the picture has transparency.

    Raises:
        ImageTooLargeError: It has more pixels than ``max_pixels``, needs more memory than ``max_bytes``, or is a JPEG
            with too many scans.
        ImageError: It is missing, empty, truncated or not a picture in a format of ``image_formats``.
    """
    name = shown_name(source)
    with _picture_errors(name):
        if isinstance(source, Image.Image):
            _check_size(source, name, max_pixels)
            with quiet_pillow:
                return _finish(source.copy(), at_least, keep_alpha)
        with _opened(source) as file:
            return _decode(file, name, at_least, max_pixels, max_bytes, keep_alpha)


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
        raise ImageTooLargeError(str(error), subject=name, remedy=_SMALLER) from error
    except MemoryError as error:
        raise ImageTooLargeError("not enough memory to decode it.", subject=name, remedy=_SMALLER) from error
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
    with opened_header(source) as image:
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
        if image.format == "PNG" and not {"exif", "Raw profile type exif"} & image.info.keys():
            image.info["exif"] = _exif_of_png(file)  # or Pillow decodes the whole picture to find it
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


def _decode(
    file: BinaryIO, name: str, at_least: int | None, max_pixels: int, max_bytes: int, keep_alpha: bool
) -> Image.Image:
    with quiet_pillow, identify(file) as image:
        cost = _check_cost(image, file, name, at_least, max_pixels, max_bytes)
        with one_large_decode(cost):
            image.load()
            return _finish(image, at_least, keep_alpha)


def _check_cost(
    image: Image.Image, file: BinaryIO, name: str, at_least: int | None, max_pixels: int, max_bytes: int
) -> int:
    """Set an image to a reduced size if it may be; return the bytes that decoding takes.

    Raises:
        ImageTooLargeError: It exceeds a cap.
    """
    _check_size(image, name, max_pixels)
    size = image.size
    if image.format in ("JPEG", "MPO"):
        scans = min(MAX_SCANS, MAX_SCANNED_PIXELS // (size[0] * size[1]))
        if count_scans(file, scans) > scans:
            raise ImageTooLargeError(
                f"a JPEG of {size[0]} × {size[1]} pixels in too many scans.",
                subject=name,
                remedy="Open it in another program and store it anew.",
            )
    if at_least is not None:
        image.draft("RGB", (at_least, at_least))
    cost = decoding_bytes(image, size, _factor(image, at_least))
    if cost > max_bytes:
        raise ImageTooLargeError(
            f"decoding it takes {cost / 1e6:,.0f} MB, more than the cap of {max_bytes / 1e6:,.0f} MB.",
            subject=name,
            remedy=_SMALLER,
        )
    return cost


def decoding_cost(
    source: str | os.PathLike[str] | bytes, *, at_least: int, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> int:
    """Check an image's header as ``open_image`` does, and return the bytes that decoding takes at its peak.

    Raises:
        ImageTooLargeError: It exceeds a cap.
        ImageError: It cannot be read.
    """
    name = shown_name(source)
    with _picture_errors(name), _opened(source) as file, quiet_pillow, identify(file) as image:
        return _check_cost(image, file, name, at_least, max_pixels, max_bytes)


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
    factor = _factor(image, at_least)
    if factor > 1 and image.mode in ("L", "RGB", "RGBA", "CMYK"):  # before any copy is made
        image = _to_rgb(image.reduce(factor), keep_alpha=keep_alpha)
    elif image.mode != "RGB" and image.width * image.height > _STRIP:
        image = _to_rgb_in_strips(image, factor, keep_alpha=keep_alpha)
    else:
        image = _to_rgb(image, keep_alpha=keep_alpha)
    return image if turn is None else image.transpose(turn)


def _factor(image: Image.Image, at_least: int | None) -> int:
    return 1 if at_least is None else max(1, min(image.size) // (3 * at_least))


def _to_rgb_in_strips(image: Image.Image, factor: int, *, keep_alpha: bool) -> Image.Image:
    """Convert a large picture and reduce it by a factor, a few rows at a time: a converted copy would take too much."""
    rows = max(1, _STRIP // (image.width * factor)) * factor
    tops = range(0, image.height, rows)

    def strip(top: int) -> Image.Image:
        return image.crop((0, top, image.width, min(top + rows, image.height)))

    white = _white_level(map(strip, tops)) if _is_deep(image) else None
    mode = "RGBA" if keep_alpha and image.has_transparency_data else "RGB"
    result = Image.new(mode, (-(-image.width // factor), -(-image.height // factor)))
    for top in tops:
        part = strip(top)
        if factor > 1:
            part = _reducible(part).reduce(factor)
        result.paste(_to_rgb(part, keep_alpha=keep_alpha, white=white), (0, top // factor))
    return result


def _reducible(image: Image.Image) -> Image.Image:
    """Convert an image to a mode in which ``reduce`` averages."""
    if image.mode == "F":
        return Image.fromarray(_finite(image))
    if _is_deep(image):
        return image.convert("I")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _exif_of_png(file: BinaryIO) -> bytes:
    """Return the EXIF block of a PNG, which may stand behind the pixels; empty if there is none."""
    position = file.tell()
    file.seek(8)
    try:
        for _ in range(_MAX_CHUNKS):
            head = file.read(8)
            length = int.from_bytes(head[:4], "big")
            if len(head) < 8:
                break
            if head[4:] == b"eXIf":
                return file.read(min(length, _MAX_EXIF))
            file.seek(length + 4, os.SEEK_CUR)
        return b""
    finally:
        file.seek(position)


def _turn_of(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # an image with a damaged EXIF block is still usable
        return None


def _to_rgb(image: Image.Image, *, keep_alpha: bool, white: float | None = None) -> Image.Image:
    if _is_deep(image):
        image = _to_8_bit(image, _white_level([image]) if white is None else white)
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        if keep_alpha:
            return rgba
        paper = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(paper, rgba).convert("RGB")
    return image.convert("RGB")


def _is_deep(image: Image.Image) -> bool:
    return image.mode.startswith("I") or image.mode == "F"


def _finite(image: Image.Image) -> npt.NDArray[np.float32]:
    values = np.asarray(image).astype(np.float32)
    return np.where(np.isfinite(values), values, np.float32(0.0))


def _white_level(parts: Iterable[Image.Image]) -> float:
    """Return the value of white in a picture of 16-bit, 32-bit or float gray, given in parts."""
    highest, mode = 0.0, ""
    for part in parts:
        mode = part.mode
        top = float(_finite(part).max(initial=0.0)) if mode == "F" else float(cast(int, part.getextrema()[1]))
        highest = max(highest, top)
    levels = (1.0, 255.0, 65535.0) if mode == "F" else (255.0, 65535.0)
    return next((level for level in levels if highest <= level), highest)


def _to_8_bit(image: Image.Image, white: float) -> Image.Image:
    """Convert 16-bit, 32-bit and float gray values to 8 bits; Pillow's own conversion clips them to white."""
    return Image.fromarray((np.clip(_finite(image) / white, 0.0, 1.0) * 255.0).astype(np.uint8))


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
    return shown(os.fsdecode(source))
