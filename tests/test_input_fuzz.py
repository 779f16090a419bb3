"""Sound files with bytes changed, cut out or put in: what comes out is an array or an error of ours, nothing else."""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np
import pytest

import hostile_files as make
from sketchseek.errors import SketchseekError
from sketchseek.images import read_photo
from sketchseek.images.formats import FORMATS
from sketchseek.sketches import rasterize_sketch

pytestmark = pytest.mark.slow

STROKES = [[[0, 40, 90, 20], [0, 70, 30, 55]], [[10, 20], [60, 60]]]
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 99 99"><defs><circle id="c" r="4"/></defs>'
    '<g transform="rotate(9 5 5) scale(2,3)" style="fill:none;stroke:red"><path d="M1 2C3 4 5 6 7 8A9 9 30 0 1 4 4Z"/>'
    '<rect x="1" y="2" width="30%" height="4mm" rx="1"/><polygon points="1,2 3,4 5,6"/><use href="#c" x="3"/></g></svg>'
)
SEEDS = {
    **{name: make.picture(name) for name in FORMATS},
    "palette": make.picture("PNG", 40, 30, "P"),
    "progressive": make.picture("JPEG", 40, 30, "CMYK"),
    "json": json.dumps({"word": "x", "drawing": STROKES}).encode(),
    "svg": SVG.encode(),
}


def mutated(data: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(data)
    if data[:1] in b"{<":
        for _ in range(int(random.integers(1, 4))):
            changed[int(random.integers(0, len(changed)))] = random.choice(list(b'0123456789.,-eE[]{}<>/"= MZ#&'))
        return bytes(changed)
    for _ in range(int(random.integers(1, 6))):
        at = int(random.integers(0, min(len(changed), 600 if random.random() < 0.7 else len(changed))))
        match int(random.integers(0, 5)):
            case 0:
                changed[at] ^= 1 << int(random.integers(0, 8))
            case 1:
                changed[at] = int(random.integers(0, 256))
            case 2:
                del changed[at : at + int(random.integers(1, 12))]
            case 3:
                changed[at:at] = changed[: int(random.integers(1, 30))]
            case _:
                changed[at : at + 4] = random.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"1e99"])
        if not changed:
            break
    return with_checksums(bytes(changed)) if random.random() < 0.8 else bytes(changed)


def with_checksums(data: bytes) -> bytes:
    """A PNG with its checksums made right, or else nothing but them would be tested; other files as they are."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    out, at = data[:8], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        body = data[at + 4 : at + 8 + length]
        out += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return out


@pytest.mark.parametrize("seed", SEEDS)
def test_mutated_files(seed: str) -> None:
    random = np.random.default_rng(len(SEEDS[seed]))
    outcomes = {"opened": 0, "refused": 0}
    for _ in range(60):
        data = mutated(SEEDS[seed], random)
        try:
            assert rasterize_sketch(data, 24).shape == (24, 24)
            outcomes["opened"] += 1
        except SketchseekError:
            outcomes["refused"] += 1
        if seed not in ("json", "svg"):
            try:
                assert read_photo(data, 24).shape == (24, 24, 3)
                outcomes["opened"] += 1
            except SketchseekError:
                outcomes["refused"] += 1
    assert outcomes["refused"] > 0  # else nothing was tried
    if seed != "PNG":  # whose noise hardly survives a changed bit: the stream has a checksum of its own
        assert outcomes["opened"] > 0
