"""Pictures, opened safely: allow-listed formats, caps on pixels and memory, EXIF orientation, 8-bit RGB."""

from sketchseek.images.reading import (
    MAX_PIXELS,
    Header,
    examine,
    open_image,
    opened_header,
    read_header,
    read_photo,
    squash,
)
from sketchseek.images.sources import ImageSource, open_regular, quiet_pillow, shown_name

__all__ = [
    "MAX_PIXELS",
    "Header",
    "ImageSource",
    "examine",
    "open_image",
    "open_regular",
    "opened_header",
    "quiet_pillow",
    "read_header",
    "read_photo",
    "shown_name",
    "squash",
]
