from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketchseek.training.edge_lines import edge_lines

SIDE = 160


def edge_map(strength: int = 255, radius: int = 50) -> npt.NDArray[np.uint8]:
    """A circle's outline, as blurred as HED draws it."""
    edges = np.zeros((SIDE, SIDE), dtype=np.uint8)
    cv2.circle(edges, (SIDE // 2, SIDE // 2), radius, strength, 5)
    blurred: npt.NDArray[np.uint8] = cv2.GaussianBlur(edges, (0, 0), 1.5)
    return blurred


def test_a_circle_gives_a_closed_line_near_it() -> None:
    lines = edge_lines(edge_map(), 0.5)
    assert len(lines) == 1
    off = np.abs(np.hypot(*(lines[0] - SIDE / 2).T) - 50)
    assert off.max() < 2
    assert np.abs(lines[0][0] - lines[0][-1]).max() <= 4
    turns = np.histogram(np.arctan2(*(lines[0] - SIDE / 2).T), bins=24, range=(-np.pi, np.pi))[0]
    assert (turns > 0).all()


def test_weak_lines_need_a_low_threshold() -> None:
    assert edge_lines(edge_map(strength=120), 0.6) == []
    assert len(edge_lines(edge_map(strength=120), 0.3)) == 1


def test_short_pieces_and_pieces_cut_off_at_the_border_are_left_out() -> None:
    edges = edge_map()
    cv2.line(edges, (10, 10), (12, 12), 255, 2)  # a speck
    cv2.line(edges, (0, 140), (20, 159), 255, 3)  # a corner of something
    points = np.concatenate(edge_lines(edges, 0.5))
    assert np.abs(np.hypot(*(points - SIDE / 2).T) - 50).max() < 3
    assert edge_lines(np.zeros((SIDE, SIDE), dtype=np.uint8), 0.5) == []


@given(st.integers(0, 2**32 - 1), st.sampled_from([48, 100]), st.floats(0.05, 0.9))
@settings(max_examples=25, deadline=None)
def test_points_are_finite_and_within_the_map(seed: int, side: int, threshold: float) -> None:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (8, 8), dtype=np.uint8)
    edges = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    for line in edge_lines(edges, threshold):
        assert line.shape[1] == 2
        assert np.isfinite(line).all()
        assert line.min() >= 0
        assert line.max() <= side - 1


@pytest.mark.parametrize("value", [0, 255])
def test_a_flat_map_has_no_lines(value: int) -> None:
    assert edge_lines(np.full((64, 64), value, dtype=np.uint8), 0.5) == []
