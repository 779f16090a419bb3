"""JPEG XL pictures for Pillow, decoded by libjxl (pillow-jxl-plugin).

The plugin's own class decodes a picture when it is opened. Here the header is read first, so that a picture that is too
large is refused before that.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, cast

from PIL import ExifTags, Image, ImageFile, JpegImagePlugin

from sketchseek.images.conversion import TURNS

if TYPE_CHECKING:
    from PIL._imaging import PixelAccess

_MAX_BOXES = 1000
_MAX_METADATA = 1_000_000
_HEADER = 64
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


class JpegXlImage(ImageFile.ImageFile):
    """A JPEG XL picture, turned as it asks for. Its mode is only known once it is decoded: RGB until then."""

    format = "JXL"

    def _open(self) -> None:
        assert self.fp is not None
        width, height, self._orientation = read_header(_codestream_start(cast(BinaryIO, self.fp), self.info))
        self._size = (height, width) if self._orientation > 4 else (width, height)
        self._mode = "RGB"
        self._decoded = False
        self.tile = []

    def load(self) -> PixelAccess | None:
        """Decode the picture."""
        if not self._decoded:
            assert self.fp is not None
            self.fp.seek(0)
            picture = self._decode(self.fp.read())
            self.im = picture.im
            self._mode, self._size = picture.mode, picture.size
            self._decoded = True
        return Image.Image.load(self)

    def _decode(self, data: bytes) -> Image.Image:
        from pillow_jxl import Decoder

        is_jpeg, info, pixels, _profile, _boxes = Decoder(num_threads=0)(data)
        if is_jpeg:  # a JPEG that was packed without loss: its pixels are not turned yet
            picture: Image.Image = JpegImagePlugin.JpegImageFile(io.BytesIO(pixels))
            picture.load()
            return picture.transpose(TURNS[self._orientation]) if self._orientation in TURNS else picture
        mode = "F" if info.mode == "F;16" else info.mode
        return Image.frombytes(mode, (info.width, info.height), pixels)


def read_header(data: bytes) -> tuple[int, int, int]:
    """Return width and height as stored, and the EXIF-like orientation, from the first bytes of a codestream.

    Raises:
        SyntaxError: It is no JPEG XL codestream.
    """
    if data[:2] != b"\xff\x0a":
        raise SyntaxError("not a JPEG XL codestream")
    bits = _Bits(data[2:])
    if bits.read(1):
        height = 8 * (bits.read(5) + 1)
        ratio = bits.read(3)
        width = _by_ratio(height, ratio) if ratio else 8 * (bits.read(5) + 1)
    else:
        height = bits.size()
        ratio = bits.read(3)
        width = _by_ratio(height, ratio) if ratio else bits.size()
    all_default = bits.read(1)
    has_extra_fields = not all_default and bits.read(1)
    return width, height, bits.read(3) + 1 if has_extra_fields else 1


def _by_ratio(height: int, ratio: int) -> int:
    across, down = _RATIOS[ratio - 1]
    return height * across // down


class _Bits:
    """Reads numbers from bytes, lowest bit first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        """Return the next ``count`` bits."""
        if count > self._left:
            raise SyntaxError("the header is truncated")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return value

    def size(self) -> int:
        """Return a side of a picture."""
        return self.read((9, 13, 18, 30)[self.read(2)]) + 1


def _codestream_start(file: BinaryIO, info: dict[str | tuple[int, int], object]) -> bytes:
    """Return the first bytes of the codestream, and put EXIF and XMP of the boxes before and behind it in ``info``."""
    start = file.read(_HEADER)
    if start[:2] == b"\xff\x0a":
        return start
    codestream = b""
    for kind, offset, length in _boxes(file):
        file.seek(offset)
        if kind in (b"jxlc", b"jxlp") and not codestream:
            codestream = file.read(min(length, _HEADER))[4 if kind == b"jxlp" else 0 :]
        elif kind == b"Exif" and length <= _MAX_METADATA:
            with suppress(Exception):  # the picture itself is fine without
                info["exif"] = _without_orientation(file.read(length))
        elif kind == b"xml " and length <= _MAX_METADATA:
            info["xmp"] = file.read(length)
    return codestream


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, offset and length of the content of each box."""
    end = file.seek(0, io.SEEK_END)
    position = 0
    for _ in range(_MAX_BOXES):
        file.seek(position)
        head = file.read(16)
        if len(head) < 8:
            return
        length, skip = int.from_bytes(head[:4], "big"), 8
        if length == 1 and len(head) == 16:
            length, skip = struct.unpack(">Q", head[8:])[0], 16
        elif length == 0:
            length = end - position
        if length < skip:
            return
        yield head[4:8], position + skip, min(length, end - position) - skip
        position += length


def _without_orientation(box: bytes) -> bytes:
    """Return the EXIF block of a box. Its orientation is dropped: the decoder turns the picture."""
    exif = Image.Exif()
    # The format wants an offset before the block; some writers leave it out.
    block = box if box[:4] in (b"II*\0", b"MM\0*") else box[4 + int.from_bytes(box[:4], "big") :]
    exif.load(b"Exif\0\0" + block)
    exif.pop(ExifTags.Base.Orientation, None)
    return exif.tobytes()
