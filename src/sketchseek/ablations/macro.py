"""Metrics of queries from their ranks, and macro-averages, in which every category counts the same."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

LOG_RANK = "log-rank"
"""1 − log(rank) / log(gallery), the mean over queries: 1 if every rank is 1, 0 if the own photo always comes last. Each
query counts, whereas recall@1 of a weak model depends on the few that come first."""


def metric_values(ranks: npt.ArrayLike, gallery: int, metric: str) -> Floats:
    """A metric of each query, from its rank. The rank of a photo that was not found is one more than there are."""
    places = np.asarray(ranks, dtype=np.float64)
    if metric == LOG_RANK:
        values: Floats = 1 - np.log(places) / float(np.log(gallery + 1))
        return values
    return (places <= int(metric.removeprefix("recall@"))).astype(np.float64)


def macro_mean(values: Floats, categories: Indices) -> float:
    """The mean over categories of the mean over each category's queries."""
    _, places = np.unique(categories, return_inverse=True)
    return float((np.bincount(places, values) / np.bincount(places)).mean())


class PhotoResamples:
    """Cluster bootstrap (Efron 1979): photos are drawn with replacement, each with all its sketches.

    A resample's macro-average is over the categories that have a photo in it.

    Args:
        photos: (queries,) each query's photo, from 0; a photo without queries is not allowed.
        categories: (queries,) each query's category, from 0; the same for all queries of a photo.
        resamples: Number of resamples.
        seed: Seed of the resampling.
    """

    def __init__(self, photos: Indices, categories: Indices, resamples: int, seed: int = 0) -> None:
        self._photos = photos
        self._count = int(photos.max()) + 1
        category = np.zeros(self._count, dtype=np.int64)
        category[photos] = categories
        self._order = np.argsort(category, kind="stable")
        self._starts = np.unique(category[self._order], return_index=True)[1]  # of each category's photos
        draws = np.random.default_rng(seed).integers(0, self._count, (resamples, self._count))
        draws += self._count * np.arange(resamples)[:, None]
        drawn = np.bincount(draws.ravel(), minlength=resamples * self._count).reshape(resamples, self._count)
        self._drawn = drawn[:, self._order].astype(np.float64)
        self._sizes = self._sums(np.ones(len(photos)))

    def macro_means(self, values: Floats) -> Floats:
        """(resamples,) macro-averages of the values of the queries."""
        present = self._sizes > 0
        means = np.where(present, self._sums(values) / np.maximum(self._sizes, 1), 0.0)
        averages: Floats = means.sum(axis=1) / present.sum(axis=1)
        return averages

    def _sums(self, values: Floats) -> Floats:
        """(resamples, categories) sums over the drawn photos' queries."""
        of_photo = np.bincount(self._photos, values, self._count)[self._order]
        sums: Floats = np.add.reduceat(self._drawn * of_photo, self._starts, axis=1)
        return sums
