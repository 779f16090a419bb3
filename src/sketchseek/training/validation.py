"""Validation during training: retrieval on the held-out photos and their sketches."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sketchseek.evaluation.metrics import nearest
from sketchseek.evaluation.summary import instance_recall
from sketchseek.models.package import Distance
from sketchseek.progress import Progress
from sketchseek.training.branch_inputs import BranchInputs
from sketchseek.training.data import TrainingSet
from sketchseek.training.nn.model import BranchName, DualEncoder
from sketchseek.training.pixel_rows import PixelSource

Embeddings = npt.NDArray[np.float32]


class ValidationSet:
    """The validation data of an experiment. The output of frozen stages is computed once.

    Args:
        model: The model in training.
        data: The held-out photos and sketches.
        cache: Folder that keeps the output of frozen stages; None for no cache.
        progress: Called with the stage, the number done and the total.
    """

    def __init__(self, model: DualEncoder, data: TrainingSet, cache: Path | None, progress: Progress) -> None:
        self._data = data
        options: dict[str, Any] = {"mirrored": False, "cache": cache, "progress": progress}
        self._sketches = BranchInputs(model.sketch, data.sketch_pixels, **options)
        self._photos = BranchInputs(model.photo, data.photo_pixels, **options)

    def metrics(self, model: DualEncoder, distance: Distance) -> dict[str, float]:
        """Metrics of a model with the same frozen stages; see ``validation_metrics``."""
        with evaluation_mode(model):
            sketches = self._sketches.embed_all(model.sketch)
            photos = self._photos.embed_all(model.photo)
        return validation_metrics(self._data, sketches, photos, distance)


def validate(model: DualEncoder, data: TrainingSet, distance: Distance = "cosine") -> dict[str, float]:
    """Metrics of a model on held-out data; see ``validation_metrics``."""
    with evaluation_mode(model):
        sketches = embed(model, "sketch", data.sketch_pixels)
        photos = embed(model, "photo", data.photo_pixels)
    return validation_metrics(data, sketches, photos, distance)


def validation_metrics(
    data: TrainingSet, sketches: Embeddings, photos: Embeddings, distance: Distance
) -> dict[str, float]:
    """Search each sketch's own photo among all held-out photos.

    Args:
        data: The held-out data.
        sketches: (sketches, d) embeddings, of any length.
        photos: (photos, d).
        distance: Distance between embeddings.

    Returns:
        ``recall@1``, ``recall@5``, ``recall@10``, ``median_rank``, and ``category@1``, the fraction of sketches whose
        first photo is of their category.
    """
    paired = np.flatnonzero(data.sketch_photo >= 0)
    queries, gallery = sketches[paired], photos
    if distance == "cosine":  # evaluation expects unit length, as model packages give it
        queries, gallery = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (queries, gallery))
    metrics = instance_recall(queries, gallery, data.sketch_photo[paired], distance=distance)
    first = nearest(queries, gallery, 1, distance=distance)
    metrics["category@1"] = float(np.mean(data.photo_category[first[:, 0]] == data.sketch_category[paired]))
    return metrics


@contextlib.contextmanager
def evaluation_mode(model: DualEncoder) -> Any:
    """Set evaluation mode inside the block, then restore the mode."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


@torch.no_grad()
def embed(model: DualEncoder, branch: BranchName, pixels: PixelSource, batch: int = 64) -> Embeddings:
    """Embeddings (n, d) float32 of pixels (n, …) uint8, in the model's current mode."""
    encoder = model.branch(branch)
    device = encoder.mean.device
    rows = [
        encoder(torch.from_numpy(np.ascontiguousarray(pixels[i : i + batch])).to(device)).float().cpu().numpy()
        for i in range(0, len(pixels), batch)
    ]
    return np.concatenate(rows)
