"""On-the-fly retrieval: how early, while a sketch is drawn, its photo is found.

Bhunia et al. 2020 (Sketch Less for More, arXiv 2002.10310) search after each of several stages of a sketch and plot two
curves over them, whose areas are the metrics: ``m@A``, of the percentile of the own photo's rank, and ``m@B``, of 1 /
rank. Our stages end at equal fractions of the ink.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sketchseek.datasets.records import Sketch
from sketchseek.errors import ConfigError
from sketchseek.evaluation.corruptions import first_strokes
from sketchseek.evaluation.encode_dataset import EncoderPair, encode_sketch_set
from sketchseek.evaluation.metrics import score_queries
from sketchseek.evaluation.protocols import Evaluation
from sketchseek.evaluation.summary import MetricValue, intervals_of, values_of
from sketchseek.progress import Progress

STAGES = 20
"""Number of stages of a sketch; the last one is the whole sketch."""

Floats = npt.NDArray[np.float64]


def add_on_the_fly_metrics(
    evaluation: Evaluation, encoder: EncoderPair, *, stages: int = STAGES, progress: Progress | None = None
) -> Evaluation:
    """Return an instance-level evaluation with ``m@A`` and ``m@B`` in its report, and both curves in its details.

    Args:
        evaluation: An instance-level evaluation.
        encoder: The model that was evaluated.
        stages: Number of stages.
        progress: Called with the progress of encoding.

    Raises:
        ConfigError: A sketch has no strokes.
    """
    if any(sketch.strokes is None for sketch in evaluation.sketches):
        raise ConfigError(
            "Metrics of on-the-fly retrieval need sketches with strokes, and these are images.",
            remedy="Use ChairV2 or ShoeV2 as ndjson files.",
        )
    ranks = np.stack([_ranks(evaluation, encoder, stage / stages, progress) for stage in range(1, stages + 1)], axis=1)
    percentiles, reciprocals = stage_scores(ranks, len(evaluation.photos))
    metrics = [MetricValue("m@A", percentiles.mean(axis=1)), MetricValue("m@B", reciprocals.mean(axis=1))]
    _, clusters = np.unique([sketch.photo or sketch.key for sketch in evaluation.sketches], return_inverse=True)
    report = evaluation.report
    report.metrics.update(values_of(metrics))
    report.intervals.update(intervals_of(metrics, clusters))
    curves = {"m@A": percentiles.mean(axis=0).tolist(), "m@B": reciprocals.mean(axis=0).tolist()}
    return evaluation.with_details(on_the_fly=curves)


def stage_scores(ranks: Floats, gallery: int) -> tuple[Floats, Floats]:
    """Ranks from 1 (queries, stages), infinite for a miss, to percentiles and reciprocals of the same shape.

    The percentile is the fraction of the other photos that rank behind the own one: (gallery − rank) / (gallery − 1).
    A miss has 0 in both.
    """
    behind = np.maximum(gallery - ranks, 0.0)
    percentiles = behind / (gallery - 1) if gallery > 1 else np.isfinite(ranks).astype(np.float64)
    return percentiles, 1.0 / ranks


def _ranks(evaluation: Evaluation, encoder: EncoderPair, fraction: float, progress: Progress | None) -> Floats:
    """Rank of each sketch's photo when a fraction of its ink is drawn."""

    def report(what: str, done: int, total: int) -> None:
        if progress is not None:
            progress(f"{what}, {fraction:.0%} drawn", done, total)

    partial = [_partial(sketch, fraction) for sketch in evaluation.sketches]
    queries = encode_sketch_set(encoder, partial, progress=report)
    if not len(queries.read):
        return np.full(len(evaluation.sketches), np.inf)
    scores = score_queries(
        queries.embeddings,
        evaluation.gallery.embeddings,
        evaluation.labels[queries.read],
        evaluation.photo_labels,
        distance=evaluation.distance,
    )
    return scores.spread(queries.read, len(evaluation.sketches)).rank


def _partial(sketch: Sketch, fraction: float) -> Sketch:
    if sketch.strokes is None or fraction >= 1:
        return sketch
    strokes = first_strokes(sketch.strokes, fraction)
    return replace(sketch, strokes=tuple(tuple(tuple(axis) for axis in stroke) for stroke in strokes))
