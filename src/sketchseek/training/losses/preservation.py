"""Distillation losses on relations: neighborhoods of photos, class predictions, sketch-photo similarities.

Each is the mean over rows of KL(teacher ‖ student) between softmax distributions. A teacher's embeddings may have any
number of dimensions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def neighborhood_distillation(
    photos: Tensor, teacher: Tensor, temperature: float, teacher_temperature: float | None = None
) -> Tensor:
    """KL divergence of the neighborhoods in a batch from those of a teacher's embeddings of the same photos.

    Row *i* is the softmax, over all *j* ≠ *i*, of cos(*i*, *j*) / temperature.

    Args:
        photos: (n, d) the student's embeddings; n must be at least 2.
        teacher: (n, e) the teacher's embeddings.
        temperature: Temperature of the student's similarities.
        teacher_temperature: Temperature of the teacher's similarities; None for the student's. Spaces with different
            spread need different temperatures.
    """
    ours = _off_diagonal(_cosines(photos, photos) / temperature)
    theirs = _off_diagonal(_cosines(teacher, teacher) / (teacher_temperature or temperature))
    return _divergence(ours, theirs)


def logits_distillation(logits: Tensor, teacher: Tensor, temperature: float = 2.0) -> Tensor:
    """KL divergence of softened class predictions (Hinton et al. 2015, arXiv 1503.02531), times temperature².

    Args:
        logits: (n, classes) the student's logits.
        teacher: (n, classes) the teacher's logits.
        temperature: Divides both. The factor temperature² makes gradients comparable between temperatures.
    """
    return _divergence(logits / temperature, teacher / temperature) * temperature**2


def own_space_similarity_distillation(
    sketches: Tensor,
    photos: Tensor,
    teacher_sketches: Tensor,
    teacher_photos: Tensor,
    temperature: float,
    teacher_temperature: float | None = None,
) -> Tensor:
    """KL divergence of sketch-photo similarities, with student and teacher each in its own space.

    Row *i* is the softmax, over all photos *j*, of cos(sketch *i*, photo *j*) / temperature.

    Args:
        sketches: (s, d) the student's embeddings.
        photos: (p, d) the student's embeddings.
        teacher_sketches: (s, e) the teacher's embeddings of the same sketches.
        teacher_photos: (p, e) the teacher's embeddings of the same photos.
        temperature: Temperature of the student's similarities.
        teacher_temperature: Temperature of the teacher's similarities; None for the student's.
    """
    ours = _cosines(sketches, photos) / temperature
    theirs = _cosines(teacher_sketches, teacher_photos) / (teacher_temperature or temperature)
    return _divergence(ours, theirs)


def _cosines(first: Tensor, second: Tensor) -> Tensor:
    return F.normalize(first, dim=1) @ F.normalize(second, dim=1).T


def _off_diagonal(square: Tensor) -> Tensor:
    n = len(square)
    return square[~torch.eye(n, dtype=torch.bool, device=square.device)].view(n, n - 1)


def _divergence(ours: Tensor, theirs: Tensor) -> Tensor:
    """Mean over rows of KL(softmax(theirs) ‖ softmax(ours))."""
    return F.kl_div(ours.log_softmax(dim=1), theirs.log_softmax(dim=1), reduction="batchmean", log_target=True)
