"""Losses of the dual encoder: at instance level, at category level, and what keeps the photo space as it was."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def instance_loss(
    own: Tensor, others: Tensor, twin: Tensor, own_soft: Tensor, soft: Tensor, temperature: float, softness: float
) -> Tensor:
    """InfoNCE of sketches against the whole gallery of training photos, averaged.

    Args:
        own: (s,) logit of each sketch's photo, in the view that matches the sketch.
        others: (s, p) logits of the gallery.
        twin: (s, p) bool: photos that are the sketch's own or near-duplicates of it; no negatives.
        own_soft, soft: (s,), (s, p) similarities of the sketch's photo to itself and to the gallery, by ImageNet.
        temperature: Of these similarities.
        softness: Weight of their distribution in the target.
    """
    log = torch.cat([own[:, None], others.masked_fill(twin, -1e4)], dim=1).log_softmax(dim=1)
    target = torch.cat([own_soft[:, None], soft.masked_fill(twin, -1e4)], dim=1).div(temperature).softmax(dim=1)
    spread = -(target * log.clamp(min=-100)).sum(dim=1)
    return ((1 - softness) * -log[:, 0] + softness * spread).mean()


def category_contrast(similarity: Tensor, same: Tensor, temperature: float) -> Tensor:
    """Sketches find any photo of their word: minus the log of the probability of all of them together.

    Args:
        similarity: (s, p) cosines.
        same: (s, p) bool, whether the photo shows the sketch's word. Rows without any are left out.
        temperature: Scalar.
    """
    kept = same.any(dim=1)
    if not kept.any():
        return similarity.sum() * 0
    logits, same = similarity[kept] / temperature, same[kept]
    total = logits.logsumexp(dim=1)
    # Half of the mean over the positives keeps every photo of the word near, not only the nearest.
    nearest = logits.masked_fill(~same, -1e4).logsumexp(dim=1) - total
    mean = ((logits - total[:, None]) * same).sum(dim=1) / same.sum(dim=1)
    return -0.5 * nearest.mean() - 0.5 * mean.mean()


def word_loss(embeddings: Tensor, words: Tensor, targets: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy of a cosine classifier over all words; ``targets`` (n, words) are distributions."""
    log = F.log_softmax(embeddings @ F.normalize(words, dim=1).T * scale, dim=1)
    return -(targets * log).sum(dim=1).mean()


def neighborhood_loss(photos: Tensor, teacher: Tensor, temperature: float = 0.1) -> Tensor:
    """KL of who is near whom among photos, against a teacher's embeddings of them; both of unit length."""
    n = len(photos)
    off = ~torch.eye(n, dtype=torch.bool, device=photos.device)
    mine = (photos @ photos.T / temperature)[off].view(n, n - 1)
    theirs = (teacher @ teacher.T / temperature)[off].view(n, n - 1)
    return F.kl_div(mine.log_softmax(dim=1), theirs.softmax(dim=1), reduction="batchmean")
