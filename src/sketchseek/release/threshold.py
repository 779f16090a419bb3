"""The match threshold of a model: the score below which "no close match" is said."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from sketchseek.datasets.quickdraw import load_quickdraw, quickdraw_split
from sketchseek.encoder import Encoder
from sketchseek.evaluation.encode_dataset import encode_sketch_set
from sketchseek.evaluation.match_threshold import match_threshold, worth_saying
from sketchseek.evaluation.protocols import Evaluation
from sketchseek.models.package import Manifest

WRONG_REFUSALS = (0.05, 0.04, 0.03, 0.02, 0.01)
"""Fractions of sketches that do find their object but may get the warning; tried in this order."""

say = Console(stderr=True).print


def with_match_threshold(encoder: Encoder, galleries: Sequence[Evaluation], data: Path) -> Manifest:
    """The model's manifest with its match threshold, or without one where no threshold is worth having.

    The threshold is the lowest of all galleries', at the largest fraction of wrong refusals at which the warning is
    right often enough. It is set with the training split of Quick, Draw!; no reported metric depends on it.

    Args:
        encoder: The model.
        galleries: Evaluations by words, whose photos are searched.
        data: Folder that holds ``quickdraw``.
    """
    questions = []
    for gallery in galleries:
        words: dict[str, str] = dict(gallery.report.details["words"])
        drawn = load_quickdraw(data / "quickdraw", words=words)
        training = set(quickdraw_split(drawn).train_sketch_keys)
        sketches = [sketch for sketch in drawn.sketches if sketch.key in training]
        queries = encode_sketch_set(encoder, sketches)
        number = {name: i for i, name in enumerate(sorted({photo.category for photo in gallery.photos}))}
        asked = np.array([number[words[sketches[i].category]] for i in queries.read])
        shown = np.array([number[photo.category] for photo in gallery.photos])
        questions.append((queries.vectors, gallery.shelved.vectors, asked, shown, gallery.distance))
    said = None
    for share in WRONG_REFUSALS:
        lowest = min(match_threshold(*arguments, wrongly=share) for arguments in questions)
        say(f"{encoder.manifest.name}: wrong refusals {share:.0%}: fit, and how often it is right, {lowest}")
        said = worth_saying(*lowest)
        if said is not None:
            break
    scores = {name: value for name, value in encoder.manifest.scores.items() if name != "fit"}
    if said is not None:
        scores["fit"] = said
    return dataclasses.replace(encoder.manifest, scores=scores)
