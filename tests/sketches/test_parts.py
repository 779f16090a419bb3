from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sketchseek.errors import EmptySketchError
from sketchseek.sketches import rasterize_sketch
from sketchseek.sketches.parts import MAX_ELEMENTS, sketch_parts

Lines = list[list[list[float]]]


def box(x: float, y: float, side: float) -> list[list[float]]:
    return [[x, x + side, x + side, x, x], [y, y, y + side, y + side, y]]


def ring(x: float, y: float, radius: float) -> list[list[float]]:
    angles = np.linspace(0, 2 * np.pi, 40)
    return [(x + radius * np.cos(angles)).tolist(), (y + radius * np.sin(angles)).tolist()]


TWO: Lines = [ring(60, 80, 50), box(200, 30, 100), ring(250, 80, 20)]
"""A ring on the left, and a box with a ring in it on the right."""


def drawn(lines: Lines, size: tuple[int, int] = (340, 180)) -> Image.Image:
    image = Image.new("L", size, 255)
    for line in lines:
        ImageDraw.Draw(image).line(list(zip(*line, strict=True)), fill=0, width=3)
    return image


def picture_bytes(lines: Lines) -> bytes:
    file = io.BytesIO()
    drawn(lines).save(file, format="PNG")
    return file.getvalue()


SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 340 180"><circle cx="60" cy="80" r="50" fill="none"'
    b' stroke="black"/><rect x="200" y="30" width="100" height="100" fill="none" stroke="black"/></svg>'
)


@pytest.mark.parametrize(
    "sketch",
    [TWO, json.dumps(TWO).encode(), SVG, drawn(TWO), picture_bytes(TWO)],
    ids=["strokes", "json", "svg", "picture", "bytes"],
)
def test_two_objects_are_found_in_every_kind_of_sketch(sketch: object) -> None:
    left, right = sorted(sketch_parts(sketch), key=lambda part: part.middle[0])  # type: ignore[arg-type]
    assert left.middle[0] == pytest.approx(0.17, abs=0.05)
    assert right.middle[0] == pytest.approx(0.83, abs=0.05)
    alone = rasterize_sketch([ring(60, 80, 50)], 64)
    found = rasterize_sketch(left.sketch, 64)
    assert ((alone < 128) & (found < 128)).sum() > 0.5 * (alone < 128).sum()
    assert np.abs(found.astype(int) - rasterize_sketch(right.sketch, 64)).mean() > 5


def test_the_whole_group_is_a_part() -> None:
    _, right = sorted(sketch_parts(TWO), key=lambda part: part.middle[0])
    np.testing.assert_array_equal(rasterize_sketch(right.sketch, 64), rasterize_sketch(TWO[1:], 64))


@pytest.mark.parametrize(
    "lines",
    [
        [box(0, 0, 80), box(85, 20, 90)],  # too near
        [box(0, 0, 80), box(150, 20, 5)],  # a dot
        [box(0, 0, 200), box(50, 50, 30)],  # inside
        [box(0, 0, 50), box(100, 0, 50), box(200, 0, 50)],  # three
        [box(0, 0, 50)],
        [[[5], [5]]],
        [ring(x, 0, 1) for x in range(0, 10 * MAX_ELEMENTS + 10, 10)],  # too many
    ],
    ids=["near", "dot", "inside", "three", "one", "point", "many"],
)
def test_everything_else_is_one_sketch(lines: Lines) -> None:
    assert sketch_parts(lines) == ()


def test_pictures_of_one_thing_are_not_divided() -> None:
    assert sketch_parts(drawn([box(20, 20, 100), ring(70, 70, 30)])) == ()
    assert sketch_parts(drawn([box(20, 20, 100), box(130, 40, 80)])) == ()


def test_no_ink() -> None:
    with pytest.raises(EmptySketchError):
        sketch_parts([])
    assert sketch_parts(Image.new("L", (50, 50), 255)) == ()
