"""Whether a model knows left from right: a drawing that faces left should prefer the photo that faces left.

Models trained by triplets tend to take a photo and its mirror image for the same (Seddati et al. 2022, arXiv
2209.06629), which harms exact-photo retrieval.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sketchseek.artefact import Metric
from sketchseek.evaluation.compared import PREFERENCE
from sketchseek.evaluation.embedding import EncoderPair, Pixels, Progress, embed_photo_set
from sketchseek.evaluation.figures import RECALLS, Figure, intervals_of, values_of
from sketchseek.evaluation.metrics import TIE, Vectors, score_queries
from sketchseek.evaluation.protocols import Evaluation
from sketchseek.images import PictureSource

_NOBODY = -2  # the label of mirror images: no drawing looks for them


def add_mirror_figures(evaluation: Evaluation, encoder: EncoderPair, *, progress: Progress | None = None) -> None:
    """Add to an exact-photo evaluation's report how the model stands mirror images.

    - ``own_over_mirror``: share of drawings that are nearer to their photo than to its mirror image; equally near ones
      count half, so that a model that cannot tell them apart has 50 %.
    - ``mirrored_recall@1``, ``@5``, ``@10``: recall with every photo's mirror image in the gallery, too, which is
      never right.

    Args:
        evaluation: Of exact-photo retrieval; its report is changed.
        encoder: The model that was evaluated.
        progress: Told how far it is.
    """
    images = embed_photo_set(_Mirrored(encoder), evaluation.photos, progress=progress)
    gallery = np.concatenate([evaluation.shelved.vectors, images.vectors])
    gallery_labels = np.concatenate([evaluation.photo_labels, np.full(len(images.vectors), _NOBODY)])
    read, drawn = evaluation.drawn.read, evaluation.drawn.vectors
    scores = score_queries(drawn, gallery, evaluation.labels[read], gallery_labels, metric=evaluation.metric)
    rank = scores.spread(read, len(evaluation.drawings)).rank
    figures = [Figure(f"mirrored_recall@{k}", (rank <= k).astype(np.float64)) for k in RECALLS]
    place = {int(label): i for i, label in enumerate(evaluation.photo_labels)}
    image = {int(photo): i for i, photo in enumerate(images.read)}
    pairs = [
        (query, place[label], image[place[label]])
        for query, label in enumerate(evaluation.labels[read].tolist())
        if label in place and place[label] in image
    ]
    _, clusters = np.unique([drawing.photo or drawing.key for drawing in evaluation.drawings], return_inverse=True)
    report = evaluation.report
    if pairs:
        queries, own, mirrored = (np.array(column) for column in zip(*pairs, strict=True))
        values = preference(
            drawn[queries], evaluation.shelved.vectors[own], images.vectors[mirrored], evaluation.metric
        )
        preferred = [Figure(PREFERENCE, values)]
        report.figures.update(values_of(preferred))
        report.intervals.update(intervals_of(preferred, clusters[read[queries]]))
    report.figures.update(values_of(figures))
    report.intervals.update(intervals_of(figures, clusters))


def preference(drawings: Vectors, own: Vectors, mirrored: Vectors, metric: Metric) -> npt.NDArray[np.float64]:
    """For each drawing (n, d): 1 if it is nearer to its photo than to the mirror image, ½ if equally near, else 0."""
    queries, photos, images = (np.asarray(rows, dtype=np.float64) for rows in (drawings, own, mirrored))
    if metric == "cosine":
        gap = (queries * (photos - images)).sum(axis=1)
        scale = np.linalg.norm(queries, axis=1) * np.linalg.norm(photos, axis=1)
    else:
        to_image, to_photo = (((queries - rows) ** 2).sum(axis=1) for rows in (images, photos))
        gap, scale = to_image - to_photo, to_image + to_photo
    return np.where(np.abs(gap) <= TIE * scale, 0.5, (gap > 0).astype(np.float64))


class _Mirrored:
    """An encoder that sees photos mirrored."""

    def __init__(self, encoder: EncoderPair) -> None:
        self.embed_photos = encoder.embed_photos
        self.embed_sketches = encoder.embed_sketches
        self.read_drawing = encoder.read_drawing
        self._encoder = encoder

    def read_photo(self, source: PictureSource) -> Pixels:
        return np.ascontiguousarray(self._encoder.read_photo(source)[:, ::-1])
