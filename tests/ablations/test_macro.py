from __future__ import annotations

import math

import numpy as np
import pytest

from sketchseek.ablations.macro import PhotoResamples, macro_mean, metric_values


def small(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, photos and categories of queries: three categories of 2, 5 and 9 photos with 1 to 4 sketches each."""
    random = np.random.default_rng(seed)
    category_of = np.repeat([0, 1, 2], [2, 5, 9])
    photos = np.repeat(np.arange(16), random.integers(1, 5, 16))
    return random.random(len(photos)), photos, category_of[photos]


def slow_macro(values: list[float], categories: list[int]) -> float:
    means = []
    for category in sorted(set(categories)):
        own = [value for value, other in zip(values, categories, strict=True) if other == category]
        means.append(sum(own) / len(own))
    return sum(means) / len(means)


def test_a_macro_average_counts_each_category_the_same() -> None:
    values, _, categories = small()
    assert macro_mean(values, categories) == pytest.approx(slow_macro(values.tolist(), categories.tolist()))
    assert macro_mean(np.array([1.0, 0.0, 0.0, 0.0]), np.array([7, 3, 3, 3])) == 0.5


def test_metrics_of_queries_follow_from_ranks() -> None:
    assert metric_values([1, 5, 6], 10, "recall@5").tolist() == [1, 1, 0]
    np.testing.assert_allclose(metric_values(["1", "2", "11"], 10, "log-rank"), [1, 1 - math.log(2) / math.log(11), 0])


def test_resamples_are_macro_averages_of_drawn_photos() -> None:
    values, photos, categories = small()
    resamples = PhotoResamples(photos, categories, 40, seed=3)
    draws = np.random.default_rng(3).integers(0, 16, (40, 16))
    for drawn, mean in zip(draws.tolist(), resamples.macro_means(values), strict=True):
        chosen = [i for place in drawn for i, photo in enumerate(photos) if photo == place]
        assert mean == pytest.approx(slow_macro(values[chosen].tolist(), categories[chosen].tolist()))


def test_the_spread_of_resamples_is_that_of_new_samples() -> None:
    """Of 12 categories of 5 photos with 4 sketches, whose values share their photo's part."""
    random = np.random.default_rng(0)
    photos = np.repeat(np.arange(60), 4)
    categories = photos // 5

    def sample() -> np.ndarray:
        return random.normal(size=60)[photos] + 0.5 * random.normal(size=240)

    true = np.std([macro_mean(sample(), categories) for _ in range(3000)])
    found = np.mean([PhotoResamples(photos, categories, 300).macro_means(sample()).std() for _ in range(60)])
    assert found == pytest.approx(true, rel=0.08)
