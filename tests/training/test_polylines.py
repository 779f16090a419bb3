from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketchseek.sketches.thinning import thin
from sketchseek.training.polylines import join_polylines, polylines_of, simplify_polyline


def circle(radius: float, side: int = 64) -> npt.NDArray[np.bool_]:
    """A ring two pixels wide, thinned."""
    y, x = np.mgrid[0:side, 0:side] - side / 2
    ring: npt.NDArray[np.bool_] = np.abs(np.hypot(x, y) - radius) < 1
    return thin(ring)


def test_a_circle_is_one_closed_line() -> None:
    lines = join_polylines(polylines_of(circle(20)))
    assert len(lines) == 1
    assert np.abs(lines[0][0] - lines[0][-1]).max() <= 3
    assert np.abs(np.hypot(*(lines[0] - 32).T) - 20).max() < 2
    turns = np.histogram(np.arctan2(*(lines[0] - 32).T), bins=16, range=(-np.pi, np.pi))[0]
    assert (turns > 0).all()


def test_a_cross_is_two_straight_lines() -> None:
    skeleton = np.zeros((21, 21), dtype=np.bool_)
    skeleton[10, 2:19] = skeleton[2:19, 10] = True
    longest = sorted(polylines_of(skeleton), key=len)[-2:]
    # One goes straight through the crossing; the other is cut there.
    assert len(longest[1]) == 17
    assert np.ptp(longest[1], axis=0).min() == 0


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=60, deadline=None)
def test_every_pixel_is_in_one_line_and_joining_loses_none(data: bytes) -> None:
    skeleton = np.unpackbits(np.frombuffer(data, dtype=np.uint8)).reshape(16, 16).astype(np.bool_)
    lines = polylines_of(skeleton)
    want = sorted(map(tuple, np.argwhere(skeleton)[:, ::-1].tolist()))
    for found in (lines, join_polylines(lines)):
        assert sorted(tuple(point) for line in found for point in line.tolist()) == want
    for line in lines:
        assert np.abs(np.diff(line, axis=0)).max(initial=0) <= 1


def test_lines_join_at_near_ends_only() -> None:
    first, second = np.array([[0.0, 0], [1, 0], [2, 0]]), np.array([[6.0, 0], [5, 0], [4, 0]])
    far = np.array([[9.0, 9.0]])
    joined = join_polylines([first, second, far])
    assert [len(line) for line in joined] == [6, 1]
    assert joined[0][:, 0].tolist() == [0, 1, 2, 4, 5, 6]
    assert len(join_polylines([first, second, far], gap=1.0)) == 3
    assert join_polylines([]) == []


@pytest.mark.parametrize("tolerance", [0.5, 2.0])
def test_a_simplified_line_stays_within_the_tolerance(tolerance: float) -> None:
    x = np.linspace(0, 60, 61)
    line = np.stack([x, 10 * np.sin(x / 10)], axis=1)
    simple = simplify_polyline(line, tolerance)
    assert 2 < len(simple) < 30
    np.testing.assert_allclose(simple[[0, -1]], line[[0, -1]], atol=1e-5)
    dense = np.interp(x, simple[:, 0], simple[:, 1])
    assert np.abs(dense - line[:, 1]).max() <= 1.5 * tolerance  # vertical distance on slopes of at most 45 degrees
