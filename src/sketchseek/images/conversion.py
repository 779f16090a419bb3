"""Shrink, turn and convert decoded pictures to 8-bit RGB, whatever their mode."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

_STRIP = 4_000_000
"""Pixels that are converted at a time in a large picture."""

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings an image upright, by its EXIF orientation."""

QUARTER_TURNS = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)
"""Turns that swap width and height."""


def finish(image: Image.Image, at_least: int | None, keep_alpha: bool) -> Image.Image:
    """Shrink, turn and convert a decoded picture; see ``reading.open_image``."""
    turn = turn_of(image)
    factor = reduction_factor(image, at_least)
    if factor > 1 and image.mode in ("L", "RGB", "RGBA", "CMYK"):  # before any copy is made
        image = _to_rgb(image.reduce(factor), keep_alpha=keep_alpha)
    elif image.mode != "RGB" and image.width * image.height > _STRIP:
        image = _to_rgb_in_strips(image, factor, keep_alpha=keep_alpha)
    else:
        image = _to_rgb(image, keep_alpha=keep_alpha)
    return image if turn is None else image.transpose(turn)


def reduction_factor(image: Image.Image, at_least: int | None) -> int:
    """Return the factor by which a picture may be reduced before it is resized to ``at_least`` pixels."""
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


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """Return what brings an image upright by its EXIF orientation; None if it is upright."""
    try:
        return TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
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
