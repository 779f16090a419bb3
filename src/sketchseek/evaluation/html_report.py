"""The HTML report of an evaluation: metrics, and example queries with their results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchseek.evaluation.html import data_uri, write_report
from sketchseek.evaluation.metrics import nearest
from sketchseek.evaluation.protocols import Evaluation
from sketchseek.images import read_photo
from sketchseek.sketches import rasterize_sketch

RESULTS = 8
QUERIES = 40
_SIDE = 112


def write_page(path: Path, evaluation: Evaluation, *, queries: int = QUERIES, seed: int = 0) -> None:
    """Write a page with the metrics and a random sample of queries, each with its first eight photos.

    Args:
        path: The HTML file; its folder is created.
        evaluation: The evaluation to show.
        queries: Maximum number of queries.
        seed: Seed of the sample.
    """
    read = evaluation.queries.read
    sample = np.sort(np.random.default_rng(seed).choice(len(read), size=min(queries, len(read)), replace=False))
    top = (
        nearest(
            evaluation.queries.embeddings[sample], evaluation.gallery.embeddings, RESULTS, distance=evaluation.distance
        )
        if len(sample)
        else np.zeros((0, 0), dtype=np.int64)
    )
    report = evaluation.report
    write_report(
        path,
        "evaluation.html",
        title=f"{report.protocol} – {report.model}",
        report=report,
        rows=[_row(evaluation, int(read[i]), line) for i, line in zip(sample, top, strict=True)],
        shown=top.shape[1],
    )


def _row(evaluation: Evaluation, query: int, results: npt.NDArray[np.int64]) -> dict[str, Any]:
    sketch = evaluation.sketches[query]
    rank = evaluation.scores.rank[query]
    photos = [(evaluation.photos[i], evaluation.photo_labels[i]) for i in results]
    return {
        "key": sketch.key,
        "label": sketch.category or sketch.key,
        "image": data_uri(rasterize_sketch(sketch.source, 2 * _SIDE), "PNG"),
        "rank": f"rank {int(rank):,}" if np.isfinite(rank) else "not in the gallery",
        "photos": [
            {
                "key": photo.key,
                "label": photo.category or photo.key,
                "image": data_uri(read_photo(photo.path, _SIDE), "JPEG"),
                "correct": label == evaluation.labels[query],
            }
            for photo, label in photos
        ],
    }
