from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sketchseek.evaluation.intervals import bootstrap_interval


def test_the_interval_of_a_mean_agrees_with_the_binomial_law() -> None:
    values = np.array([1.0] * 300 + [0.0] * 700)
    low, high = bootstrap_interval(values)
    half = 1.96 * np.sqrt(0.3 * 0.7 / 1000)
    assert (low, high) == pytest.approx((0.3 - half, 0.3 + half), abs=0.003)


@pytest.mark.slow
def test_about_95_of_100_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(200):
        low, high = bootstrap_interval(rng.random(80) < 0.4, resamples=300, seed=seed)
        held += low <= 0.4 <= high
    assert 180 <= held <= 199


def test_clusters_that_agree_widen_the_interval_as_fewer_queries_would() -> None:
    photos = np.random.default_rng(0).random(100) < 0.5
    values, clusters = np.repeat(photos, 6), np.repeat(np.arange(100), 6)
    low, high = bootstrap_interval(values, clusters=clusters)
    few = bootstrap_interval(photos)
    many = bootstrap_interval(values)
    assert high - low == pytest.approx(few.high - few.low, rel=0.1)
    assert high - low > 2 * (many.high - many.low)


def test_clusters_of_one_are_no_clusters() -> None:
    values = np.random.default_rng(0).random(50)
    assert bootstrap_interval(values, clusters=np.arange(50) * 7) == bootstrap_interval(values)


def test_the_general_path_agrees_with_the_fast_one() -> None:
    rng = np.random.default_rng(0)
    values, clusters = rng.random(60), rng.integers(0, 20, 60)
    fast = bootstrap_interval(values, clusters=clusters)
    slow = bootstrap_interval(values, clusters=clusters, statistic=lambda v: float(v.mean()))
    assert slow == pytest.approx(fast)
    low, high = bootstrap_interval(values, statistic=lambda v: float(np.median(v)))
    assert low < np.median(values) < high


def test_the_seed_decides() -> None:
    values = np.random.default_rng(0).random(50)
    assert (
        bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1) != bootstrap_interval(values, seed=2)
    )


def test_no_queries_give_no_interval() -> None:
    assert np.isnan(bootstrap_interval([])).all()


@pytest.mark.parametrize(
    ("values", "options"),
    [([1.0], {"level": 1.0}), ([1.0], {"resamples": 0}), ([[1.0]], {}), ([1.0, 2.0], {"clusters": [1]})],
)
def test_arguments_are_checked(values: list[float], options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        bootstrap_interval(values, **options)
