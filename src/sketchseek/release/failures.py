"""A picture of what a model finds worst: sketches, and the first pictures that it found for them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sketchseek.encoder import Encoder
from sketchseek.evaluation.metrics import nearest
from sketchseek.evaluation.protocols import Evaluation

FIRST = 5
"""A query succeeds if its category is among this many results, about the first row of the page."""

FEWEST = 3  # sketches that a word needs, to be called hard


def hardest_words(evaluation: Evaluation, count: int) -> list[tuple[str, float, list[int]]]:
    """The words whose sketches find their thing least often among the first five.

    Returns:
        By word, worst first: the share that is found, and the places in ``queries.read`` of sketches that find nothing.
    """
    by_word: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for place, query in enumerate(evaluation.queries.read.tolist()):
        by_word[evaluation.sketches[query].category].append((float(evaluation.scores.rank[query]), place))
    words = []
    for word, ranked in by_word.items():
        if len(ranked) >= FEWEST:
            missed = [(rank, place) for rank, place in ranked if rank > FIRST]
            words.append((word, 1 - len(missed) / len(ranked), np.mean([rank for rank, _ in ranked]), missed))
    words.sort(key=lambda item: (item[1], -item[2], item[0]))
    return [(word, share, [place for _, place in missed]) for word, share, _, missed in words[:count]]


def picture_failures(encoder: Encoder, evaluation: Evaluation, out: Path, count: int = 8) -> None:
    """Write a PNG with a row for each of the hardest words: its first sketch that fails, and the photos found for it.

    Where no sketch fails, nothing is written.

    Args:
        encoder: The model.
        evaluation: Of a gallery whose pictures may be shown.
        out: The file.
        count: Words.
    """
    words = [(word, share, missed[0]) for word, share, missed in hardest_words(evaluation, count) if missed]
    if not words:
        return
    figure = Figure(figsize=(8.4, 1.42 * len(words) + 0.4), dpi=100)
    axes = figure.subplots(len(words), 1 + FIRST, squeeze=False)
    places = [place for _, _, place in words]
    found = nearest(
        evaluation.queries.embeddings[places], evaluation.gallery.embeddings, FIRST, distance=evaluation.distance
    )
    for row, (word, share, place), first in zip(axes, words, found.tolist(), strict=True):
        sketch = evaluation.sketches[int(evaluation.queries.read[place])]
        row[0].imshow(encoder.read_sketch(sketch.source), cmap="gray", vmin=0, vmax=255)
        row[0].set_title(f"{word}: {share:.0%} found", fontsize=8)
        for axis, photo in zip(row[1:], first, strict=True):
            axis.imshow(encoder.read_photo(evaluation.photos[photo].path))
            name = evaluation.photos[photo].category
            axis.set_title(name if len(name) <= 20 else name[:19] + "…", fontsize=8, color="#545b63")
        for axis in row:
            axis.set_axis_off()
    figure.tight_layout(pad=0.6)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out)
