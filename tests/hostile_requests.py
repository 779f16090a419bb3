"""Uploads and bodies that are small to send and dear to read."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

import hostile_files as make


def svg_with_default_attributes(elements: int = 20_000, characters: int = 90_000) -> bytes:
    """An SVG whose DOCTYPE gives each element a long attribute, behind a quoted ``>`` that hides it from a search."""
    doctype = f'<!DOCTYPE svg SYSTEM ">" [<!ATTLIST g d CDATA "{"M0 0L9 9" * (characters // 8)}">]>'
    return f'{doctype}<svg xmlns="http://www.w3.org/2000/svg">{"<g/>" * elements}</svg>'.encode()


def progressive_jpeg(width: int = 8900, height: int = 8900, scans: int = 8000) -> bytes:
    """A JPEG of many pixels and few bytes whose last scan is repeated."""
    buffer = io.BytesIO()
    Image.new("L", (64, 64)).save(buffer, "JPEG", progressive=True)
    data = bytearray(buffer.getvalue())
    size = data.index(b"\xff\xc2") + 5
    data[size : size + 4] = struct.pack(">HH", height, width)
    scan, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return bytes(data[:scan] + data[scan:end] * scans + data[end:])


def webp_of_one_color(width: int = 8900, height: int = 8900) -> bytes:
    """A WebP of a few bytes that takes 16 bytes of memory for each pixel."""
    return make.webp(width, height)


def deep_png(width: int = 20_000, height: int = 10_000) -> bytes:
    """A PNG of 16-bit gray."""
    packer = zlib.compressobj(1)
    row = b"\0" * (2 * width + 1)
    pixels = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    return make.png_of(width, height, depth=16, compressed=pixels)


def json_of_keys(count: int) -> bytes:
    """JSON with many unknown keys."""
    return b'{"strokes":[[[1,5],[1,9]]],' + b",".join(b'"k%d":0' % number for number in range(count)) + b"}"


def json_of_numbers(size: int) -> bytes:
    """A search whose one stroke has as many numbers as fit."""
    return b'{"strokes":[[[' + b",".join([b"1"] * (size // 4)) + b"],[" + b",".join([b"2"] * (size // 4)) + b"]]]}"


def json_of_lists(size: int) -> bytes:
    """A search whose strokes are empty lists."""
    return b'{"strokes":[' + b",".join([b"[]"] * (size // 3 - 10)) + b"]}"


def form(image: bytes, kind: str = "sketch") -> tuple[bytes, str]:
    """A form that uploads an image, and its content type."""
    parts = [
        b'Content-Disposition: form-data; name="kind"\r\n\r\n' + kind.encode(),
        b'Content-Disposition: form-data; name="image"; filename="a"\r\nContent-Type: image/png\r\n\r\n' + image,
    ]
    return b"".join(b"--edge\r\n" + part + b"\r\n" for part in parts) + b"--edge--\r\n", (
        "multipart/form-data; boundary=edge"
    )


def blank_animation(side: int = 6000, frames: int = 40) -> bytes:
    """A GIF of one color, whose many frames are decoded in search of one that is not blank."""
    buffer = io.BytesIO()
    Image.new("P", (side, side)).save(buffer, "GIF")
    data = buffer.getvalue()
    start = 13 + 3 * 2 ** ((data[10] & 7) + 1)  # behind the header and its colors
    return data[:start] + data[start:-1] * frames + b";"
