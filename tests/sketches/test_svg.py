"""SVG pictures to the raster."""

from __future__ import annotations

import contextlib
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile_requests import svg_with_default_attributes
from sketchseek.errors import EmptySketchError, SketchError, SketchseekError
from sketchseek.sketches import rasterize_strokes, rasterize_svg
from sketchseek.sketches.svg import MAX_DEPTH, MAX_ELEMENTS, svg_polylines
from sketchseek.sketches.svg_path import compose, parse_transform, path_polylines

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 100 100">'


def svg(inside: str) -> str:
    return f"{HEAD}{inside}</svg>"


def same(a: str, b: str) -> bool:
    return bool(np.abs(rasterize_svg(a, 96).astype(int) - rasterize_svg(b, 96)).mean() < 1.5)


PATH = '<path d="M10 10 L90 10 L90 60 L10 60 Z"/>'


@pytest.mark.parametrize(
    "inside",
    [
        '<rect x="10" y="10" width="80" height="50"/>',
        '<polygon points="10,10 90,10 90,60 10,60"/>',
        '<polyline points="10 10 90 10 90 60 10 60 10 10" fill="none" stroke="red"/>',
        '<line x1="10" y1="10" x2="90" y2="10"/><path d="M90 10v50h-80v-50"/>',
        '<path d="m10,10h80v50H10z"/>',
        '<path d="M1e1 10l+80-0 0 50-80 0z"/>',
        '<g transform="translate(10 10)"><rect width="80" height="50"/></g>',
        '<g transform="scale(2) translate(5,5)"><rect width="40" height="25"/></g>',
        '<rect transform="matrix(0 1 -1 0 90 10)" width="50" height="80"/>',
        '<rect transform="rotate(90)" x="10" y="-90" width="50" height="80"/>',
        '<rect transform="rotate(180 50 35)" x="10" y="10" width="80" height="50"/>',
        '<defs><rect id="r" width="80" height="50"/></defs><use href="#r" x="10" y="10"/>',
        '<defs><g id="r"><rect width="40" height="25"/></g></defs><use xlink:href="#r" transform="scale(2)"/>',
        '<symbol id="s" viewBox="0 0 8 5"><rect width="8" height="5"/></symbol><use href="#s" width="80" height="50"/>',
        '<svg x="10" y="10" width="80" height="50" viewBox="1 1 8 5"><rect x="1" y="1" width="8" height="5"/></svg>',
        '<rect width="100%" height="100%" fill="#ffffff"/><rect x="10%" y="10%" width="80%" height="50%"/>',
        '<rect width="100" height="100" fill="navy"/><path d="M10 10H90V60H10Z" fill="white"/>',
        '<rect x="1mm" y="1mm" width="8mm" height="5mm"/>',
        PATH + '<text x="0" y="99">words</text><image href="file:///etc/passwd" width="300" height="300"/>',
        PATH + '<g display="none"><circle r="500"/></g><circle style="display: none" r="500"/>',
        PATH + '<g visibility="hidden"><circle r="500"/></g><circle r="500" fill="none"/>',
        PATH + '<clipPath><circle r="500"/></clipPath><defs><circle r="500"/></defs>',
        PATH + '<circle r="500" fill="white" stroke="rgb(255,255,255)"/>',
        PATH + '<use href="other.svg#x"/><use href="#missing"/><use/>',
        PATH + '<circle r="-5"/><circle r="0"/><rect width="5"/><path/><polygon points=""/>',
        PATH.replace("Z", "Z M"),
    ],
)
def test_many_ways_to_the_same_rectangle(inside: str) -> None:
    if 'rx="9"' in inside:
        inside = inside.replace("", "")
    assert same(svg(inside), svg(PATH))


def test_circles_ellipses_and_round_corners_are_round() -> None:
    for inside, rx, ry in [
        ('<circle cx="50" cy="50" r="40"/>', 40, 40),
        ('<ellipse cx="50" cy="50" rx="40" ry="20"/>', 40, 20),
        ('<rect x="10" y="30" width="80" height="40" rx="40" ry="20"/>', 40, 20),
        ('<path d="M10 50A40 20 0 0190 50 40 20 0 0110 50"/>', 40, 20),
    ]:
        for line in svg_polylines(svg(inside)):
            radius = ((line[:, 0] - 50) / rx) ** 2 + ((line[:, 1] - 50) / ry) ** 2
            assert radius == pytest.approx(np.ones(len(line)), abs=1e-6)


@pytest.mark.parametrize(("large", "sweep", "lowest"), [(0, 1, -10), (1, 1, -10), (0, 0, 10), (1, 0, 10)])
def test_arc_flags(large: int, sweep: int, lowest: float) -> None:
    points = path_polylines(f"M0 0 a10 10 0 {large} {sweep} 20 0")[0]
    assert points[-1] == pytest.approx((20, 0))
    assert points[8] == pytest.approx((10, lowest))


def test_an_arc_too_small_to_reach_grows_and_a_turned_one_turns() -> None:
    assert path_polylines("M0 0A1 1 0 0 1 20 0")[0][8] == pytest.approx((10, -10))
    points = path_polylines("M0 0A20 10 90 0 1 20 0")[0]
    assert points[:, 1].min() == pytest.approx(-20)


