"""Rasterize sketches of every kind: strokes, SVG, and pictures of sketches.

The raster is a square of white paper: the ink's bounding box, scaled by one factor so that its longer side fills
``FILL`` of the square, centered, in lines ``LINE`` of the square wide. Position, size, line width, color and paper of
the original have no effect on it. Python, REST, the page and training all use this code.
"""

from __future__ import annotations

import os

from PIL import Image

from sketchseek.errors import EmptySketchError, ImageError, SketchError
from sketchseek.images import ImageSource, open_image, open_regular, shown_name
from sketchseek.sketches.bitmap import WORK, rasterize_image
from sketchseek.sketches.strokes import (
    FILL,
    LINE,
    MAX_POINTS,
    RASTER_VERSION,
    Polylines,
    Raster,
    Strokes,
    check_strokes,
    parse_strokes,
    placed_polylines,
    rasterize_strokes,
)
from sketchseek.sketches.svg import rasterize_svg, svg_polylines

__all__ = [
    "FILL",
    "LINE",
    "MAX_POINTS",
    "MAX_SKETCH_PIXELS",
    "MAX_TEXT",
    "RASTER_VERSION",
    "Raster",
    "SketchSource",
    "Strokes",
    "picture_of",
    "rasterize_image",
    "rasterize_sketch",
    "rasterize_strokes",
    "rasterize_svg",
    "sketch_lines",
]

MAX_TEXT = 8_000_000
"""Maximum bytes of a sketch that is text."""

MAX_SKETCH_PIXELS = 100_000_000
"""Maximum pixels of a picture of a sketch; lower than for photos, since servers accept sketches from any client."""

_BLANK = b"\xef\xbb\xbf \t\r\n"

SketchSource = str | os.PathLike[str] | bytes | Image.Image | Strokes
"""What ``rasterize_sketch`` takes."""


def rasterize_sketch(source: SketchSource, size: int) -> Raster:
    """Rasterize a sketch of any kind.

    Args:
        source: Strokes; SVG text or JSON strokes as bytes; the path of a picture, ``.svg``, ``.json`` or ``.ndjson``
            file (its first line); a picture's bytes; a PIL image. The content decides, not the name.
        size: Side of the raster in pixels.

    Returns:
        (size, size) uint8, 255 paper and 0 ink.

    Raises:
        EmptySketchError: There is no ink.
        SketchError: It cannot be read.
    """
    if not isinstance(source, (str, os.PathLike, bytes, Image.Image)):
        return rasterize_strokes(source, size)
    name = "sketch" if isinstance(source, (bytes, Image.Image)) else shown_name(source)
    try:
        text = _text(source)
        if text is None:
            return rasterize_image(_open_sketch(source), size)
        if text[:1] == "<":
            return rasterize_svg(text, size)
        return rasterize_strokes(parse_strokes(text), size)
    except SketchError as error:
        raise type(error)(error.reason, subject=name, remedy=error.remedy) from error
    except ImageError as error:
        raise SketchError(error.reason, subject=error.subject, remedy=error.remedy) from error


def sketch_lines(source: SketchSource) -> Polylines | None:
    """Return the strokes of a sketch where its raster has them.

    Args:
        source: See ``rasterize_sketch``.

    Returns:
        Strokes, each (points, 2): x, y in units of the raster's side, from the top left. None if the sketch is a
        picture.

    Raises:
        EmptySketchError: There is no ink.
        SketchError: It cannot be read.
    """
    if not isinstance(source, (str, os.PathLike, bytes, Image.Image)):
        lines = check_strokes(source)
    else:
        text = _text(source)
        if text is None:
            return None
        lines = svg_polylines(text) if text[:1] == "<" else check_strokes(parse_strokes(text))
    if not lines:
        raise EmptySketchError("the sketch has no ink.", remedy="Draw at least one line.")
    return placed_polylines(lines)


def picture_of(source: ImageSource) -> Image.Image:
    """Open a sketch that is a picture.

    Raises:
        SketchError: It cannot be read.
    """
    try:
        return _open_sketch(source)
    except ImageError as error:
        raise SketchError(error.reason, subject=error.subject, remedy=error.remedy) from error


def _open_sketch(source: ImageSource) -> Image.Image:
    return open_image(source, keep_alpha=True, at_least=2 * WORK, max_pixels=MAX_SKETCH_PIXELS)


def _text(source: ImageSource) -> str | None:
    """The text of a sketch that is SVG or JSON, without leading blanks; None of a picture."""
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
        data = data.split(b"\n", 1)[0]  # an .ndjson file of many sketches: the first counts
    if len(data) > MAX_TEXT:
        raise SketchError(f"more than the cap of {MAX_TEXT:,} bytes of text.", remedy="Simplify the sketch.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SketchError("not UTF-8 text.", remedy="Save it as UTF-8.") from error
