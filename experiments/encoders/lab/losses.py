"""Losses of the dual encoder: at instance level, at category level, and what keeps the photo space as it was."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def instance_loss(
    sketches: Tensor,
    photos: Tensor,
    position: Tensor,
    group: Tensor,
    temperature: Tensor,
    soft: Tensor | None = None,
    softness: float = 0.0,
) -> Tensor:
    """InfoNCE of sketches against all photos of the batch, one value a sketch.

    Args:
        sketches: (s, d), unit length.
        photos: (p, d), unit length.
        position: (s,) each sketch's photo.
        group: (p,) photos of one group are near-duplicates: they are no negatives for each other.
        temperature: Scalar.
        soft: (p, p) similarity of photos by a teacher, as a distribution in each row; None for none.
        softness: Weight of that distribution in the target.
    """
    logits = sketches @ photos.T / temperature
    twins = (group[position][:, None] == group[None]) & (
        torch.arange(len(photos), device=photos.device)[None] != position[:, None]
    )
    log = F.log_softmax(logits.masked_fill(twins, -1e4), dim=1)
    loss = -log.gather(1, position[:, None])[:, 0]
    if soft is not None and softness > 0:
        spread = -(soft[position].masked_fill(twins, 0) * log).sum(dim=1)
        loss = (1 - softness) * loss + softness * spread
    return loss


def photo_to_sketch_loss(sketches: Tensor, photos: Tensor, position: Tensor, temperature: Tensor) -> Tensor:
    """The other direction: each photo that has sketches in the batch finds them among all."""
    log = F.log_softmax(photos @ sketches.T / temperature, dim=1)
    own = position[None] == torch.arange(len(photos), device=photos.device)[:, None]
    counts = own.sum(dim=1)
    return -((log * own).sum(dim=1) / counts.clamp(min=1))[counts > 0].mean()


def category_contrast(sketches: Tensor, photos: Tensor, same: Tensor, temperature: float) -> Tensor:
    """Sketches find any photo of their word: minus the log of the probability of all of them together.

    Args:
        sketches: (s, d), unit length.
        photos: (p, d), unit length.
        same: (s, p) bool, whether the photo shows the sketch's word. Rows without any are left out.
        temperature: Scalar.
    """
    kept = same.any(dim=1)
    if not kept.any():
        return sketches.sum() * 0
    logits = sketches[kept] @ photos.T / temperature
    positive = logits.masked_fill(~same[kept], -1e4)
    # Half of the mean over the positives keeps every photo of the word near, not only the nearest.
    log = logits - logits.logsumexp(dim=1, keepdim=True)
    mean = (log * same[kept]).sum(dim=1) / same[kept].sum(dim=1)
    return -0.5 * (positive.logsumexp(dim=1) - logits.logsumexp(dim=1)).mean() - 0.5 * mean.mean()


def word_loss(embeddings: Tensor, words: Tensor, targets: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy of a cosine classifier over all words; ``targets`` (n, words) are distributions."""
    log = F.log_softmax(embeddings @ F.normalize(words, dim=1).T * scale, dim=1)
    return -(targets * log).sum(dim=1)


def neighborhood_loss(photos: Tensor, teacher: Tensor, temperature: float, teacher_temperature: float) -> Tensor:
    """KL of who is near whom among photos, against a teacher's embeddings of them."""
    n = len(photos)
    off = ~torch.eye(n, dtype=torch.bool, device=photos.device)
    mine = (photos @ photos.T / temperature)[off].view(n, n - 1)
    theirs = (teacher @ teacher.T / teacher_temperature)[off].view(n, n - 1)
    return F.kl_div(mine.log_softmax(dim=1), theirs.softmax(dim=1), reduction="batchmean")


def logits_loss(mine: Tensor, theirs: Tensor, temperature: float = 2.0) -> Tensor:
    """KL of a classifier's softened predictions."""
    return (
        F.kl_div((mine / temperature).log_softmax(1), (theirs / temperature).softmax(1), reduction="batchmean")
        * temperature**2
    )


def similarity_loss(mine: Tensor, theirs: Tensor, temperature: float) -> Tensor:
    """KL of sketch × photo similarities against a teacher's, each in its own space."""
    return F.kl_div((mine / temperature).log_softmax(1), (theirs / temperature).softmax(1), reduction="batchmean")
