"""Losses by name: our own, one in each file, and pytorch-metric-learning's for comparison.

``info_nce`` is its ``NTXentLoss``, which compares each positive with the negatives of its anchor only.

All have one signature: ``loss(embeddings, labels, ref_emb=…, ref_labels=…)``, with sketches as embeddings and photos as
references. The functions in ``preservation`` compare a student with a teacher and take embeddings of both.
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
    """Create a loss.

    Args:
        name: One of ``LOSSES``.
        distance: ``euclidean``, between embeddings of any length, or ``cosine``.
        **options: Options of the loss, such as ``margin`` or ``temperature``.

    Raises:
        ConfigError: The loss, the distance or an option is unknown.
    """
    if name not in LOSSES:
        raise ConfigError(f"There is no loss {name!r}.", remedy=f"Use one of {', '.join(LOSSES)}.")
    if distance == "cosine":
        options["distance"] = distances.CosineSimilarity()
    elif distance == "euclidean":
        options["distance"] = distances.LpDistance(normalize_embeddings=False)
    else:
        raise ConfigError(f"There is no distance {distance!r}.", remedy="Use euclidean or cosine.")
    try:
        loss: nn.Module = LOSSES[name](**options)
    except TypeError as error:
        raise ConfigError(f"loss {name}: {error}.") from error
    return loss
