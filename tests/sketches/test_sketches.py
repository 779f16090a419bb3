"""Sketches of every kind through one function, from memory and from files, and real ones."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sketchseek.errors import EmptySketchError, SketchError
from sketchseek.sketches import MAX_TEXT, rasterize_image, rasterize_sketch, rasterize_strokes, rasterize_svg

STROKES = [[[0, 40, 90, 20], [0, 70, 30, 55]], [[10, 20], [60, 60]]]
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0L40 70 90 30 20 55M10 60H20"/></svg>'


def image() -> Image.Image:
    picture = Image.new("L", (100, 80), 255)
    ImageDraw.Draw(picture).line((10, 10, 50, 70, 90, 30), fill=0, width=3)
    return picture


def png() -> bytes:
    buffer = io.BytesIO()
    image().save(buffer, "PNG")
    return buffer.getvalue()


def test_every_kind_in_memory_and_as_a_file(tmp_path: Path) -> None:
    strokes, picture = rasterize_strokes(STROKES, 64), rasterize_image(image(), 64)
    kinds: list[tuple[bytes, np.ndarray]] = [
        (json.dumps(STROKES).encode(), strokes),
        (json.dumps({"drawing": STROKES, "word": "zigzag"}, indent=1).encode(), strokes),
        (b"\xef\xbb\xbf\n " + json.dumps({"strokes": STROKES}).encode(), strokes),
        ((json.dumps({"drawing": STROKES}) + "\n" + json.dumps({"drawing": []}) + "\n").encode(), strokes),
        (SVG.encode(), strokes),
        (b"\xef\xbb\xbf" + SVG.encode(), strokes),
        (png(), picture),
    ]
    for number, (data, expected) in enumerate(kinds):
        path = tmp_path / f"{number}.png"  # the content decides, not the name
        path.write_bytes(data)
        for source in (data, path, str(path)):
            assert np.array_equal(rasterize_sketch(source, 64), expected)
    assert np.array_equal(rasterize_sketch(STROKES, 64), strokes)
    assert np.array_equal(rasterize_sketch(image(), 64), picture)
    assert np.array_equal(rasterize_svg(SVG, 64), strokes)


def test_the_first_sketch_of_a_file_larger_than_the_cap(tmp_path: Path) -> None:
    path = tmp_path / "all.ndjson"
    line = json.dumps({"drawing": STROKES}) + "\n"
    path.write_text(line + ("#" * 1000 + "\n") * (MAX_TEXT // 1000))
    assert np.array_equal(rasterize_sketch(path, 64), rasterize_strokes(STROKES, 64))


def test_a_turned_photograph_is_turned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image().transpose(Image.Transpose.ROTATE_90).save(buffer, "JPEG", exif=exif, quality=95)
    difference = np.abs(rasterize_sketch(buffer.getvalue(), 64).astype(int) - rasterize_image(image(), 64))
    assert difference.mean() < 6


def test_errors_name_the_file_once_and_keep_their_kind(tmp_path: Path) -> None:
    (tmp_path / "blank.json").write_text("[]")
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "broken.svg").write_text("<svg")
    os.mkfifo(tmp_path / "pipe.svg")
    for name, kind, cause in [
        ("blank.json", EmptySketchError, "no ink"),
        ("text.png", SketchError, "not a picture"),
        ("broken.svg", SketchError, "not well-formed"),
        ("pipe.svg", SketchError, "not a regular file"),
        ("gone.svg", SketchError, "no such file"),
        (".", SketchError, "a folder"),
    ]:
        with pytest.raises(kind, match=cause) as caught:
            rasterize_sketch(tmp_path / name, 64)
        assert caught.value.message.count(str(tmp_path)) == 1
    with pytest.raises(EmptySketchError, match=r"^sketch: .*no ink"):
        rasterize_sketch(b"[]", 64)


@pytest.mark.real_data
def test_real_sketches_redrawn_from_their_own_raster(real_data: Path) -> None:
    """The raster fills its share, has little ink, and the raster of a raster is nearly the same."""
    for folder in ("alarm_clock", "zebra", "owl"):
        paths = sorted((real_data / "sketchy/256x256/sketch/tx_000000000000" / folder).glob("*.png"))[:3]
        assert paths
        for path in paths:
            raster = rasterize_sketch(path, 128)
            rows, columns = np.nonzero(raster < 128)
            assert 108 <= max(np.ptp(rows), np.ptp(columns)) <= 117
            assert 0.01 < (raster < 128).mean() < 0.35
            again = rasterize_sketch(Image.fromarray(rasterize_sketch(path, 256)), 128)
            assert np.abs(again.astype(int) - raster).mean() < 16


@pytest.mark.real_data
def test_real_strokes_and_the_picture_of_them(real_data: Path) -> None:
    files = sorted((real_data / "quickdraw/simplified").glob("*.ndjson"))[::60]
    assert files
    for path in files:
        strokes = json.loads(path.read_text().split("\n", 1)[0])["drawing"]
        drawn = rasterize_sketch(path, 128)
        assert np.array_equal(drawn, rasterize_sketch(strokes, 128))
        found = rasterize_sketch(Image.fromarray(rasterize_strokes(strokes, 256)), 128)
        assert np.abs(found.astype(int) - drawn).mean() < 12
