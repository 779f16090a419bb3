"""Uploaded pictures, looked at before they are decoded."""

from __future__ import annotations

from sketchseek.errors import ImageError, ImageTooLargeError, SketchError
from sketchseek.images import read_header
from sketchseek.server.security import Limits


def check_upload(data: bytes, limits: Limits, *, sketch: bool) -> None:
    """Refuse what is too large to decode for a stranger, by its header alone.

    Args:
        data: The upload's bytes.
        limits: The caps.
        sketch: Whether strokes and SVG are welcome too.

    Raises:
        ImageTooLargeError: It has more pixels than ``limits.pixels``.
        SketchError: It is text and longer than ``limits.text``.
        ImageError: It is no picture.
    """
    if sketch and data[:512].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"<", b"[", b"{"):
        if len(data) > limits.text:
            raise SketchError(
                f"the upload is {len(data):,} bytes of text, more than the cap of {limits.text:,}.",
                remedy="Simplify the sketch, or send a picture of it.",
            )
        return
    if not data:
        raise ImageError("the upload is empty.", remedy="Choose a picture.")
    try:
        header = read_header(data)
    except ImageTooLargeError as error:
        raise ImageTooLargeError(error.reason, subject="the upload", remedy=error.remedy) from error
    except ImageError as error:
        raise ImageError(f"the upload is {error.reason}", remedy=error.remedy) from error
    if header.width * header.height > limits.pixels:
        raise ImageTooLargeError(
            f"the upload has {header.width} × {header.height} pixels, more than the cap of {limits.pixels:,}.",
            remedy="Send a smaller copy.",
        )
