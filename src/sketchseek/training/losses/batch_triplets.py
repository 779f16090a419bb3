"""Triplets of a batch, and the base class of the losses over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import BaseMetricLossFunction
from pytorch_metric_learning.reducers import AvgNonZeroReducer, MeanReducer
from pytorch_metric_learning.utils.loss_and_miner_utils import convert_to_triplets
from torch import Tensor

from sketchseek.errors import ConfigError

Negatives = Literal["all", "hard", "semihard"]
Average = Literal["violating", "all"]


@dataclass(frozen=True)
class LossBatch:
    """The inputs of a loss.

    Attributes:
        embeddings: (a, d) anchors.
        references: (r, d) positives and negatives.
        distances: (a, r) distances between them, float32 or finer. Smaller is nearer, also for a similarity.
        labels, ref_labels: (a,) and (r,).
        same: (a, r) whether the labels are equal. Such a reference is never a negative.
    """

    embeddings: Tensor
    references: Tensor
    distances: Tensor
    labels: Tensor
    ref_labels: Tensor
    same: Tensor


@dataclass(frozen=True)
class Triplets:
    """Triplets of a batch; every field is (triplets,).

    Attributes:
        anchors: Positions in ``embeddings``.
        positives, negatives: Positions in ``references``.
        gaps: d(anchor, positive) − d(anchor, negative).
    """

    anchors: Tensor
    positives: Tensor
    negatives: Tensor
    gaps: Tensor


class BatchTripletLoss(BaseMetricLossFunction):  # type: ignore[misc]
    """Base class of triplet, quadruplet and relative triplet loss. Subclasses compute each triplet's loss in ``terms``.

    Works with the distances, miners and reducers of pytorch-metric-learning: ``loss(embeddings, labels, indices_tuple,
    ref_emb=…, ref_labels=…)``. Its ``CrossBatchMemory`` accepts only known class names: subclass it and add ours to
    ``supported_losses``. Embeddings (sketches) are anchors; references (photos) are positives and negatives. References
    with the anchor's own label are never its negatives.

    Args:
        margin: Minimum of d(anchor, negative) − d(anchor, positive), in units of the distance.
        negatives: ``all`` in the batch; ``hard``, the nearest one; ``semihard``, the nearest one that is farther than
            the positive (Schroff et al. 2015, arXiv 1503.03832), or else the farthest one.
        symmetric: Take the mean of this loss and the same loss with photos as anchors.
        average: Take the mean over the triplets ``violating`` the margin, or over ``all``. A ``reducer`` overrides it.
        **kwargs: Arguments of pytorch-metric-learning's losses, such as ``distance`` and ``reducer``.

    Raises:
        ConfigError: An option has an unknown value.
    """

    def __init__(
        self,
        margin: float = 0.2,
        negatives: Negatives = "all",
        symmetric: bool = False,
        average: Average = "violating",
        **kwargs: Any,
    ) -> None:
        check_choice("negatives", negatives, Negatives)
        check_choice("average", average, Average)
        if average == "all" and kwargs.get("reducer") is None:
            kwargs["reducer"] = MeanReducer()
        super().__init__(**kwargs)
        self.margin = margin
        self.negatives = negatives
        self.symmetric = symmetric
        self.average = average
        self.add_to_recordable_attributes(list_of_names=["margin"], is_stat=False)

    def terms(self, batch: LossBatch, triplets: Triplets) -> dict[str, Tensor]:
        """Losses (triplets,) by name of the sub-loss. Each is reduced on its own; the loss is their sum."""
        raise NotImplementedError

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        indices_tuple: Any = None,
        ref_emb: Tensor | None = None,
        ref_labels: Tensor | None = None,
    ) -> Tensor:
        """Compute the reduced loss.

        Args:
            embeddings, labels: (a, d) and (a,), the anchors.
            indices_tuple: A miner's triplets (anchors, positives, negatives) or pairs (anchors, positives, anchors,
                negatives). They replace the loss's own triplets, so ``negatives`` and ``symmetric`` do not apply.
            ref_emb, ref_labels: (r, d) and (r,), positives and negatives; None for the anchors' own batch.
        """
        loss: Tensor = super().forward(embeddings, labels, indices_tuple, ref_emb, ref_labels)
        if self.symmetric and ref_emb is not None and indices_tuple is None:
            loss = (loss + super().forward(ref_emb, ref_labels, indices_tuple, embeddings, labels)) / 2
        return loss

    def compute_loss(
        self, embeddings: Tensor, labels: Tensor, indices_tuple: Any, ref_emb: Tensor, ref_labels: Tensor
    ) -> dict[str, dict[str, Any]]:
        """Losses of the triplets, as pytorch-metric-learning expects them."""
        matrix = self.distance(precise(embeddings), precise(ref_emb))
        same = labels[:, None] == ref_labels[None, :]
        batch = LossBatch(
            embeddings, ref_emb, -matrix if self.distance.is_inverted else matrix, labels, ref_labels, same
        )
        if indices_tuple is None:
            triplets = find_triplets(batch, self.negatives)
        else:
            triplets = given_triplets(batch, indices_tuple)
        if triplets.gaps.numel() == 0:
            zero: dict[str, dict[str, Any]] = self.zero_losses()
            return zero
        indices = (triplets.anchors, triplets.positives, triplets.negatives)
        return {
            name: {"losses": losses, "indices": indices, "reduction_type": "triplet"}
            for name, losses in self.terms(batch, triplets).items()
        }

    def get_default_reducer(self) -> AvgNonZeroReducer:
        """Mean over the triplets that violate the margin."""
        return AvgNonZeroReducer()

    def get_default_distance(self) -> LpDistance:
        """Euclidean distance without L2 normalization, since the recipe's head has batch normalization instead."""
        return LpDistance(normalize_embeddings=False)


