from __future__ import annotations

import numpy as np
import pytest

from sketchseek.evaluation.fit import fit_threshold


def unit(*degrees: float) -> np.ndarray:
    turns = np.radians(degrees)
    return np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32)


def test_a_clear_gap_has_the_threshold_at_its_upper_end() -> None:
    drawings, photos = unit(0, 90), unit(10, 95, 50)  # own photos 10 and 5 degrees off, others at least 40
    threshold, right = fit_threshold(drawings, photos, np.array([0, 1]), np.array([0, 1, 2]))
    assert threshold == pytest.approx(np.cos(np.radians(10)), abs=1e-6)
    assert right == 1.0


def test_it_is_the_best_of_all_thresholds() -> None:
    random = np.random.default_rng(0)
    photos = random.standard_normal((40, 8)).astype(np.float32)
    drawings = photos[:30] + 1.5 * random.standard_normal((30, 8)).astype(np.float32)
    photos, drawings = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (photos, drawings))
    shown = np.arange(40) % 5
    drawn = shown[:30]
    threshold, right = fit_threshold(drawings, photos, drawn, shown)

    def share(level: float) -> float:
        good = 0.0
        for drawing, kind in zip(drawings, drawn, strict=True):
            good += max(float(drawing @ p) for p in photos) >= level - 1e-6
            good += max(float(drawing @ p) for p, k in zip(photos, shown, strict=True) if k != kind) < level - 1e-6
        return good / (2 * len(drawings))

    assert right == pytest.approx(share(threshold), abs=0.02)
    assert right >= max(share(level) for level in np.linspace(-1, 1, 201)) - 0.02
    assert right > 0.5


def test_distances_are_scores_with_their_sign_turned() -> None:
    drawings, photos = np.array([[0.0], [10.0]]), np.array([[1.0], [12.0], [5.0]])
    threshold, right = fit_threshold(drawings, photos, np.array([0, 1]), np.array([0, 1, 2]), "euclidean")
    assert right == 1.0
    assert threshold < 0


def test_one_category_alone_tells_nothing() -> None:
    with pytest.raises(ValueError, match="of another"):
        fit_threshold(unit(0), unit(5, 10), np.array([0]), np.array([0, 0]))
