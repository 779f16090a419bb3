"""How far a figure may be off by the luck of the queries: bootstrap percentile intervals (Efron 1979)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000
LEVEL = 0.95


class Interval(NamedTuple):
    """A lower and an upper end."""

    low: float
    high: float


def bootstrap_interval(
    values: npt.ArrayLike,
    *,
    statistic: Callable[[npt.NDArray[np.float64]], float] | None = None,
    clusters: npt.ArrayLike | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a statistic of the queries' values.

    Args:
        values: (queries,) what each query scored.
        statistic: From the values of a resample to a figure; the mean by default.
        clusters: (queries,) integers: queries of one number, such as the sketches of one photo, are drawn together,
            since they succeed and fail together; by default each stands for itself.
        level: Share of resamples that the interval holds.
        resamples: How many resamples are drawn.
        seed: The same seed gives the same interval.

    Returns:
        The interval; NaN at both ends for no queries.

    Raises:
        ValueError: ``level`` is not between 0 and 1, ``resamples`` is below 1, or shapes differ.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if not 0.0 < level < 1.0 or resamples < 1:
        raise ValueError(f"level {level} must be between 0 and 1 and resamples {resamples} at least 1")
    if numbers.ndim != 1:
        raise ValueError(f"values {numbers.shape} must be one-dimensional")
    if len(numbers) == 0:
        return Interval(float("nan"), float("nan"))
    groups = np.arange(len(numbers)) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    if groups.shape != numbers.shape:
        raise ValueError(f"clusters {groups.shape} must have one entry a value")
    rng = np.random.default_rng(seed)
    metrics = (
        _means(numbers, groups, resamples, rng)
        if statistic is None
        else _statistics(numbers, groups, resamples, rng, statistic)
    )
    low, high = np.quantile(metrics, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def _means(
    values: npt.NDArray[np.float64], groups: npt.NDArray[np.int64], resamples: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Means of resamples from the sums and sizes of the clusters alone."""
    sums = np.bincount(groups, weights=values)
    sizes = np.bincount(groups).astype(np.float64)
    metrics = np.empty(resamples)
    for i in range(resamples):
        drawn = rng.integers(0, len(sums), len(sums))
        metrics[i] = sums[drawn].sum() / sizes[drawn].sum()
    return metrics


def _statistics(
    values: npt.NDArray[np.float64],
    groups: npt.NDArray[np.int64],
    resamples: int,
    rng: np.random.Generator,
    statistic: Callable[[npt.NDArray[np.float64]], float],
) -> npt.NDArray[np.float64]:
    order = np.argsort(groups, kind="stable")
    members = np.split(values[order], np.flatnonzero(np.diff(groups[order])) + 1)
    metrics = np.empty(resamples)
    for i in range(resamples):
        drawn = rng.integers(0, len(members), len(members))
        metrics[i] = statistic(np.concatenate([members[j] for j in drawn]))
    return metrics
