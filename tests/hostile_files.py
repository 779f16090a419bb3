"""Malformed and hostile files, made in code: pictures whose headers lie, truncated ones, and files of other kinds."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from functools import cache

import numpy as np
from PIL import Image, ImageDraw


@cache
def picture(format_name: str, width: int = 64, height: int = 48, mode: str = "RGB") -> bytes:
    """A sound picture: a dark cross on noisy light paper."""
    paper = np.random.default_rng(0).integers(225, 255, (height, width), dtype=np.uint8)
    image = Image.fromarray(paper)
    ImageDraw.Draw(image).line((5, 5, width - 5, height - 5), fill=0, width=4)
    ImageDraw.Draw(image).line((5, height - 5, width - 5, 5), fill=0, width=4)
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, format_name)
    return buffer.getvalue()


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def png(width: int, height: int, *, pixels: bytes = b"", depth: int = 8, color: int = 0, extra: bytes = b"") -> bytes:
    """A PNG with a header of choice."""
    return png_of(width, height, compressed=zlib.compress(pixels), depth=depth, color=color, extra=extra)


def png_of(width: int, height: int, *, compressed: bytes, depth: int = 8, color: int = 0, extra: bytes = b"") -> bytes:
    """A PNG with a header and compressed pixels of choice."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + extra + _chunk(b"IDAT", compressed) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_text_bomb() -> bytes:
    """A small PNG with a comment of 100 MB."""
    comment = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * 100_000_000, 1))
    return png(2, 2, pixels=b"\0\xff\xff" * 2, extra=comment)


def png_profile_bomb() -> bytes:
    """A small PNG with a color profile of 20 MB."""
    profile = _chunk(b"iCCP", b"p\0\0" + zlib.compress(b"\0" * 20_000_000, 1))
    return png(2, 2, pixels=b"\0\xff\xff" * 2, extra=profile)


def png_wrong_checksum() -> bytes:
    data = bytearray(picture("PNG"))
    data[29] ^= 0xFF
    return bytes(data)


def png_broken_stream() -> bytes:
    data = bytearray(picture("PNG"))
    at = data.index(b"IDAT") + 20
    data[at : at + 200] = b"\xff" * 200
    return bytes(data)


def gif(
    width: int, height: int, *, frame: tuple[int, int, int, int] | None = None, body: bytes = b"\x02\x02\x4c\x01\0"
) -> bytes:
    """A GIF with a header and a frame of choice."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    image = b"," + struct.pack("<HHHHB", *(frame or (0, 0, width, height)), 0) + body
    return screen + image + b";"


def bmp(width: int, height: int, *, bits: int = 24, offset: int = 54, body: bytes = b"") -> bytes:
    """A BMP with a header of choice."""
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(body), 0, 0, offset) + info + body


def tiff(
    width: int, height: int, *, strip: tuple[int, int] = (8, 100), compression: int = 1, next_ifd: int = 0
) -> bytes:
    """A gray TIFF with a header of choice."""
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, compression), (262, 3, 1), (273, 4, strip[0])]
    tags += [(277, 3, 1), (278, 4, height), (279, 4, strip[1])]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + struct.pack("<I", next_ifd)


def webp(width: int, height: int) -> bytes:
    """A lossless WebP whose header hypotheses a size that its data do not have."""
    bits = (width - 1) | (height - 1) << 14
    chunk = b"VP8L" + struct.pack("<I", 10) + b"\x2f" + struct.pack("<I", bits) + b"\0" * 5
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def webp_canvas(width: int, height: int) -> bytes:
    """An extended WebP whose canvas is larger than its only frame."""
    inner = picture("WEBP")[12:]
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + size + inner
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_resized(width: int, height: int) -> bytes:
    """A JPEG whose header hypotheses another size."""
    data = bytearray(picture("JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def jpeg_without(marker: bytes) -> bytes:
    """A JPEG that lacks its first segment of a kind."""
    data = picture("JPEG")
    at = data.index(marker)
    (length,) = struct.unpack(">H", data[at + 2 : at + 4])
    return data[:at] + data[at + 2 + length :]


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("photo.jpg", picture("JPEG"))
    return buffer.getvalue()


def gzipped_svg() -> bytes:
    return gzip.compress(b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0L9 9"/></svg>')


def netpbm() -> bytes:
    return b"P5 4 4 255 " + b"\x80" * 16


def icon() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "ICO")
    return buffer.getvalue()


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n/a { a } def a\n"
PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"
HTML = b"<!DOCTYPE html>\n<html><head><title>404</title></head><body>Not found</body></html>\n"
