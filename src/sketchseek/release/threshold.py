"""The match threshold of a model: the score below which the page shows "no close match"."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from sketchseek.datasets.quickdraw import load_quickdraw, quickdraw_split
from sketchseek.encoder import Encoder
from sketchseek.evaluation.encode_dataset import encode_sketch_set
from sketchseek.evaluation.match_threshold import match_threshold, threshold_for_manifest
from sketchseek.evaluation.protocols import Evaluation
from sketchseek.models.package import Manifest

WRONG_REFUSALS = (0.05, 0.04, 0.03, 0.02, 0.01)
"""Fractions of successful queries that may get the warning; tried in this order."""

say = Console(stderr=True).print


def with_match_threshold(encoder: Encoder, galleries: Sequence[Evaluation], data: Path) -> Manifest:
    """The model's manifest with its match threshold, or without one if no threshold is precise enough.

    The threshold is the lowest of all galleries, at the largest fraction of wrong refusals for which the warning is
    precise enough. It is set with the training split of Quick, Draw!; no reported metric depends on it.

    Args:
        encoder: The model.
        galleries: Evaluations by words, whose photos are searched.
        data: Folder that holds ``quickdraw``.
    """
    questions = []
    for evaluation in galleries:
        words: dict[str, str] = dict(evaluation.report.details["words"])
        quickdraw = load_quickdraw(data / "quickdraw", words=words)
        training = set(quickdraw_split(quickdraw).train_sketch_keys)
        sketches = [sketch for sketch in quickdraw.sketches if sketch.key in training]
        queries = encode_sketch_set(encoder, sketches)
        number = {name: i for i, name in enumerate(sorted({photo.category for photo in evaluation.photos}))}
        asked = np.array([number[words[sketches[i].category]] for i in queries.read])
        shown = np.array([number[photo.category] for photo in evaluation.photos])
        questions.append((queries.embeddings, evaluation.gallery.embeddings, asked, shown, evaluation.distance))
    threshold = None
    for fraction in WRONG_REFUSALS:
        lowest = min(match_threshold(*arguments, wrong_refusals=fraction) for arguments in questions)
        say(
            f"{encoder.manifest.name}: at most {fraction:.0%} wrong refusals: "
            f"match threshold {lowest[0]:.4f}, precision {lowest[1]:.0%}"
        )
        threshold = threshold_for_manifest(*lowest)
        if threshold is not None:
            break
    scores = {name: value for name, value in encoder.manifest.scores.items() if name != "match_threshold"}
    if threshold is not None:
        scores["match_threshold"] = threshold
    return dataclasses.replace(encoder.manifest, scores=scores)
