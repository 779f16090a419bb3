"""Checks of uploaded pictures before they are decoded."""

from __future__ import annotations

from sketchseek.errors import ImageError, ImageTooLargeError, SketchError
from sketchseek.images import read_header
from sketchseek.server.security import Limits


def check_upload(data: bytes, limits: Limits, *, sketch: bool) -> None:
    """Reject an upload that is too large, from its header alone.

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
        return
    if not data:
        raise ImageError("The upload is empty.", remedy="Choose a picture.")
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
