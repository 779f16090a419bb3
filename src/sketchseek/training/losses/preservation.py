"""Losses that keep what a network or its teachers knew: neighborhoods of photos, class predictions, similarities.

Each is a mean over rows of KL(teacher ‖ student) between softmax distributions, so only relations are compared and a
teacher's embeddings may be of any width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def neighborhood_distillation(
    photos: Tensor, teacher: Tensor, temperature: float, teacher_temperature: float | None = None
) -> Tensor:
    """KL of who is near whom within a batch, against a teacher's embeddings of the same photos.

    Row *i* is the softmax, over all *j* ≠ *i*, of cos(*i*, *j*) / temperature.

    Args:
        photos: (n, d) the student's embeddings, n at least 2.
        teacher: (n, e) the teacher's.
        temperature: Of the student's similarities.
        teacher_temperature: Of the teacher's; the student's by default. Spaces of different spread need different ones.
    """
    ours = _off_diagonal(_cosines(photos, photos) / temperature)
    theirs = _off_diagonal(_cosines(teacher, teacher) / (teacher_temperature or temperature))
    return _divergence(ours, theirs)


def logits_distillation(logits: Tensor, teacher: Tensor, temperature: float = 2.0) -> Tensor:
    """KL of softened class predictions (Hinton et al. 2015, arXiv 1503.02531), times the temperature's square.

    Args:
        logits: (n, classes) the student's.
        teacher: (n, classes) the teacher's.
        temperature: Both are divided by it; the square keeps gradients comparable between temperatures.
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
    """KL of sketch × photo similarities, the student's and the teacher's each in its own space.

    Row *i* is the softmax, over all photos *j*, of cos(sketch *i*, photo *j*) / temperature.

    Args:
        sketches: (s, d) the student's embeddings.
        photos: (p, d) the student's embeddings.
        teacher_sketches: (s, e) the teacher's embeddings of the same sketches.
        teacher_photos: (p, e) the teacher's embeddings of the same photos.
        temperature: Of the student's similarities.
        teacher_temperature: Of the teacher's; the student's by default.
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
