"""Losses by name: our own, one a file, and pytorch-metric-learning's as comparisons.

``info_nce`` is its ``NTXentLoss``: each positive against the negatives of its anchor, without the other positives.

All are called alike: ``loss(embeddings, labels, ref_emb=…, ref_labels=…)``, sketches first, photos as reference.
The functions of ``preservation`` compare a student with a teacher and are called with the embeddings of both.
"""

from __future__ import annotations

from typing import Any, Literal

from pytorch_metric_learning import distances, losses
from torch import nn

from sketchseek.errors import ConfigError
from sketchseek.training.losses.preservation import (
    logits_distillation,
    neighborhood_distillation,
    own_space_similarity_distillation,
)
from sketchseek.training.losses.quadruplet import QuadrupletLoss
from sketchseek.training.losses.relative_triplet import RelativeTripletLoss
from sketchseek.training.losses.triplet import TripletLoss

__all__ = [
    "LOSSES",
    "QuadrupletLoss",
    "RelativeTripletLoss",
    "TripletLoss",
    "create_loss",
    "logits_distillation",
    "neighborhood_distillation",
    "own_space_similarity_distillation",
]

LOSSES: dict[str, Any] = {
    "triplet": TripletLoss,
    "quadruplet": QuadrupletLoss,
    "relative_triplet": RelativeTripletLoss,
    "info_nce": losses.NTXentLoss,
    "sup_con": losses.SupConLoss,
    "contrastive": losses.ContrastiveLoss,
    "multi_similarity": losses.MultiSimilarityLoss,
    "lifted_structure": losses.GeneralizedLiftedStructureLoss,
}


def create_loss(name: str, distance: Literal["euclidean", "cosine"], **options: Any) -> nn.Module:
    """Make a loss.

    Args:
        name: One of ``LOSSES``.
        distance: Between embeddings as they are, or between their directions.
        **options: The loss's own, such as ``margin`` or ``temperature``.

    Raises:
        ConfigError: The loss, the distance or an option is not known.
    """
    if name not in LOSSES:
        raise ConfigError(f"loss {name!r} is not known.", remedy=f"One of {', '.join(LOSSES)}.")
    if distance == "cosine":
        options["distance"] = distances.CosineSimilarity()
    elif distance == "euclidean":
        options["distance"] = distances.LpDistance(normalize_embeddings=False)
    else:
        raise ConfigError(f"distance {distance!r} is not known.", remedy="One of euclidean, cosine.")
    try:
        loss: nn.Module = LOSSES[name](**options)
    except TypeError as error:
        raise ConfigError(f"loss {name}: {error}.") from error
    return loss
