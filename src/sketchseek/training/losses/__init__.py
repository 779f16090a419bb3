"""Losses by name: our own, one in each file, and pytorch-metric-learning's for comparison.

``info_nce`` is its ``NTXentLoss``, which compares each positive with the negatives of its anchor only.

All have one signature: ``loss(embeddings, labels, ref_emb=…, ref_labels=…)``, with sketches as embeddings and photos as
references. The functions in ``preservation`` compare a student with a teacher and take embeddings of both.
"""

from __future__ import annotations

from typing import Any, Literal

from pytorch_metric_learning import distances, losses, miners
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
    "MINERS",
    "QuadrupletLoss",
    "RelativeTripletLoss",
    "TripletLoss",
    "create_loss",
    "create_miner",
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


MINERS: dict[str, Any] = {
    "batch_easy_hard": miners.BatchEasyHardMiner,
    "batch_hard": miners.BatchHardMiner,
    "distance_weighted": miners.DistanceWeightedMiner,
    "multi_similarity": miners.MultiSimilarityMiner,
    "pair_margin": miners.PairMarginMiner,
    "triplet_margin": miners.TripletMarginMiner,
    "uniform_histogram": miners.UniformHistogramMiner,
}
"""Miners of pytorch-metric-learning, which choose the pairs or triplets of a batch that a loss is computed from."""


def create_loss(name: str, distance: Literal["euclidean", "cosine"], **options: Any) -> nn.Module:
    """Create a loss.

    Args:
        name: One of ``LOSSES``.
        distance: ``euclidean``, between embeddings of any length, or ``cosine``.
        **options: Options of the loss, such as ``margin`` or ``temperature``.

    Raises:
        ConfigError: The loss, the distance or an option is unknown.
    """
    loss: nn.Module = _created("loss", LOSSES, name, distance, options)
    return loss


def create_miner(name: str, distance: Literal["euclidean", "cosine"], **options: Any) -> Any:
    """Create a miner. Called with sketches, labels, photos and their labels, it returns a loss's ``indices_tuple``.

    Args:
        name: One of ``MINERS``.
        distance: As for the loss.
        **options: Options of the miner, such as ``margin`` or ``epsilon``.

    Raises:
        ConfigError: The miner, the distance or an option is unknown.
    """
    if name == "distance_weighted":  # its formula is for unit lengths, whatever the loss compares
        options.setdefault("distance", distances.LpDistance(normalize_embeddings=True))
    return _created("miner", MINERS, name, distance, options)


def _created(kind: str, known: dict[str, Any], name: str, distance: str, options: dict[str, Any]) -> Any:
    if name not in known:
        raise ConfigError(f"There is no {kind} {name!r}.", remedy=f"Use one of {', '.join(known)}.")
    if distance == "cosine":
        options.setdefault("distance", distances.CosineSimilarity())
    elif distance == "euclidean":
        options.setdefault("distance", distances.LpDistance(normalize_embeddings=False))
    else:
        raise ConfigError(f"There is no distance {distance!r}.", remedy="Use euclidean or cosine.")
    try:
        return known[name](**options)
    except TypeError as error:
        raise ConfigError(f"{kind} {name}: {error}.") from error
