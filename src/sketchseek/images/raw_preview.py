"""Pictures of RAW files, read by LibRaw (rawpy): the JPEG that the camera stored, which it developed itself.

Files without a usable preview are developed at half size.
"""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from typing import BinaryIO

from PIL import ExifTags, Image, JpegImagePlugin

FORMAT = "RAW"
"""``Image.format`` of the pictures."""

MIN_SIDE = 256
"""Pixels of the shorter side of a usable preview. Some files have only a thumbnail of 160 × 120."""

MAX_PIXELS = 250_000_000
"""RAW files with more pixels are not developed."""

_TAGS = 4096
_SUBFILE, _COMPRESSION, _PHOTOMETRIC, _MAKE, _SUB_IFDS, _DNG_VERSION = 254, 259, 262, 271, 330, 50706
_RAW_COMPRESSIONS = frozenset({32767, 34713, 34892, 65000, 65535})
_RAW_PHOTOMETRIC = frozenset({32803, 34892})
_TURNS = {3: 3, 5: 8, 6: 6}
"""EXIF's orientation for each value of LibRaw's ``flip``."""


def open_preview(file: BinaryIO) -> Image.Image:
    """Open the picture of a RAW file. A stored JPEG is not decoded yet.

    Raises:
        rawpy.LibRawError: LibRaw cannot read the file.
    """
    import rawpy  # 0.5 s, which only RAW files pay

    file.seek(0)
    with rawpy.imread(file) as raw:
        turn = _TURNS.get(raw.sizes.flip)
        image = _stored_preview(raw)
        if image is None or min(image.size) < MIN_SIDE:
            if raw.sizes.raw_width * raw.sizes.raw_height > MAX_PIXELS:
                raise ValueError("too many pixels to develop")
            developed = raw.postprocess(half_size=True, use_camera_wb=True, output_bps=8)  # turned
            image, turn = Image.fromarray(developed), None
    if turn is not None and ExifTags.Base.Orientation not in image.getexif():
        exif = image.getexif()
        exif[ExifTags.Base.Orientation] = turn
        image.info["exif"] = exif.tobytes()
    image.format = FORMAT
    return image


def _stored_preview(raw: object) -> Image.Image | None:
    """Return the largest preview that a file stores; None if it stores none that can be read."""
    import rawpy

    with suppress(rawpy.LibRawError):
        preview = raw.extract_thumb()  # type: ignore[attr-defined]  # rawpy has no types
        if preview.format == rawpy.ThumbFormat.BITMAP:
            return Image.fromarray(preview.data)
        if preview.format == rawpy.ThumbFormat.JPEG:
            with suppress(SyntaxError, OSError, struct.error):
                return JpegImagePlugin.JpegImageFile(io.BytesIO(preview.data))
    return None


def is_raw_tiff(file: BinaryIO) -> bool:
    """Whether a file that begins as TIFF does is a RAW file (DNG, NEF, ARW and so on), by its first directory.

    The file's position does not change.
    """
    position = file.tell()
    try:
        file.seek(0)
        tags = _first_directory(file)
    finally:
        file.seek(position)
    if _DNG_VERSION in tags:
        return True
    if _MAKE not in tags:
        return False
    if tags.get(_PHOTOMETRIC) in _RAW_PHOTOMETRIC or tags.get(_COMPRESSION) in _RAW_COMPRESSIONS:
        return True
    # The first directory is a small copy or a JPEG, and the RAW picture is in a directory below it.
    return _SUB_IFDS in tags and (tags.get(_SUBFILE, 0) & 1 == 1 or tags.get(_COMPRESSION) == 6)


def _first_directory(file: BinaryIO) -> dict[int, int]:
    """Return the tags of a TIFF's first directory with their values, or their offsets where values are longer."""
    head = file.read(8)
    order = "<" if head[:2] == b"II" else ">"
    if len(head) < 8 or head[2:4] not in (b"*\0", b"\0*"):
        return {}
    file.seek(struct.unpack(order + "I", head[4:])[0])
    count = file.read(2)
    if len(count) < 2:
        return {}
    entries = file.read(12 * min(struct.unpack(order + "H", count)[0], _TAGS))
    tags = {}
    for at in range(0, len(entries) - 11, 12):
        tag, kind, _, value = struct.unpack_from(order + "HHI4s", entries, at)
        tags[tag] = struct.unpack(order + "H", value[:2])[0] if kind == 3 else struct.unpack(order + "I", value)[0]
    return tags
