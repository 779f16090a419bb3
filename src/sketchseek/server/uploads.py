"""Uploaded sketches and photos."""

from __future__ import annotations

from typing import BinaryIO

from PIL import Image

from sketchseek.errors import ImageError, ImageTooLargeError, SketchError
from sketchseek.images import read_header
from sketchseek.images.formats import is_raw_or_video
from sketchseek.server.decoding import Decoders
from sketchseek.server.security import Limits


def read_upload(file: BinaryIO, decoders: Decoders, size: int) -> bytes | Image.Image:
    """Read an upload. Call it outside the event loop.

    Args:
        file: The upload.
        decoders: Decode pictures.
        size: Side of the square that a photo is squashed to; 0 for a sketch.

    Returns:
        A small picture; or the text of a sketch.

    Raises:
        ImageTooLargeError: The picture has too many pixels, needs too much memory, or takes too long to decode.
        SketchError: The sketch cannot be read.
        ImageError: The upload is not a picture.
    """
    data = file.read()
    if not check_upload(data, decoders.limits, sketch=not size):
        return data
    try:
        return decoders.decode(data, size)
    except ImageTooLargeError:
        raise
    except ImageError as error:
        if size:
            raise
        raise SketchError(error.reason, subject=error.subject, remedy=error.remedy) from error


def check_upload(data: bytes, limits: Limits, *, sketch: bool) -> bool:
    """Reject an upload that is too large, from its header alone. Return whether it is a picture, not text.

    Args:
        data: The bytes of the upload.
        limits: Limits on requests.
        sketch: Whether strokes and SVG are allowed too.

    Raises:
        ImageTooLargeError: The picture has more pixels than ``limits.pixels``.
        SketchError: The upload is text and longer than ``limits.text``.
        ImageError: The upload is not a picture.
    """
    if sketch and data[:512].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"<", b"[", b"{"):
        if len(data) > limits.text:
            raise SketchError(
                f"The upload has {len(data):,} bytes of text; the limit is {limits.text:,}.",
                remedy="Simplify the sketch, or send a picture of it.",
            )
        return False
    if not data:
        raise ImageError("The upload is empty.", remedy="Choose a picture.")
    if is_raw_or_video(data):
        raise ImageError("The upload is a RAW photo or a video.", remedy="Send a JPEG or a PNG of it.")
    try:
        header = read_header(data)
    except ImageTooLargeError as error:
        raise ImageTooLargeError(error.reason, subject="The upload", remedy=error.remedy) from error
    except ImageError as error:
        raise ImageError(f"The upload is {error.reason}", remedy=error.remedy) from error
    if header.width * header.height > limits.pixels:
        raise ImageTooLargeError(
            f"The upload has {header.width} × {header.height} pixels; the limit is {limits.pixels:,}.",
            remedy="Send a smaller copy.",
        )
    return True
