from __future__ import annotations

import numpy as np
import pytest

from sketchseek.evaluation.match_threshold import MIN_PRECISION, match_threshold, threshold_for_manifest


def unit(*degrees: float) -> np.ndarray:
    turns = np.radians(degrees)
    return np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32)


def test_who_finds_nothing_has_a_lower_best_score_here() -> None:
    # The first two find their own photo 10 and 5 degrees off; the third has five others, 40 degrees off, nearer.
    sketches = unit(0, 90, 200)
    photos = unit(10, 95, 240, 240, 240, 240, 240, 300)
    shown = np.array([0, 1, 3, 3, 3, 3, 3, 2])
    threshold, right = match_threshold(sketches, photos, np.array([0, 1, 2]), shown, wrong_refusals=0)
    assert threshold == pytest.approx(np.cos(np.radians(10)), abs=1e-6)
    assert right == 1.0


@pytest.mark.parametrize("wrong_refusals", [0.05, 0.2])
def test_a_slow_loop_says_the_same(wrong_refusals: float) -> None:
    random = np.random.default_rng(0)
    photos = random.standard_normal((400, 6)).astype(np.float32)
    sketches = photos[:300] + random.uniform(0.2, 2, (300, 1)) * random.standard_normal((300, 6)).astype(np.float32)
    photos, sketches = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (photos, sketches))
    shown = np.arange(400) % 50
    threshold, right = match_threshold(sketches, photos, shown[:300], shown, wrong_refusals=wrong_refusals)
    best, finds = [], []
    for sketch, kind in zip(sketches, shown, strict=False):
        ranked = sorted(((float(sketch @ photo), k) for photo, k in zip(photos, shown, strict=True)), reverse=True)
        best.append(ranked[0][0])
        finds.append(kind in [k for _, k in ranked[:5]])
    assert 0.2 < np.mean(finds) < 0.95
    assert np.mean([b < threshold for b, f in zip(best, finds, strict=True) if f]) == pytest.approx(
        wrong_refusals, abs=0.01
    )
    said = [not f for b, f in zip(best, finds, strict=True) if b < threshold]
    assert right == pytest.approx(np.mean(said), abs=0.01)
    assert right > 1 - np.mean(finds)  # better than saying it at random


def test_distances_are_scores_with_their_sign_turned() -> None:
    sketches, photos = np.array([[0.0], [10.0]]), np.array([[1.0], [12.0], [5.0]])
    args = sketches, photos, np.array([0, 1]), np.array([0, 1, 2])
    assert match_threshold(*args, "euclidean", wrong_refusals=0) == pytest.approx((-2.0, 0.0), abs=1e-6)


def test_what_is_not_shown_does_not_count_and_nothing_found_tells_nothing() -> None:
    assert match_threshold(unit(0, 50), unit(5, 10), np.array([0, 1]), np.array([0, 0]))[0] > 0.99
    with pytest.raises(ValueError, match="no query succeeds"):
        match_threshold(unit(0), unit(5, 10), np.array([2]), np.array([0, 0]))


def test_a_line_that_is_seldom_right_is_not_said() -> None:
    assert threshold_for_manifest(0.51239, MIN_PRECISION) == 0.5124
    assert threshold_for_manifest(0.51239, MIN_PRECISION - 0.01) is None
