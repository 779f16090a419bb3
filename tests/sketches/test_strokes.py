"""Strokes to the raster, and JSON strokes."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketchseek.errors import EmptySketchError, SketchError, SketchseekError
from sketchseek.sketches import FILL, LINE, rasterize_strokes
from sketchseek.sketches.strokes import MAX_POINTS, MAX_STROKES, parse_strokes

HOUSE = [[[0, 0, 50, 100, 100, 0], [100, 40, 0, 40, 100, 100]], [[40, 40, 60, 60], [100, 70, 70, 100]]]


def ink_box(raster: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero((raster < 230).any(axis=1)), np.flatnonzero((raster < 230).any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@pytest.mark.parametrize("size", [32, 96, 224, 256])
def test_the_bounding_box_fills_its_share_and_is_centered(size: int) -> None:
    raster = rasterize_strokes([[[0, 300, 300, 0, 0], [0, 0, 100, 100, 0]]], size)
    assert raster.shape == (size, size)
    assert raster.dtype == np.uint8
    left, top, right, bottom = ink_box(raster)
    line = LINE * size
    assert right - left == pytest.approx(FILL * size + line, abs=2)
    assert bottom - top == pytest.approx(FILL * size / 3 + line, abs=2)
    assert (left + right) / 2 == pytest.approx(size / 2, abs=1)
    assert (top + bottom) / 2 == pytest.approx(size / 2, abs=1)


def test_paper_is_white_ink_black_and_lines_as_wide_as_said() -> None:
    raster = rasterize_strokes([[[0, 100], [0, 0]]], 256)
    assert raster[0, 0] == 255
    assert raster[128, 128] == 0
    assert (255 - raster[:, 128].astype(int)).sum() / 255 == pytest.approx(LINE * 256, abs=0.3)


@pytest.mark.parametrize(("scale", "shift"), [(1e-6, 0.0), (0.01, 5.0), (7.5, -1e4), (1e6, 0.0), (1.0, 9e8)])
def test_place_and_size_on_the_sheet_do_not_matter(scale: float, shift: float) -> None:
    moved = [[[v * scale + shift for v in axis] for axis in stroke] for stroke in HOUSE]
    assert np.abs(rasterize_strokes(moved, 128).astype(int) - rasterize_strokes(HOUSE, 128)).mean() < 0.5


def test_order_and_direction_of_strokes_do_not_matter() -> None:
    turned = [[axis[::-1] for axis in stroke] for stroke in HOUSE[::-1]]
    assert np.abs(rasterize_strokes(turned, 128).astype(int) - rasterize_strokes(HOUSE, 128)).mean() < 4


def test_times_numpy_arrays_and_empty_strokes_are_fine() -> None:
    expected = rasterize_strokes(HOUSE, 64)
    timed = [[*stroke, list(range(len(stroke[0])))] for stroke in HOUSE]
    assert np.array_equal(rasterize_strokes(timed, 64), expected)
    assert np.array_equal(rasterize_strokes([np.array(stroke).tolist() for stroke in HOUSE], 64), expected)
    assert np.array_equal(rasterize_strokes([[[], []], *HOUSE], 64), expected)


@pytest.mark.parametrize("stroke", [[[5], [7]], [[5, 5, 5], [7, 7, 7]], [[0, 5e-324], [0, 0]]])
def test_a_dot_is_a_dot_in_the_middle(stroke: list[list[float]]) -> None:
    raster = rasterize_strokes([stroke], 128)
    left, top, right, bottom = ink_box(raster)
    assert 1 <= right - left <= 5
    assert 1 <= bottom - top <= 5
    assert 62 <= (left + right) / 2 <= 66


@pytest.mark.parametrize("strokes", [[], [[[], []]], [[[], []]] * 9])
def test_no_ink(strokes: list[list[list[float]]]) -> None:
    with pytest.raises(EmptySketchError, match="no ink"):
        rasterize_strokes(strokes, 64)


@pytest.mark.parametrize(
    ("strokes", "cause"),
    [
        ([[[0, math.nan], [0, 1]]], "not a finite number"),
        ([[[0, math.inf], [0, 1]]], "not a finite number"),
        ([[[0, -1e10], [0, 1]]], "beyond"),
        ([[[0, 10**40], [0, 1]]], "beyond"),
        ([[[0, 10**400], [0, 1]]], "not made of numbers"),
        ([[[0, 1, 2], [0, 1]]], "stroke 1 has 3 x but 2 y"),
        ([*HOUSE, [["1", "2"], [0, 1]]], "stroke 3 is not made of numbers"),
        ([[[0, None], [0, 1]]], "not made of numbers"),
        ([[[True, False], [0, 1]]], "not made of numbers"),
        ([[[[0], [1]], [0, 1]]], "not made of numbers"),
        ([[[0, [1]], [0, 1]]], "not made of numbers"),
        ([[[0, 1]]], "these are not strokes"),
        ([{"x": [0, 1], "y": [0, 1]}], "these are not strokes"),
        (["ab"], "not made of numbers"),
        ([5], "these are not strokes"),
        ([[1, 2], [3, 4]], "these are not strokes"),
        (None, "these are not strokes"),
        ([[list(range(MAX_POINTS + 1)), list(range(MAX_POINTS + 1))]], "points"),
        ([[[0], [0]]] * (MAX_STROKES + 1), "strokes"),
        ([[[0, 1] * 5000, [0, 1] * 5000]], "nothing but black"),
    ],
)
def test_what_are_no_strokes(strokes: object, cause: str) -> None:
    with pytest.raises(SketchError, match=cause):
        rasterize_strokes(strokes, 64)  # type: ignore[arg-type]


def test_a_sketch_of_very_many_points_looks_as_if_it_had_fewer() -> None:
    t = np.linspace(0, 40, 60_000)
    spiral = np.stack([t * np.cos(t), t * np.sin(t)])
    many, few = (rasterize_strokes([each.tolist()], 224) for each in (spiral, spiral[:, ::20]))
    assert np.abs(many.astype(int) - few).mean() < 4


def test_json_in_all_its_forms() -> None:
    line = json.dumps({"word": "house", "drawing": HOUSE})
    for text in (
        json.dumps(HOUSE),
        json.dumps(HOUSE, indent=1),
        line,
        json.dumps({"strokes": HOUSE}, indent=2),
        line + "\n" + json.dumps({"drawing": []}) + "\n",
    ):
        assert parse_strokes(text) == HOUSE


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("[[[0,1],[0", "not valid JSON"),
        ("{}", "JSON without strokes"),
        ('{"drawing": 5}', "JSON without strokes"),
        ('{"drawing": null}', "JSON without strokes"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{"drawing":' * 50_000, "nested too deeply"),
        ("[[[" + "9" * 5000 + "],[0]]]", "not valid JSON"),
    ],
)
def test_what_is_no_json(text: str, cause: str) -> None:
    with pytest.raises(SketchError, match=cause):
        parse_strokes(text)


numbers = st.floats(allow_nan=True, allow_infinity=True) | st.integers()
axes = st.lists(numbers, max_size=6)
scraps = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(axes | scraps, max_size=3), max_size=4) | scraps)
def test_anything_gives_a_raster_or_an_error_of_ours(strokes: object) -> None:
    try:
        raster = rasterize_strokes(strokes, 32)  # type: ignore[arg-type]
    except SketchseekError:
        pass
    else:
        assert raster.shape == (32, 32)
        assert raster.min() < 230
        assert raster[0].min() == 255  # the margin stays free


coordinates = st.floats(-1e9, 1e9, allow_subnormal=False)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=8), min_size=1, max_size=5))
def test_any_finite_strokes_fill_their_share(lines: list[list[tuple[float, float]]]) -> None:
    strokes = [[[x for x, _ in line], [y for _, y in line]] for line in lines]
    left, top, right, bottom = ink_box(rasterize_strokes(strokes, 64))
    extent = max(right - left, bottom - top)
    flat = [point for line in lines for point in line]
    if max(np.ptp([x for x, _ in flat]), np.ptp([y for _, y in flat])) > 1e-3:
        assert extent == pytest.approx(FILL * 64 + LINE * 64, abs=3)
    else:
        assert extent <= 64
