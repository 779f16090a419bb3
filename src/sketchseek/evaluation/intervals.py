"""Bootstrap percentile intervals (Efron 1979): the uncertainty of a metric due to the sample of queries."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000
LEVEL = 0.95


class Interval(NamedTuple):
    """Lower and upper end of an interval."""

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
    """Bootstrap percentile interval of a statistic of the values of queries.

    Args:
        values: (queries,) value of each query.
        statistic: Maps the values of a resample to a number; the mean by default.
        clusters: (queries,) integers. Queries of one cluster, such as the sketches of one photo, are correlated and
            resampled together; by default each query is its own cluster.
        level: Fraction of resamples within the interval.
        resamples: Number of resamples.
        seed: Seed of the resampling.

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
        raise ValueError(f"clusters {groups.shape} must have one entry for each value")
    rng = np.random.default_rng(seed)
    statistics = (
        _means(numbers, groups, resamples, rng)
        if statistic is None
        else _statistics(numbers, groups, resamples, rng, statistic)
    )
    low, high = np.quantile(statistics, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def _means(
    values: npt.NDArray[np.float64], groups: npt.NDArray[np.int64], resamples: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Means of resamples, computed from the sums and sizes of the clusters."""
    sums = np.bincount(groups, weights=values)
    sizes = np.bincount(groups).astype(np.float64)
    results = np.empty(resamples)
    for i in range(resamples):
        drawn = rng.integers(0, len(sums), len(sums))
        results[i] = sums[drawn].sum() / sizes[drawn].sum()
    return results


def _statistics(
    values: npt.NDArray[np.float64],
    groups: npt.NDArray[np.int64],
    resamples: int,
    rng: np.random.Generator,
    statistic: Callable[[npt.NDArray[np.float64]], float],
) -> npt.NDArray[np.float64]:
    order = np.argsort(groups, kind="stable")
    members = np.split(values[order], np.flatnonzero(np.diff(groups[order])) + 1)
    results = np.empty(resamples)
    for i in range(resamples):
        drawn = rng.integers(0, len(members), len(members))
        results[i] = statistic(np.concatenate([members[j] for j in drawn]))
    return results
