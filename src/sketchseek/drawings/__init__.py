"""Drawings of every kind to the one raster that sketch encoders are trained on.

The raster is a square of white paper: the ink's bounding box, scaled by one factor so that its longer side fills
``FILL`` of the square, centred, in lines ``LINE`` of the square wide. Where on the sheet, how large, how thick, in
which colour and on what paper somebody drew is gone before the encoder looks, and Python, REST, the page and training
agree, since all of them come through here.
"""

from __future__ import annotations

import os

from PIL import Image

from sketchseek.drawings.picture import WORK, raster_picture
from sketchseek.drawings.strokes import (
    FILL,
    LINE,
    MAX_POINTS,
    RASTER_VERSION,
    Raster,
    Strokes,
    parse_strokes,
    raster_strokes,
)
from sketchseek.drawings.svg import raster_svg
from sketchseek.errors import DrawingError, PictureError
from sketchseek.images import PictureSource, open_picture, open_regular, shown_name

__all__ = [
    "FILL",
    "LINE",
    "MAX_DRAWING_PIXELS",
    "MAX_POINTS",
    "MAX_TEXT",
    "RASTER_VERSION",
    "DrawingSource",
    "Raster",
    "Strokes",
    "raster_drawing",
    "raster_picture",
    "raster_strokes",
    "raster_svg",
]

MAX_TEXT = 8_000_000
"""Cap on the bytes of a drawing that is text."""

MAX_DRAWING_PIXELS = 100_000_000
"""Cap on the pixels of a picture of a drawing: servers take them from anybody."""

_BLANK = b"\xef\xbb\xbf \t\r\n"

DrawingSource = str | os.PathLike[str] | bytes | Image.Image | Strokes
"""What ``raster_drawing`` takes."""


def raster_drawing(source: DrawingSource, size: int) -> Raster:
    """Bring any drawing to the raster.

    Args:
        source: Strokes; SVG text or JSON strokes as bytes; the path of a picture, ``.svg``, ``.json`` or ``.ndjson``
            file (its first line); a picture's bytes; a PIL image. The content decides, not the name.
        size: Side of the raster in pixels.

    Returns:
        (size, size) uint8, 255 paper and 0 ink.

    Raises:
        EmptyDrawingError: There is no ink.
        DrawingError: It cannot be read.
    """
    if not isinstance(source, (str, os.PathLike, bytes, Image.Image)):
        return raster_strokes(source, size)
    name = "drawing" if isinstance(source, (bytes, Image.Image)) else shown_name(source)
    try:
        text = _text(source)
        if text is None:
            return raster_picture(_open_drawing(source), size)
        if text[:1] == "<":
            return raster_svg(text, size)
        return raster_strokes(parse_strokes(text), size)
    except DrawingError as error:
        raise type(error)(f"{name}: {error.message}", remedy=error.remedy) from error
    except PictureError as error:  # has the name already
        raise DrawingError(error.message, remedy=error.remedy) from error


def _open_drawing(source: PictureSource) -> Image.Image:
    return open_picture(source, keep_alpha=True, at_least=2 * WORK, max_pixels=MAX_DRAWING_PIXELS)


def _text(source: PictureSource) -> str | None:
    """The text of a drawing that is SVG or JSON, without leading blanks; None of a picture."""
    if isinstance(source, Image.Image):
        return None
    if isinstance(source, bytes):
        return _decode(source) if _is_text(source) else None
    with open_regular(source) as file:
        head = file.read(512)
        return _decode(head + file.read(MAX_TEXT + 1)) if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    return head[:512].lstrip(_BLANK)[:1] in (b"[", b"{", b"<")


def _decode(data: bytes) -> str:
    data = data.lstrip(_BLANK)
    if len(data) > MAX_TEXT and data[:1] != b"<":
        data = data.split(b"\n", 1)[0]  # all of a category's drawings: the first line will do
    if len(data) > MAX_TEXT:
        raise DrawingError(f"more than the cap of {MAX_TEXT:,} bytes of text.", remedy="Simplify the drawing.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DrawingError("not UTF-8 text.", remedy="Save it as UTF-8.") from error
