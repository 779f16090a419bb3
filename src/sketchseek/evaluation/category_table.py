"""Tables of an evaluation: the metrics of each category, and the rank of every query."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sketchseek.errors import InputError
from sketchseek.evaluation.metrics import QueryScores
from sketchseek.evaluation.protocols import Evaluation
from sketchseek.evaluation.summary import MetricValue, category_metrics, instance_metrics
from sketchseek.evaluation.tables import Table

ALL = "all queries"
MEAN = "mean of categories"


def category_table(evaluation: Evaluation) -> Table:
    """The metrics of each category, in percent; then their mean over categories, and over all queries.

    Categories are in alphabetical order. The metrics are those of the protocol: ``recall@k`` with the median rank, or
    with mAP and ``P@k``.
    """
    scores = evaluation.scores
    metrics = category_metrics(scores) if scores.precision else instance_metrics(scores, len(evaluation.photos))
    return _by_category(metrics, [sketch.category for sketch in evaluation.sketches])


def stored_category_table(rankings: Path) -> Table:
    """The same table from the ranks in a file that ``ranking_table`` wrote as CSV: recall@k, median rank and mAP.

    Raises:
        InputError: The file is missing, is not such a table, or has no queries.
    """
    try:
        with rankings.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        ranks = np.array([float(row["rank"] or "inf") for row in rows])
        precision = np.array([float(row["average_precision"]) for row in rows])
        categories = [row["category"] for row in rows]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise InputError(
            f"not a table of ranks ({error}).",
            subject=rankings,
            remedy="Write one: sketchseek evaluate ... --rankings ranks.csv",
        ) from error
    if not rows:
        raise InputError("has no queries.", subject=rankings)
    scores = QueryScores(ranks, precision, {}, {}, {})
    # A sketch whose photo is missing ranks behind all others here: the size of the gallery is not stored.
    metrics = [*instance_metrics(scores, sys.maxsize), MetricValue("mAP", precision)]
    return _by_category(metrics, categories)


def _by_category(metrics: Sequence[MetricValue], category_of: Sequence[str]) -> Table:
    categories = np.array(category_of)
    names = sorted(set(categories.tolist()))
    by_category = [_values(metrics, categories == name) for name in names]
    counts = [int((categories == name).sum()) for name in names]
    rows = [
        _row(name or "–", count, metrics, values)
        for name, count, values in zip(names, counts, by_category, strict=True)
    ]
    mean = np.mean(by_category, axis=0).tolist()
    everything = _values(metrics, np.ones(len(categories), dtype=bool))
    rows += [_row(MEAN, sum(counts), metrics, mean), _row(ALL, sum(counts), metrics, everything)]
    return Table(("category", "queries", *(metric.name for metric in metrics)), tuple(rows), footer=2)


def ranking_table(evaluation: Evaluation) -> Table:
    """The rank of the first relevant photo of each query, empty if the gallery has none, and its average precision."""
    rows = tuple(
        (
            sketch.key,
            sketch.category,
            sketch.photo or "",
            str(int(rank)) if np.isfinite(rank) else "",
            repr(float(precision)),
        )
        for sketch, rank, precision in zip(
            evaluation.sketches, evaluation.scores.rank, evaluation.scores.average_precision, strict=True
        )
    )
    return Table(("sketch", "category", "photo", "rank", "average_precision"), rows)


def _values(metrics: Sequence[MetricValue], chosen: np.ndarray) -> list[float]:
    return [replace(metric, values=metric.values[chosen]).value for metric in metrics]


def _row(name: str, count: int, metrics: Sequence[MetricValue], values: Sequence[float]) -> tuple[str, ...]:
    cells = [
        f"{value:.1f}" if "rank" in metric.name else f"{100 * value:.1f}"
        for metric, value in zip(metrics, values, strict=True)
    ]
    return (name, str(count), *cells)
