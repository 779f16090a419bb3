"""Confusion of photos with their mirror images: a sketch that faces left should prefer the photo that faces left.

Models trained with a triplet loss tend to embed a photo and its mirror image alike (Seddati et al. 2022, arXiv
2209.06629), which harms instance-level retrieval.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sketchseek.evaluation.encode_dataset import EncoderPair, Pixels, encode_photo_set
from sketchseek.evaluation.metrics import TIE, Embeddings, score_queries
from sketchseek.evaluation.protocols import Evaluation
from sketchseek.evaluation.summary import RECALLS, MetricValue, intervals_of, values_of
from sketchseek.images import ImageSource
from sketchseek.models.package import Distance
from sketchseek.progress import Progress

OWN_OVER_MIRROR = "own_over_mirror"
_NO_SKETCH = -2  # label of mirror images, which no sketch has


def add_mirror_metrics(evaluation: Evaluation, encoder: EncoderPair, *, progress: Progress | None = None) -> None:
    """Add metrics of the confusion with mirror images to the report of an instance-level evaluation.

    - ``own_over_mirror``: fraction of sketches that are nearer to their photo than to its mirror image. Ties count
      half: a model that cannot distinguish them has 50 %.
    - ``mirrored_recall@1``, ``@5``, ``@10``: recall with the mirror image of every photo in the gallery as a
      distractor.

    Args:
        evaluation: An instance-level evaluation; its report is changed.
        encoder: The model that was evaluated.
        progress: Called with the progress of encoding.
    """
    images = encode_photo_set(_Mirrored(encoder), evaluation.photos, progress=progress)
    gallery = np.concatenate([evaluation.gallery.embeddings, images.embeddings])
    gallery_labels = np.concatenate([evaluation.photo_labels, np.full(len(images.embeddings), _NO_SKETCH)])
    read, drawn = evaluation.queries.read, evaluation.queries.embeddings
    scores = score_queries(drawn, gallery, evaluation.labels[read], gallery_labels, distance=evaluation.distance)
    rank = scores.spread(read, len(evaluation.sketches)).rank
    metrics = [MetricValue(f"mirrored_recall@{k}", (rank <= k).astype(np.float64)) for k in RECALLS]
    place = {int(label): i for i, label in enumerate(evaluation.photo_labels)}
    image = {int(photo): i for i, photo in enumerate(images.read)}
    pairs = [
        (query, place[label], image[place[label]])
        for query, label in enumerate(evaluation.labels[read].tolist())
        if label in place and place[label] in image
    ]
    _, clusters = np.unique([sketch.photo or sketch.key for sketch in evaluation.sketches], return_inverse=True)
    report = evaluation.report
    if pairs:
        queries, own, mirrored = (np.array(column) for column in zip(*pairs, strict=True))
        values = preference(
            drawn[queries], evaluation.gallery.embeddings[own], images.embeddings[mirrored], evaluation.distance
        )
        preferred = [MetricValue(OWN_OVER_MIRROR, values)]
        report.metrics.update(values_of(preferred))
        report.intervals.update(intervals_of(preferred, clusters[read[queries]]))
    report.metrics.update(values_of(metrics))
    report.intervals.update(intervals_of(metrics, clusters))


def preference(
    sketches: Embeddings, own: Embeddings, mirrored: Embeddings, distance: Distance
) -> npt.NDArray[np.float64]:
    """For each sketch (n, d): 1 if it is nearer to its photo than to the mirror image, ½ if equally near, else 0."""
    queries, photos, images = (np.asarray(rows, dtype=np.float64) for rows in (sketches, own, mirrored))
    if distance == "cosine":
        gap = (queries * (photos - images)).sum(axis=1)
        scale = np.linalg.norm(queries, axis=1) * np.linalg.norm(photos, axis=1)
    else:
        to_image, to_photo = (((queries - rows) ** 2).sum(axis=1) for rows in (images, photos))
        gap, scale = to_image - to_photo, to_image + to_photo
    return np.where(np.abs(gap) <= TIE * scale, 0.5, (gap > 0).astype(np.float64))


class _Mirrored:
    """An encoder that mirrors photos."""

    def __init__(self, encoder: EncoderPair) -> None:
        self.encode_photo_pixels = encoder.encode_photo_pixels
        self.encode_sketch_pixels = encoder.encode_sketch_pixels
        self.read_sketch = encoder.read_sketch
        self._encoder = encoder

    def read_photo(self, source: ImageSource) -> Pixels:
        return np.ascontiguousarray(self._encoder.read_photo(source)[:, ::-1])
