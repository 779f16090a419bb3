"""Open images safely: allow-listed formats, a pixel limit, EXIF orientation, conversion of every mode to 8-bit RGB."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, JpegImagePlugin

from sketchseek.errors import ImageError, ImageTooLargeError
from sketchseek.images.blank_picture import is_blank
from sketchseek.images.conversion import QUARTER_TURNS, finish, reduction_factor, turn_of
from sketchseek.images.cost import (
    MAX_BYTES,
    MAX_FRAMES,
    MAX_SCANNED_PIXELS,
    MAX_SCANS,
    count_scans,
    decoding_bytes,
    decoding_work,
    one_large_decode,
)
from sketchseek.images.formats import identify, media_type
from sketchseek.images.sources import SAVE_SMALLER, ImageSource, opened, picture_errors, quiet_pillow, shown_name

MAX_PIXELS = 200_000_000
"""Images with more pixels are refused before decoding."""

_FRAMES = (1, 2, 4, 8, 16, MAX_FRAMES - 1)
"""Frames of an animation that are tried if the first is blank. To reach a frame, all before it are decoded."""

_MAX_CHUNKS = 10_000
_MAX_EXIF = 1_000_000


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
    """Decode an image to RGB, with EXIF orientation applied and transparency on white.

    Of an animation or a video it is the first frame, or one of the next if that is blank; of a RAW file, the picture
    that the camera stored in it.

    The format is detected from the content, not from the name. Thread-safe.

    Args:
        source: A path, the file's bytes, or a PIL image, which is left as it is.
        at_least: Minimum pixels of the shorter side if the image may be decoded at a reduced size.
        max_pixels: Cap on width × height.
        max_bytes: Cap on the memory that decoding takes; see ``cost.decoding_bytes``.
        keep_alpha: Give RGBA where the picture has transparency.

    Raises:
        ImageTooLargeError: It has more pixels than ``max_pixels``, needs more memory than ``max_bytes``, or is a JPEG
            with too many scans.
        ImageError: It is missing, empty, truncated or not a picture in a format of ``formats``.
    """
    name = shown_name(source)
    with picture_errors(name):
        if isinstance(source, Image.Image):
            _check_size(source, name, max_pixels)
            with quiet_pillow:
                return finish(source.copy(), at_least, keep_alpha)
        with opened(source) as file:
            return _decode(file, name, at_least, max_pixels, max_bytes, keep_alpha)


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
        return _header(image)


def _header(image: Image.Image) -> Header:
    width, height = image.size
    if image.format != "TIFF" and turn_of(image) in QUARTER_TURNS:  # Pillow turns a TIFF's size by itself
        width, height = height, width
    return Header(width, height, media_type(image))


@contextmanager
def opened_header(source: str | os.PathLike[str] | bytes) -> Iterator[Image.Image]:
    """Open an image without decoding it, for its metadata.

    Raises:
        ImageError: As from ``read_header``.
    """
    with picture_errors(shown_name(source)), opened(source) as file, quiet_pillow, identify(file) as image:
        if image.format == "PNG" and not {"exif", "Raw profile type exif"} & image.info.keys():
            image.info["exif"] = _exif_of_png(file)  # or Pillow decodes the whole picture to find it
        yield image


def _decode(
    file: BinaryIO, name: str, at_least: int | None, max_pixels: int, max_bytes: int, keep_alpha: bool
) -> Image.Image:
    with quiet_pillow, identify(file) as image:

        def check() -> int:
            return _check_cost(image, name, at_least, max_pixels, max_bytes)[0]

        with one_large_decode(check()):
            image.load()
            return finish(_not_blank(image, check), at_least, keep_alpha)


def _not_blank(image: Image.Image, check: Callable[[], object]) -> Image.Image:
    """Go to the first frame of an animation that is not blank, if it is one of ``_FRAMES``; return the picture.

    Indexing and thumbnails show the same frame.

    Args:
        image: The picture, decoded.
        check: Checks its cost. Each page of a TIFF has a size of its own.
    """
    # The pictures behind the first one of a JPEG are other views of it, or smaller copies.
    is_jpeg = isinstance(image, JpegImagePlugin.JpegImageFile)
    if is_jpeg or not getattr(image, "is_animated", False) or not is_blank(image):
        return image
    for frame in _FRAMES:
        try:
            image.seek(frame)
            check()
            image.load()
        except (EOFError, OSError, SyntaxError, ImageError):  # no more frames, or the next one is damaged or too large
            break
        if not is_blank(image):
            return image
    image.seek(0)
    image.load()
    return image


def _check_cost(
    image: Image.Image, name: str, at_least: int | None, max_pixels: int, max_bytes: int
) -> tuple[int, float]:
    """Set an image to a reduced size if it may be; return the bytes that decoding takes, and the work.

    Raises:
        ImageTooLargeError: It exceeds a cap.
    """
    _check_size(image, name, max_pixels)
    size = image.size
    work = decoding_work(image, _check_scans(image, name))
    if at_least is not None:
        image.draft("RGB", (at_least, at_least))
    memory = decoding_bytes(image, size, reduction_factor(image, at_least))
    if memory > max_bytes:
        raise ImageTooLargeError(
            f"decoding it takes {memory / 1e6:,.0f} MB, more than the cap of {max_bytes / 1e6:,.0f} MB.",
            subject=name,
            remedy=SAVE_SMALLER,
        )
    return memory, work


def _check_scans(image: Image.Image, name: str) -> int:
    """Return the scans of a JPEG, also of one in a RAW file; 0 for other formats.

    Raises:
        ImageTooLargeError: They are too many.
    """
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return 0
    limit = min(MAX_SCANS, MAX_SCANNED_PIXELS // (image.width * image.height))
    scans = count_scans(cast(BinaryIO, image.fp), limit)
    if scans > limit:
        raise ImageTooLargeError(
            f"a JPEG of {image.width} × {image.height} pixels in too many scans.",
            subject=name,
            remedy="Open it in another program and store it anew.",
        )
    return scans


@dataclass(frozen=True)
class Examined:
    """What an image's header says about decoding it.

    Attributes:
        header: The header.
        memory: Bytes that decoding takes at its peak.
        work: Pixels that the decoder passes over; see ``cost.decoding_work``.
    """

    header: Header
    memory: int
    work: float


def examine(
    source: str | os.PathLike[str] | bytes, *, at_least: int, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> Examined:
    """Check an image's header as ``open_image`` does, and estimate what decoding takes.

    Raises:
        ImageTooLargeError: It exceeds a cap.
        ImageError: It cannot be read.
    """
    name = shown_name(source)
    with picture_errors(name), opened_header(source) as image:
        header = _header(image)
        return Examined(header, *_check_cost(image, name, at_least, max_pixels, max_bytes))


def _check_size(image: Image.Image, name: str, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageTooLargeError(
            f"{width} × {height} pixels, more than the cap of {max_pixels:,}.",
            subject=name,
            remedy=SAVE_SMALLER,
        )
    if width == 0 or height == 0:
        raise ImageError("it has no pixels.", subject=name)


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
