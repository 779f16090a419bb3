"""A hundred and more malformed or hostile pictures and sketches, each with its expected outcome."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import hostile_files as make
from sketchseek.errors import EmptySketchError, ImageError, ImageTooLargeError, SketchError, SketchseekError
from sketchseek.images import read_photo
from sketchseek.images.formats import FORMATS
from sketchseek.sketches import rasterize_sketch

OPENS = None
_LARGE = re.compile("thousand|million|100,000")  # these take a while
"""Expected outcome: no error, but an array of the right shape."""

Outcome = tuple[type[SketchseekError], str] | None

NO_PICTURE: Outcome = (ImageError, "not a picture in a supported format")
DAMAGED: Outcome = (ImageError, "damaged or truncated")
TOO_LARGE: Outcome = (ImageTooLargeError, "more than the cap of")

PICTURES: list[tuple[str, Callable[[], bytes], Outcome]] = [
    # Other things under a picture's name.
    ("empty", lambda: b"", (ImageError, "empty")),
    ("one byte", lambda: b"\xff", NO_PICTURE),
    ("zeros", lambda: b"\0" * 10_000, NO_PICTURE),
    ("noise", lambda: bytes(range(256)) * 40, NO_PICTURE),
    ("text", lambda: b"Dear photo album,\n" * 50, NO_PICTURE),
    ("html", lambda: make.HTML, NO_PICTURE),
    ("pdf", lambda: make.PDF, NO_PICTURE),
    ("zip", make.zipped, NO_PICTURE),
    ("gzip", make.gzipped_svg, NO_PICTURE),
    ("postscript, whose decoder would run a program", lambda: make.POSTSCRIPT, NO_PICTURE),
    ("netpbm, not on the list", make.netpbm, NO_PICTURE),
    ("icon, not on the list", make.icon, NO_PICTURE),
    ("svg", lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', NO_PICTURE),
    ("elf program", lambda: b"\x7fELF" + b"\0" * 200, NO_PICTURE),
    ("png behind a stray byte", lambda: b"x" + make.picture("PNG"), NO_PICTURE),
    ("git lfs pointer", lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", NO_PICTURE),
    # Bombs: headers that hypothesis more than the cap.
    ("png of 60000 × 60000", lambda: make.png(60_000, 60_000), TOO_LARGE),
    ("png of 2^31 - 1 squared", lambda: make.png(2**31 - 1, 2**31 - 1), TOO_LARGE),
    ("png of one row of 2^31 - 1", lambda: make.png(2**31 - 1, 1), TOO_LARGE),
    ("one-bit png of 100000 × 100000", lambda: make.png(100_000, 100_000, depth=1), TOO_LARGE),
    ("gif of 65535 × 65535", lambda: make.gif(65_535, 65_535), TOO_LARGE),
    ("bmp of 60000 × 60000", lambda: make.bmp(60_000, 60_000), TOO_LARGE),
    ("bmp upside down of 60000 × -60000", lambda: make.bmp(60_000, -60_000), TOO_LARGE),
    ("tiff of 60000 × 60000", lambda: make.tiff(60_000, 60_000), TOO_LARGE),
    ("tiff of 2^32 - 1 squared", lambda: make.tiff(2**32 - 1, 2**32 - 1), TOO_LARGE),
    ("webp of 16384 × 16384", lambda: make.webp(16_384, 16_384), (ImageError, "")),
    ("webp with a canvas of 60000 × 60000", lambda: make.webp_canvas(60_000, 60_000), (ImageError, "")),
    ("jpeg of 65500 × 65500", lambda: make.jpeg_resized(65_500, 65_500), TOO_LARGE),
    ("png with 100 MB of comment", make.png_text_bomb, (ImageError, "")),
    ("png with 20 MB of color profile", make.png_profile_bomb, (ImageError, "")),
    ("gif frame larger than its screen", lambda: make.gif(4, 4, frame=(0, 0, 65_000, 65_000)), (ImageError, "")),
    # Truncated at several places.
    *[
        (f"{name} cut at {share:.0%}", lambda name=name, share=share: make.cut(make.picture(name), share), outcome)
        for name in FORMATS
        for share, outcome in (
            (0.02, (ImageError, "")),
            (0.3, (ImageError, "")),
            (0.6, (ImageError, "")),
            (0.9, (ImageError, "")),
        )
    ],
    ("jpeg without its last two bytes", lambda: make.picture("JPEG")[:-2], DAMAGED),
    ("png without its last chunk", lambda: make.picture("PNG")[:-12], OPENS),
    # Damaged inside.
    ("png with a wrong checksum", make.png_wrong_checksum, (ImageError, "")),
    ("png with a broken stream", make.png_broken_stream, DAMAGED),
    ("png of 0 × 0", lambda: make.png(0, 0), (ImageError, "")),
    ("png of 10 × 0", lambda: make.png(10, 0), (ImageError, "")),
    ("png of 3 bits a pixel", lambda: make.png(4, 4, depth=3), (ImageError, "")),
    ("png of an unknown color type", lambda: make.png(4, 4, color=9), (ImageError, "")),
    # Pillow fills what is missing where the data say properly that they end.
    ("png of 1000 × 1000 with pixels for two rows", lambda: make.png(1000, 1000, pixels=b"\0" * 2002), OPENS),
    ("png with pixels for more rows than it has", lambda: make.png(2, 2, pixels=b"\0\xff\xff" * 900), OPENS),
    ("gif of 0 × 0", lambda: make.gif(0, 0), (ImageError, "")),
    ("gif without a frame", lambda: make.gif(4, 4)[:19] + b";", (ImageError, "")),
    ("gif with an impossible code size", lambda: make.gif(4, 4, body=b"\x0d\x02\x4c\x01\0"), (ImageError, "")),
    ("bmp of 0 × 0", lambda: make.bmp(0, 0), (ImageError, "")),
    ("bmp of negative width", lambda: make.bmp(-4, 4, body=b"\0" * 64), (ImageError, "")),
    ("bmp of 5 bits a pixel", lambda: make.bmp(4, 4, bits=5, body=b"\0" * 64), (ImageError, "")),
    ("bmp whose pixels are beyond its end", lambda: make.bmp(4, 4, offset=2**31), (ImageError, "")),
    ("bmp with pixels for one row", lambda: make.bmp(100, 100, body=b"\0" * 300), DAMAGED),
    ("tiff whose strip is beyond its end", lambda: make.tiff(100, 100, strip=(2**31, 10_000)), (ImageError, "")),
    ("tiff that hypotheses packed data", lambda: make.tiff(100, 100, compression=5), (ImageError, "")),
    ("tiff with an unknown compression", lambda: make.tiff(10, 10, compression=60_000), (ImageError, "")),
    ("tiff of 0 × 0", lambda: make.tiff(0, 0), (ImageError, "")),
    ("tiff that is its own next page", lambda: make.tiff(10, 10, strip=(8, 100), next_ifd=8), OPENS),
    ("tiff whose directory is beyond its end", lambda: b"II*\0" + b"\xff" * 4, (ImageError, "")),
    ("webp of garbage", lambda: b"RIFF\x40\0\0\0WEBPVP8 " + b"\xaa" * 52, (ImageError, "")),
    ("webp lossless whose data do not last", lambda: make.webp(2_000, 2_000), (ImageError, "")),
    ("jpeg of 0 × 0", lambda: make.jpeg_resized(0, 0), (ImageError, "")),
    ("jpeg without quantization", lambda: make.jpeg_without(b"\xff\xdb"), (ImageError, "")),
    ("jpeg without frame", lambda: make.jpeg_without(b"\xff\xc0"), (ImageError, "")),
    ("jpeg without scan", lambda: make.jpeg_without(b"\xff\xda"), (ImageError, "")),
    ("jpeg of markers only", lambda: b"\xff\xd8" + b"\xff" * 5_000, (ImageError, "")),
    ("jpeg of 20000 × 5000 with data for 64 × 48", lambda: make.jpeg_resized(20_000, 5_000), OPENS),
    # Odd, but sound.
    ("png of one pixel", lambda: make.png(1, 1, pixels=b"\0\x80"), OPENS),
    ("png of one column of 5000", lambda: make.png(1, 5_000, pixels=b"\0\x80" * 5_000), OPENS),
    ("jpeg followed by a zip", lambda: make.picture("JPEG") + make.zipped(), OPENS),
    ("cmyk jpeg", lambda: make.picture("JPEG", 64, 48, "CMYK"), OPENS),
    ("one-bit tiff", lambda: make.picture("TIFF", 64, 48, "1"), OPENS),
]

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{}</svg>'
LINE = '<path d="M0 0L9 9"/>'
LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
NO_INK: Outcome = (EmptySketchError, "no ink")
NO_SHAPES: Outcome = (EmptySketchError, "no paths or shapes")
NO_STROKES: Outcome = (SketchError, "these are not strokes")
NO_NUMBERS: Outcome = (SketchError, "not made of numbers")
NO_JSON: Outcome = (SketchError, "not valid JSON")


def svg(inside: str) -> Callable[[], bytes]:
    return lambda: SVG.format(inside).encode()


SKETCHES: list[tuple[str, Callable[[], object], Outcome]] = [
    # Strokes.
    ("no strokes", list, NO_INK),
    ("empty strokes", lambda: [[[], []]] * 50, NO_INK),
    ("a dot", lambda: [[[5], [5]]], OPENS),
    ("a stroke of no length", lambda: [[[5] * 90, [5] * 90]], OPENS),
    ("not a number", lambda: [[[0, float("nan")], [0, 1]]], (SketchError, "not a finite number")),
    ("infinite", lambda: [[[0, float("-inf")], [0, 1]]], (SketchError, "not a finite number")),
    ("a huge coordinate", lambda: [[[0, 1e300], [0, 1]]], (SketchError, "beyond")),
    ("a whole number of 400 digits", lambda: [[[0, 10**400], [0, 1]]], NO_NUMBERS),
    ("negative coordinates", lambda: [[[-5e8, -4e8], [-9e8, -8e8]]], OPENS),
    ("nearly one point", lambda: [[[0, 5e-324], [0, 0]]], OPENS),
    ("strings", lambda: [[["0", "1"], ["0", "1"]]], NO_NUMBERS),
    ("nothing for a number", lambda: [[[0, None], [0, 1]]], NO_NUMBERS),
    ("dictionaries", lambda: [{"x": [0], "y": [0]}], NO_STROKES),
    ("unequal lengths", lambda: [[[0, 1, 2], [0]]], (SketchError, "3 x but 1 y")),
    ("x without y", lambda: [[[0, 1]]], NO_STROKES),
    ("points, not axes", lambda: [[[[0, 0], [1, 1]], [[2, 2], [3, 3]]]], NO_NUMBERS),
    ("a number", lambda: 5, NO_STROKES),
    ("nothing", lambda: None, NO_STROKES),
    ("a million points", lambda: [[range(1_000_000)] * 2], (SketchError, "points")),
    ("a scribble", lambda: [[[0, 1] * 50_000, [0, 1] * 50_000]], (SketchError, "nothing but black")),
    ("fifty thousand dots", lambda: [[[i], [i]] for i in range(50_000)], (SketchError, "strokes")),
    # JSON.
    ("json cut short", lambda: b"[[[0, 1], [0,", NO_JSON),
    ("json nested 100,000 deep", lambda: b"[" * 100_000, (SketchError, "nested too deeply")),
    ("json objects nested 100,000 deep", lambda: b'{"drawing":' * 100_000, (SketchError, "nested too deeply")),
    ("json with NaN", lambda: b"[[[0, NaN], [0, 1]]]", (SketchError, "not a finite number")),
    ("json with 1e999", lambda: b"[[[0, 1e999], [0, 1]]]", (SketchError, "not a finite number")),
    ("json with a number of 5000 digits", lambda: b"[[[" + b"9" * 5_000 + b"], [0]]]", NO_JSON),
    ("json without strokes", lambda: b'{"hello": 1}', (SketchError, "JSON without strokes")),
    ("json with a string of strokes", lambda: b'{"drawing": "abc"}', (SketchError, "JSON without strokes")),
    ("json of an empty list", lambda: b"[]", NO_INK),
    ("json that is not UTF-8", lambda: b'{"word": "caf\xe9", "drawing": []}', (SketchError, "not UTF-8")),
    ("json of 9 MB", lambda: b"[" + b" " * 9_000_000 + b"]", (SketchError, "more than the cap")),
    (
        "two hundred thousand empty strokes",
        lambda: b"[" + b"[[],[]]," * 200_000 + b"[[],[]]]",
        (SketchError, "strokes"),
    ),
    ("json lines after a first good one", lambda: b'{"drawing": [[[0, 9], [0, 9]]]}\n{"drawing', OPENS),
    # SVG.
    (
        "svg cut short",
        lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0',
        (SketchError, "not well-formed"),
    ),
    ("html", lambda: make.HTML, (SketchError, "")),
    ("well-formed html", lambda: b"<html><body>404</body></html>", (SketchError, "root element is <html>")),
    ("svg of no shapes", svg(""), NO_SHAPES),
    (
        "svg of a billion laughs",
        lambda: f'<!DOCTYPE svg [<!ENTITY l0 "lol">{LAUGHS}]><svg>&l9;</svg>'.encode(),
        (SketchError, "declarations"),
    ),
    (
        "svg with an external entity",
        lambda: b'<!DOCTYPE svg [<!ENTITY e SYSTEM "file:///etc/passwd">]><svg>&e;</svg>',
        (SketchError, "declarations"),
    ),
    (
        "svg with an external document type",
        lambda: b'<!DOCTYPE svg SYSTEM "http://127.0.0.1:9/x.dtd">' + SVG.format(LINE).encode(),
        OPENS,
    ),
    ("svg with an outside picture", svg('<image href="http://127.0.0.1:9/a.png" width="9" height="9"/>'), NO_SHAPES),
    ("svg with an outside use", svg('<use xlink:href="file:///etc/passwd#a"/>'), NO_SHAPES),
    ("svg with a picture inside", svg('<image href="data:image/png;base64,AAAA" width="9" height="9"/>'), NO_SHAPES),
    ("svg with a script", svg(f"<script>while(1);</script>{LINE}"), OPENS),
    ("svg nested 100,000 deep", svg("<g>" * 100_000), (SketchError, "nested more than")),
    ("svg of 100,000 elements", svg("<g/>" * 100_000), (SketchError, "elements")),
    ("svg that uses itself", svg('<g id="a"><use href="#a"/></g>'), (SketchError, "nested more than")),
    (
        "svg that doubles forty times",
        svg("".join(f'<g id="a{i}"><use href="#a{i - 1}"/><use href="#a{i - 1}"/></g>' for i in range(40))),
        (SketchError, "elements"),
    ),
    ("svg of 60,000 arcs", svg('<path d="M0 0' + "a1 2 30 0 1 3 4" * 60_000 + '"/>'), (SketchError, "points")),
    ("svg of a million closings", svg('<path d="M0 0' + "Z" * 999_000 + '"/>'), NO_SHAPES),
    ("svg arc of one long number", svg('<path d="M0 0a' + "1" * 900_000 + '"/>'), NO_SHAPES),
    ("svg path of 2 MB", svg('<path d="' + "M0 0" * 500_000 + '"/>'), (SketchError, "characters of paths")),
    ("svg with an endless number", svg('<path d="M0 0L1e999 1"/>'), (SketchError, "not finite")),
    (
        "svg scaled beyond all numbers",
        svg(f'<g transform="scale(1e308) scale(1e308)">{LINE}</g>'),
        (SketchError, "not a finite number"),
    ),
    ("svg turned by infinity", svg(f'<g transform="rotate(1e999)">{LINE}</g>'), (SketchError, "not finite")),
    ("svg with nonsense for a path", svg('<path d="M0 0 zebra crossing 9 9"/>'), NO_SHAPES),
    ("svg squashed to a point", svg(f'<g transform="scale(0)">{LINE}</g>'), OPENS),
    ("svg in UTF-16", lambda: SVG.format(LINE).encode("utf-16"), (SketchError, "")),
    ("svg not in UTF-8", lambda: b"<svg>\xff\xfe</svg>", (SketchError, "not UTF-8")),
    ("gzipped svg", make.gzipped_svg, (SketchError, "not a picture")),
    ("svg with a NUL", lambda: b"<svg>\0</svg>", (SketchError, "not well-formed")),
    # Pictures handed in as sketches.
    ("nothing at all", lambda: b"", (SketchError, "empty")),
    ("blanks only", lambda: b" \n\t" * 300, (SketchError, "not a picture")),
    ("text", lambda: b"draw me a sheep", (SketchError, "not a picture")),
    ("a picture too large", lambda: make.png(12_000, 12_000), (SketchError, "more than the cap")),
    ("a truncated picture", lambda: make.cut(make.picture("PNG"), 0.5), (SketchError, "truncated")),
    ("a blank picture", lambda: make.png(8, 8, pixels=(b"\0" + b"\xff" * 8) * 8), NO_INK),
    ("a picture of one pixel", lambda: make.png(1, 1, pixels=b"\0\0"), NO_INK),
    ("a sound picture", lambda: make.picture("PNG"), OPENS),
]


def test_there_are_a_hundred_and_no_two_share_a_name() -> None:
    assert len(PICTURES) >= 60
    assert len(PICTURES) + len(SKETCHES) >= 100
    assert len({name for name, _, _ in PICTURES}) == len(PICTURES)
    assert len({name for name, _, _ in SKETCHES}) == len(SKETCHES)


@pytest.mark.parametrize(("make_data", "outcome"), [case[1:] for case in PICTURES], ids=[case[0] for case in PICTURES])
def test_picture(make_data: Callable[[], bytes], outcome: Outcome, tmp_path: Path) -> None:
    path = tmp_path / "holiday.jpg"
    data = make_data()
    path.write_bytes(data)
    for source in (data, path):
        if outcome is OPENS:
            assert read_photo(source, 32).shape == (32, 32, 3)
            continue
        kind, part = outcome
        with pytest.raises(kind) as caught:
            read_photo(source, 32)
        assert type(caught.value) in (ImageError, ImageTooLargeError)
        assert part in caught.value.message
        assert (str(path) if source is path else "picture") in caught.value.message


@pytest.mark.parametrize(
    ("make_data", "outcome"),
    [pytest.param(*case[1:], id=case[0], marks=[pytest.mark.slow] * bool(_LARGE.search(case[0]))) for case in SKETCHES],
)
def test_sketch(make_data: Callable[[], object], outcome: Outcome, tmp_path: Path) -> None:
    data = make_data()
    sources = [data]
    if isinstance(data, bytes):
        sources.append(tmp_path / "sketch.svg")
        (tmp_path / "sketch.svg").write_bytes(data)
    for source in sources:
        if outcome is OPENS:
            raster = rasterize_sketch(source, 32)  # type: ignore[arg-type]
            assert raster.shape == (32, 32)
            assert raster.min() < 250
            continue
        kind, part = outcome
        with pytest.raises(kind) as caught:
            rasterize_sketch(source, 32)  # type: ignore[arg-type]
        assert part in caught.value.message
        if isinstance(source, Path):
            assert str(source) in caught.value.message
