"""Uploaded pictures, looked at before they are decoded."""

from __future__ import annotations

from sketchseek.errors import DrawingError, PictureError, PictureTooLargeError
from sketchseek.images import read_header
from sketchseek.server.limits import Limits


def check_upload(data: bytes, limits: Limits, *, drawing: bool) -> None:
    """Refuse what is too large to decode for a stranger, by its header alone.

    Args:
        data: The upload's bytes.
        limits: The caps.
        drawing: Whether strokes and SVG are welcome too.

    Raises:
        PictureTooLargeError: It has more pixels than ``limits.pixels``.
        DrawingError: It is text and longer than ``limits.text``.
        PictureError: It is no picture.
    """
    if drawing and data[:512].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"<", b"[", b"{"):
        if len(data) > limits.text:
            raise DrawingError(
                f"the upload is {len(data):,} bytes of text, more than the cap of {limits.text:,}.",
                remedy="Simplify the drawing, or send a picture of it.",
            )
        return
    if not data:
        raise PictureError("the upload is empty.", remedy="Choose a picture.")
    try:
        header = read_header(data)
    except PictureTooLargeError as error:
        raise PictureTooLargeError(f"the upload: {error.message}", remedy=error.remedy) from error
    except PictureError as error:  # whose messages go on from "picture: "
        raise PictureError(f"the upload is {error.message.removeprefix('picture: ')}", remedy=error.remedy) from error
    if header.width * header.height > limits.pixels:
        raise PictureTooLargeError(
            f"the upload has {header.width} × {header.height} pixels, more than the cap of {limits.pixels:,}.",
            remedy="Send a smaller copy.",
        )
