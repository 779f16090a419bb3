"""Telling blank pictures, such as the black first frame of many videos and animations."""

from __future__ import annotations

from PIL import Image, ImageStat

_SIDE = 64
_DEVIATION = 4.0
"""Standard deviation of brightness, from 0 to 127, below which a picture is blank."""


def is_blank(picture: Image.Image) -> bool:
    """Whether a decoded picture is nearly of one brightness."""
    small = picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return ImageStat.Stat(small).stddev[0] < _DEVIATION
