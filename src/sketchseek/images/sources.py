"""Where the bytes of pictures come from, and how errors name them."""

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
from typing import BinaryIO, cast

from PIL import Image, UnidentifiedImageError

from sketchseek.errors import ImageError, ImageTooLargeError
from sketchseek.images.formats import READ_FORMATS
from sketchseek.shown import shown

logging.getLogger("PIL").addHandler(logging.NullHandler())
"""Pillow logs problems of TIFF files; without a handler, Python would print them."""

ImageSource = str | os.PathLike[str] | bytes | Image.Image
"""A path, the file's bytes, or a PIL image."""

SAVE_SMALLER = "Save a smaller copy of it."
"""Remedy for pictures that are too large."""

# Without O_NONBLOCK, opening a pipe waits for a writer. Checking the file type first would be a race.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def opened(source: str | os.PathLike[str] | bytes) -> BinaryIO:
    """Open a picture's file or bytes for reading.

    Raises:
        ImageError: As from ``open_regular``.
    """
    if not isinstance(source, bytes):
        return open_regular(source)
    if not source:
        raise ImageError("empty.", subject=shown_name(source))
    return io.BytesIO(source)


def open_regular(path: str | os.PathLike[str]) -> io.BufferedReader:
    """Open a regular file for reading. Folders, devices and pipes are refused, since reading them could block.

    Raises:
        ImageError: It is missing, empty, not readable or not a regular file.
    """
    try:
        file = os.fdopen(os.open(path, _FLAGS), "rb")
    except (OSError, ValueError) as error:
        raise _open_error(error, path) from error
    info = os.fstat(file.fileno())
    if not stat.S_ISREG(info.st_mode):
        reason = "not a regular file."
    elif info.st_size == 0:
        reason = "empty file."
    else:
        return file
    file.close()
    raise ImageError(reason, subject=shown_name(path))


def _open_error(error: OSError | ValueError, path: str | os.PathLike[str]) -> ImageError:
    name = shown_name(path)
    match error:
        case FileNotFoundError():
            return ImageError("no such file.", subject=name, remedy="Look at the path; a link may be broken.")
        case IsADirectoryError():
            return ImageError("a folder, not a file.", subject=name)
        case PermissionError() if os.path.isdir(path):  # noqa: PTH112 (how Windows refuses to open a folder)
            return ImageError("a folder, not a file.", subject=name)
        case PermissionError():
            return ImageError("no permission to read it.", subject=name, remedy="Change the file's permissions.")
        case OSError():
            return ImageError(f"cannot be opened ({error.strerror or error}).", subject=name)
        case _:  # a NUL in the name, or characters that the file system cannot have
            return ImageError("not the name of a file.", subject=name)


@contextmanager
def picture_errors(name: str) -> Iterator[None]:
    """Convert anything that a decoder raises to an ``ImageError`` that names the image."""
    try:
        yield
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError("not a picture in a supported format.", subject=name, remedy=READ_FORMATS) from error
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(str(error), subject=name, remedy=SAVE_SMALLER) from error
    except MemoryError as error:
        raise ImageTooLargeError("not enough memory to decode it.", subject=name, remedy=SAVE_SMALLER) from error
    except Exception as error:  # decoders raise nearly anything on hostile input, from struct.error to MemoryError
        raise ImageError(
            f"damaged or truncated ({error or type(error).__name__}).",
            subject=name,
            remedy="Copy it again from its source, or open it in another program and store it anew.",
        ) from error


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
