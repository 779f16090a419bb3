"""Uploaded pictures, looked at before they are decoded."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

from sketchseek.errors import DrawingError, PictureError, PictureTooLargeError
from sketchseek.images import FORMATS, quiet_pillow
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
        with quiet_pillow:  # bombs are judged below, by our cap
            width, height = Image.open(io.BytesIO(data), formats=FORMATS).size
    except UnidentifiedImageError as error:
        raise PictureError(
            "the upload is not a picture in a supported format.",
            remedy="JPEG, PNG, WebP, GIF, BMP and TIFF are read" + (", and SVG." if drawing else "."),
        ) from error
    except Image.DecompressionBombError as error:
        raise PictureTooLargeError(f"the upload: {error}") from error
    except Exception as error:  # decoders raise nearly anything on hostile input
        raise PictureError(f"the upload is damaged ({error or type(error).__name__}).") from error
    if width * height > limits.pixels:
        raise PictureTooLargeError(
            f"the upload has {width} × {height} pixels, more than the cap of {limits.pixels:,}.",
            remedy="Send a smaller copy.",
        )
