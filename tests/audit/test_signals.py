"""Signals against slow definitions, and on which side of its peers a sketch stands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sketchseek.audit.checks import Limits, quantile_thresholds
from sketchseek.audit.ranking import rank
from sketchseek.audit.signals import Signals, agreement, measure_signals, median_of_others
from sketchseek.datasets.records import Sketch


@pytest.mark.parametrize("count", [2, 3, 4, 9])
def test_the_median_of_the_others_is_that_of_the_definition(count: int) -> None:
    values = np.random.default_rng(count).integers(0, 4, count).astype(float)  # with ties
    slow = [np.median(np.delete(values, i)) for i in range(count)]
    np.testing.assert_allclose(median_of_others(values), slow)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_agreement_is_that_of_the_definition(distance: Any) -> None:
    rows = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    for i, found in enumerate(agreement(rows, distance)):
        if distance == "cosine":
            unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
            other = np.delete(unit, i, axis=0).mean(axis=0)
            assert found == pytest.approx(unit[i] @ other / np.linalg.norm(other), abs=1e-5)
        else:
            other = np.delete(rows, i, axis=0).mean(axis=0)
            assert found == pytest.approx(-((rows[i] - other) ** 2).sum(), abs=1e-5)


def measured(sketches: list[Sketch], vectors: list[list[float]]) -> Signals:
    """Signals in a gallery of two cats and a dog, each along its own axis."""
    photos = np.eye(3, dtype=np.float32)
    rows = np.array(vectors, dtype=np.float32)
    own = np.array([-1 if sketch.photo is None else int(sketch.photo[-1]) for sketch in sketches])
    category = np.array([{"cat": 0, "dog": 1, "eel": 2}[sketch.category] for sketch in sketches])
    ranking = rank(rows, photos, own, category, np.array([0, 0, 1]))
    return measure_signals(sketches, rows, ranking, "cosine")


def test_a_sketch_unlike_its_peers_lags_disagrees_and_is_beaten() -> None:
    sketches = [Sketch("cat", f"cat/{n}", "0") for n in range(4)]
    found = measured(sketches, [[1, 0.1, 0], [1, 0, 0.1], [1, 0.1, 0.1], [0, 0.1, 1]])
    assert found.lag.argmax() == found.disagreement.argmax() == 3
    assert found.lag[3] > 1.0
    assert (np.abs(found.lag[:3]) < 0.3).all()
    assert found.beaten.tolist() == [False, False, False, True]
    assert {kind: int(np.nanargmax(scores)) for kind, scores in found.suspicion().items()} == dict.fromkeys(
        ("mislabeled", "mispaired", "ambiguous", "outlier"), 3
    )


def test_sketches_with_too_few_peers_are_compared_with_all_sketches_and_never_disagree() -> None:
    sketches = [Sketch("cat", "cat/0", "0"), Sketch("cat", "cat/1", "1"), Sketch("dog", "dog/2", "2")]
    found = measured(sketches, [[1, 0, 0], [0, 1, 0], [0.9, 0, 0.5]])
    assert found.disagreement.tolist() == [0, 0, 0]
    assert found.lag[:2] == pytest.approx(0, abs=1e-6)
    assert found.lag[2] > 0.5
    limits = Limits()
    assert quantile_thresholds(found.suspicion(), limits)["outlier"].value == 0  # which none of them exceeds


def test_sketches_without_a_photo_go_by_their_category_and_are_never_mispaired() -> None:
    sketches = [Sketch("cat", f"cat/{n}") for n in range(3)] + [Sketch("eel", "eel/0")]
    found = measured(sketches, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]])
    assert found.assessed.tolist() == [True, True, True, False]  # there is no photo of an eel
    assert found.beaten.tolist() == [False, False, True, False]
    suspicion = found.suspicion()
    assert np.isnan(suspicion["mispaired"]).all()
    assert np.nanargmax(suspicion["mislabeled"]) == 2
    assert all(np.isnan(scores[3]) for scores in suspicion.values())


def test_the_embeddings_scale_changes_no_rank_sum() -> None:
    random = np.random.default_rng(1)
    own, lag, apart, category = random.normal(size=(4, 50))
    everyone = np.ones(50, dtype=bool)
    plain = Signals(own, lag, apart, category, everyone, everyone).suspicion()
    scaled = Signals(own, lag, 7 * apart, category, everyone, everyone).suspicion()
    for kind in ("mispaired", "ambiguous"):
        np.testing.assert_allclose(plain[kind], scaled[kind])