def find_triplets(batch: LossBatch, negatives: Negatives) -> Triplets:
    """The triplets of a batch; none if no anchor has both a positive and a negative."""
    positive = batch.same
    if batch.references is batch.embeddings:
        positive = positive & ~torch.eye(len(positive), dtype=torch.bool, device=positive.device)
    anchors, positives = torch.where(positive)
    gaps = batch.distances[anchors, positives][:, None] - batch.distances[anchors]  # (pairs, references)
    candidate = ~batch.same[anchors]
    if negatives == "all":
        pairs, chosen = torch.where(candidate)
    else:
        pairs, chosen = _nearest(gaps.detach(), candidate, semihard=negatives == "semihard")
    return Triplets(anchors[pairs], positives[pairs], chosen, gaps[pairs, chosen])


def given_triplets(batch: LossBatch, indices_tuple: Any) -> Triplets:
    """A miner's triplets, or all triplets that its pairs form."""
    anchors, positives, negatives = convert_to_triplets(
        indices_tuple, batch.labels, batch.ref_labels, t_per_anchor="all"
    )
    gaps = batch.distances[anchors, positives] - batch.distances[anchors, negatives]
    return Triplets(anchors, positives, negatives, gaps)


def precise(embeddings: Tensor) -> Tensor:
    """Embeddings in float32 or finer, since losses sum many small differences that bf16 and fp16 would lose."""
    return embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))


def check_choice(name: str, value: Any, choices: Any) -> None:
    """Check that a value is one of a Literal's.

    Raises:
        ConfigError: It is not.
    """
    if value not in get_args(choices):
        raise ConfigError(f"{value!r} is unknown.", subject=name, remedy=f"Use one of {', '.join(get_args(choices))}.")


def _nearest(gaps: Tensor, candidate: Tensor, *, semihard: bool) -> tuple[Tensor, Tensor]:
    """The pairs (anchor, positive) that have a negative, and the position of each pair's chosen negative."""
    pairs = torch.where(candidate.any(dim=1))[0]
    if pairs.numel() == 0:
        return pairs, pairs
    worst = gaps.masked_fill(~candidate, -torch.inf)
    chosen = worst.argmax(dim=1)
    if semihard:
        beyond = candidate & (gaps < 0)
        nearest_beyond = gaps.masked_fill(~beyond, -torch.inf).argmax(dim=1)
        farthest = gaps.masked_fill(~candidate, torch.inf).argmin(dim=1)
        chosen = torch.where(beyond.any(dim=1), nearest_beyond, farthest)
    return pairs, chosen[pairs]
