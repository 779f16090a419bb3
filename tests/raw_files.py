"""Makes DNG files, the documented form of RAW files, as cameras and phones write them."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image

SHORT, LONG, BYTE, ASCII, RATIONAL, SIGNED = 3, 4, 1, 2, 5, 10
_FORMATS = {SHORT: "<H", LONG: "<I", BYTE: "<B"}

Entry = tuple[int, int, bytes | list[int]]


def dng(preview: Image.Image | None, *, orientation: int = 1, developed: Image.Image | None = None) -> bytes:
    """Return a DNG with a Bayer mosaic of ``developed`` (by default black) and a JPEG preview.

    Args:
        preview: The preview; None for none.
        orientation: EXIF's orientation of the whole file.
        developed: The picture of the sensor.
    """
    sensor = developed or Image.new("RGB", (640, 480))
    mosaic = _mosaic(sensor)
    jpeg = io.BytesIO()
    if preview is not None:
        preview.save(jpeg, "JPEG", quality=92)
    common: list[Entry] = [
        (271, ASCII, b"Testmaker\0"),
        (272, ASCII, b"Testcamera 9\0"),
        (274, SHORT, [orientation]),
        (306, ASCII, b"2019:07:14 10:20:30\0"),
        (50706, BYTE, [1, 4, 0, 0]),
        (50708, ASCII, b"Testmaker Testcamera 9\0"),
        (50721, SIGNED, [1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1]),  # color matrix: the identity
        (50728, RATIONAL, [1, 1, 1, 1, 1, 1]),  # neutral
    ]
    raw = _picture(sensor.size, photometric=32803, compression=1, bits=[16], subfile=0)
    raw += [(33421, SHORT, [2, 2]), (33422, BYTE, [0, 1, 1, 2]), (50717, SHORT, [65535])]
    if preview is None:
        return _tiff([raw + common], [mosaic])
    small = _picture(preview.size, photometric=6, compression=7, bits=[8, 8, 8], subfile=1)
    return _tiff([small + common, raw], [jpeg.getvalue(), mosaic])


def _picture(
    size: tuple[int, int], *, photometric: int, compression: int, bits: list[int], subfile: int
) -> list[Entry]:
    return [
        (254, LONG, [subfile]),
        (256, LONG, [size[0]]),
        (257, LONG, [size[1]]),
        (258, SHORT, bits),
        (259, SHORT, [compression]),
        (262, SHORT, [photometric]),
        (277, SHORT, [len(bits)]),
        (278, LONG, [size[1]]),
    ]


def _mosaic(picture: Image.Image) -> bytes:
    pixels = np.asarray(picture.convert("RGB"), np.uint16) * 257
    mosaic = pixels[:, :, 1].copy()
    mosaic[::2, ::2] = pixels[::2, ::2, 0]
    mosaic[1::2, 1::2] = pixels[1::2, 1::2, 2]
    return mosaic.astype("<u2").tobytes()


def _tiff(directories: list[list[Entry]], strips: list[bytes]) -> bytes:
    """Return a TIFF with the second directory, if there is one, below the first (tag SubIFDs)."""
    out = bytearray(b"II*\0\x08\0\0\0")
    starts: list[int] = []
    fixes: list[tuple[int, int]] = []  # where an offset is to be written, and the index of the strip or -1 - directory
    for index, (directory, strip) in enumerate(zip(directories, strips, strict=True)):
        starts.append(len(out))
        entries = [*directory, (273, LONG, [0]), (279, LONG, [len(strip)])]
        if index == 0 and len(directories) > 1:
            entries.append((330, LONG, [0]))
        entries.sort(key=lambda entry: entry[0])
        after = len(out) + 2 + 12 * len(entries) + 4
        head, tail = bytearray(struct.pack("<H", len(entries))), bytearray()
        for tag, kind, values in entries:
            data = _packed(kind, values)
            count = len(values) // (2 if kind in (RATIONAL, SIGNED) else 1)
            if tag in (273, 330):
                fixes.append((len(out) + len(head) + 8, index if tag == 273 else -2))
            head += struct.pack("<HHI", tag, kind, count)
            if len(data) <= 4:
                head += data.ljust(4, b"\0")
            else:
                head += struct.pack("<I", after + len(tail))
                tail += data + b"\0" * (len(data) % 2)
        out += head + b"\0\0\0\0" + tail
    offsets = []
    for strip in strips:
        offsets.append(len(out))
        out += strip + b"\0" * (len(strip) % 2)
    for where, index in fixes:
        struct.pack_into("<I", out, where, offsets[index] if index >= 0 else starts[1])
    return bytes(out)


def _packed(kind: int, values: bytes | list[int]) -> bytes:
    if isinstance(values, bytes):
        return values
    form = {RATIONAL: "<I", SIGNED: "<i"}.get(kind) or _FORMATS[kind]
    return b"".join(struct.pack(form, value) for value in values)