def test_curves() -> None:
    t = np.linspace(0, 1, 17)
    cubic = path_polylines("M0 0C0 10 10 10 10 0S20-10 20 0")[0]
    assert cubic[:17, 0] == pytest.approx(3 * (1 - t) * t * t * 10 + 10 * t**3)
    assert cubic[16:, 1] == pytest.approx(-cubic[:17, 1])
    quadratic = path_polylines("M0 0Q5 10 10 0T20 0")[0]
    assert quadratic[8] == pytest.approx((5, 5))
    assert quadratic[24] == pytest.approx((15, -5))


def test_what_follows_an_error_in_path_data_is_left_out() -> None:
    assert path_polylines("L 5 5") == []
    assert path_polylines("M0 0") == []
    assert np.array_equal(path_polylines("M0 0 L5 5 L x 9 9 H 3")[0][:2], [[0, 0], [5, 5]])


def test_transforms_compose_from_left_to_right() -> None:
    matrix = parse_transform("translate(3,4) rotate(90) scale(2 3) skewX(45) nonsense(1)")
    x, y = matrix @ (1, 1, 1)
    assert (x, y) == pytest.approx((3 - 3, 4 + 4))
    assert compose(parse_transform("translate(3)"), parse_transform("scale(2)")) == pytest.approx(
        np.array([[2, 0, 3], [0, 2, 0]])
    )
    assert parse_transform("skewY(45)") @ (2, 0, 1) == pytest.approx((2, 2))
    assert math.isclose(parse_transform("rotate(90, 1, 1)") @ (2, 1, 1) @ (1, 0), 1)


def test_document_type_byte_order_and_names_without_namespace() -> None:
    doctype = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
    assert same('<?xml version="1.0" encoding="UTF-8"?>' + doctype + svg(PATH), svg(PATH))
    assert same(f"<svg>{PATH}</svg>", svg(PATH))


def test_white_lines_without_a_background_still_count() -> None:
    assert same(svg(PATH.replace("/>", ' fill="none" stroke="white"/>')), svg(PATH))


def test_an_svg_and_the_strokes_in_it_give_the_same_raster() -> None:
    assert np.array_equal(
        rasterize_svg(svg('<path d="M3 4L50 9 20 77"/>'), 96), rasterize_strokes([[[3, 50, 20], [4, 9, 77]]], 96)
    )


@pytest.mark.parametrize(
    "inside", ["", "<g/>", "<text>a</text>", '<image href="a.png"/>', '<path d=""/>', '<rect fill="none"/>']
)
def test_no_ink(inside: str) -> None:
    with pytest.raises(EmptySketchError, match="no paths or shapes"):
        rasterize_svg(svg(inside), 32)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("<svg", "not well-formed"),
        ("<html><body/></html>", "root element is <html>"),
        ('<!DOCTYPE svg [<!ENTITY a "b">]><svg/>', "declarations"),
        ("<!DOCTYPE svg [ <!ELEMENT svg ANY> ]><svg/>", "declarations"),
        (svg("&nbsp;"), "not well-formed"),
        (svg("<g>" * MAX_DEPTH + "</g>" * MAX_DEPTH), "nested more than"),
        (svg("<g/>" * MAX_ELEMENTS), "elements"),
        (svg('<g id="a"><use href="#a"/></g>'), "nested more than"),
        (svg('<path d="M0 0L1e999 0"/>'), "not finite"),
        (svg('<path d="M0 0L1e99 0"/>'), "beyond"),
        (svg('<path transform="scale(1e300)" d="M0 0L1e300 0"/>'), "not a finite number"),
        (svg('<path transform="rotate(1e999)" d="M0 0L1 0"/>'), "not finite"),
        (svg('<path d="M0 0' + "a1 1 0 0 1 3 4" * 20_000 + '"/>'), "points"),
        (svg('<path d="' + "Z" * 1_000_001 + '"/>'), "characters of paths"),
        ("<svg>\ud800</svg>", "not UTF-8"),
    ],
)
def test_what_is_no_svg(text: str, cause: str) -> None:
    with pytest.raises(SketchError, match=cause):
        rasterize_svg(text, 32)


def test_use_cannot_multiply_without_end() -> None:
    doubling = "".join(f'<g id="a{i}"><use href="#a{i - 1}"/><use href="#a{i - 1}"/></g>' for i in range(1, 40))
    with pytest.raises(SketchError, match="elements"):
        rasterize_svg(svg(f'<path id="a0" d="M0 0L1 1"/>{doubling}'), 32)


tokens = st.sampled_from(
    [*"MmLlHhVvCcSsQqTtAaZz", " ", ",", "-", ".", "e", "1", "0", "9e9", "1e-9", "NaN", "0.5", "77"]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(tokens, max_size=40).map("".join), st.lists(tokens, max_size=8).map("".join))
def test_any_path_data_gives_a_raster_or_an_error_of_ours(data: str, numbers: str) -> None:
    text = svg(f'<g transform="rotate({numbers}) scale({numbers})"><path d="{data}"/></g><path d="M0 0a{numbers}"/>')
    with contextlib.suppress(SketchseekError):
        assert rasterize_svg(text, 32).shape == (32, 32)


@pytest.mark.parametrize("identity", ['SYSTEM ">"', "SYSTEM '>'", 'PUBLIC "" ">"', ""])
def test_declarations_cannot_be_hidden_in_a_document_type(identity: str) -> None:
    """Default attributes would be added to each element: 0.2 MB became gigabytes."""
    text = svg_with_default_attributes(200, 1000).decode()
    with pytest.raises(SketchError, match="declarations"):
        svg_polylines(text.replace('SYSTEM ">"', identity, 1))
    tracemalloc.start()
    with pytest.raises(SketchError, match="declarations"):
        svg_polylines(svg_with_default_attributes().decode())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
