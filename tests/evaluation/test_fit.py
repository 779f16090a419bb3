from __future__ import annotations

import numpy as np
import pytest

from sketchseek.evaluation.fit import fit_threshold


def unit(*degrees: float) -> np.ndarray:
    turns = np.radians(degrees)
    return np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32)


def test_where_things_are_apart_everything_else_is_rejected() -> None:
    drawings, photos = unit(0, 90), unit(10, 95, 50)  # own photos 10 and 5 degrees off, others at least 40
    threshold, rejects = fit_threshold(drawings, photos, np.array([0, 1]), np.array([0, 1, 2]), wrongly=0)
    assert threshold == pytest.approx(np.cos(np.radians(10)), abs=1e-6)
    assert rejects == 1.0


@pytest.mark.parametrize("wrongly", [0.05, 0.2])
def test_few_stay_below_wrongly_and_more_rightly(wrongly: float) -> None:
    random = np.random.default_rng(0)
    photos = random.standard_normal((400, 8)).astype(np.float32)
    drawings = photos[:300] + 0.4 * random.standard_normal((300, 8)).astype(np.float32)
    photos, drawings = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (photos, drawings))
    shown = np.arange(400) % 50
    threshold, rejects = fit_threshold(drawings, photos, shown[:300], shown, wrongly=wrongly)
    best, other = [], []
    for drawing, kind in zip(drawings, shown, strict=False):
        best.append(max(float(drawing @ p) for p in photos))
        other.append(max(float(drawing @ p) for p, k in zip(photos, shown, strict=True) if k != kind))
    assert np.mean(np.array(best) < threshold) == pytest.approx(wrongly, abs=0.01)
    assert rejects == pytest.approx(np.mean(np.array(other) < threshold), abs=0.01)
    assert rejects > wrongly


def test_distances_are_scores_with_their_sign_turned() -> None:
    drawings, photos = np.array([[0.0], [10.0]]), np.array([[1.0], [12.0], [5.0]])
    args = drawings, photos, np.array([0, 1]), np.array([0, 1, 2])
    assert fit_threshold(*args, "euclidean", wrongly=0) == pytest.approx((-2.0, 1.0), abs=1e-6)


def test_one_category_alone_tells_nothing() -> None:
    with pytest.raises(ValueError, match="of another"):
        fit_threshold(unit(0), unit(5, 10), np.array([0]), np.array([0, 0]))
