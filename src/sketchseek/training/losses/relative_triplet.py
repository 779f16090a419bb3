"""Relative triplet loss: triplets weighted by the similarity of their anchors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from pytorch_metric_learning.distances import LpDistance
from torch import Tensor
from torch.nn.functional import normalize

from sketchseek.errors import ConfigError
from sketchseek.training.losses.batch_triplets import BatchTripletLoss, LossBatch, Triplets, check_choice, precise

Compare = Literal["anchors", "positives"]
Measure = Literal["distance", "cosine"]
Relative = Literal["anchor", "batch"]
WeightFunction = Callable[[Tensor], Tensor]
"""Maps relative distances (triplets,) to weights (triplets,) that are not negative."""

# A formula of your own is one line here; an experiment then names it: options: {weighting: mine}.
WEIGHTINGS: dict[str, WeightFunction] = {
    "far": lambda relative: relative,
    "near": lambda relative: torch.relu(2 - relative),
    "gaussian": lambda relative: torch.exp(-relative.square() / 3),
}


class RelativeTripletLoss(BatchTripletLoss):
    """A family of weighted triplet losses: ``Σ w·max(0, margin + d(a, p) − d(a, n)) / Σ w``.

    The weight *w* depends on the distance between anchor *a* and the anchor of the other triplet, the one whose
    positive is *n*.

    **Our reconstruction.** Of the Relative Triplet Loss (Seddati et al. 2023, arXiv 2305.18988) we have read only the
    abstract: "loss weighting based on anchors similarity". The reason for ``far``: if two sketches are nearly
    duplicates, their photos are unreliable negatives for each other. The sign, the space and the scale are unknown to
    us, so each is a setting:

    - RTL-A, the default: the distance between the two anchors, which are sketches.
    - RTL-B, ``compare="positives"``: the distance between their photos.
    - RTL-C, ``measure="cosine"``: 1 − cosine of the two anchors, whatever the distance of the loss.
    - RTL-D, ``teacher=True``: embeddings of a frozen teacher, passed in each call. In an experiment, the teacher is the
      first of ``distil.teachers``.
    - The opposite sign, as a control: ``weighting="near"`` or ``"gaussian"``.
    - A formula of your own: ``weighting`` may be a function of the relative distance. Once somebody has the text of the
      paper, its formula is one line, for example ``RelativeTripletLoss(weighting=lambda r: 1 - torch.exp(-r))``, or an
      entry of ``WEIGHTINGS`` for experiments.

    A photo may have several sketches in a batch, or none. The distance of *a* to the anchor of *n* is therefore the
    mean distance of *a* to all embeddings with the label of *n* (our reconstruction). With ``compare="positives"`` it
    is the distance between *p* and *n*.

    The weight is a function of the relative distance *r*: that distance divided by its mean over the negatives. r is 1,
    as in a plain triplet loss, if a negative has no anchor in the batch or if the mean is 0 (identical anchors). No
    gradient flows through weights. ``Σ w`` runs over the triplets that ``average`` selects; if all their weights are
    0, the loss is 0. With a ``reducer`` of your own, each loss is multiplied by its weight over the mean weight of
    these triplets.

    Args:
        margin: Minimum of d(a, n) − d(a, p), in units of the distance.
        compare: What is compared: the two ``anchors``, or positive and negative (``positives``). In the symmetric term
            the anchors are photos.
        measure: ``distance``, the loss's own, or ``cosine``, 1 − cosine. For a loss with a similarity, such as cosine
            or dot product, both are 1 − cosine.
        teacher: Compare embeddings of a teacher, passed as ``teacher_emb`` and ``teacher_ref_emb``.
        relative_to: Divide distances by their mean over the negatives of this ``anchor`` (of this positive, if
            positives are compared), or of the whole ``batch``.
        weighting: ``far``, w = r; ``near``, w = max(0, 2 − r); ``gaussian``, w = exp(−r²/3), the form of CIGSPA4FG-SBIR
            (2025), which gives similar photos more weight, on our scale; or a ``WeightFunction``.
        **kwargs: See ``BatchTripletLoss``.

    Raises:
        ConfigError: An option has an unknown value.
    """

    def __init__(
        self,
        margin: float = 0.2,
        compare: Compare = "anchors",
        measure: Measure = "distance",
        teacher: bool = False,
        relative_to: Relative = "anchor",
        weighting: str | WeightFunction = "far",
        **kwargs: Any,
    ) -> None:
        check_choice("compare", compare, Compare)
        check_choice("measure", measure, Measure)
        check_choice("relative_to", relative_to, Relative)
        if not callable(weighting) and weighting not in WEIGHTINGS:
            raise ConfigError(f"weighting: {weighting!r} is unknown.", remedy=f"Use one of {', '.join(WEIGHTINGS)}.")
        super().__init__(margin, **kwargs)
        self.compare = compare
        self.measure = measure
        self.teacher = teacher
        self.relative_to = relative_to
        self.weighting = weighting
        self._weight: WeightFunction = weighting if callable(weighting) else WEIGHTINGS[weighting]
        self._teacher_of: dict[int, Tensor | None] = {}  # by the id of the student's embeddings

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        indices_tuple: Any = None,
        ref_emb: Tensor | None = None,
        ref_labels: Tensor | None = None,
        teacher_emb: Tensor | None = None,
        teacher_ref_emb: Tensor | None = None,
    ) -> Tensor:
        """Compute the reduced loss.

        Args:
            embeddings, labels: (a, d) and (a,), the anchors.
            indices_tuple: A miner's triplets or pairs (``BatchTripletLoss.forward``).
            ref_emb, ref_labels: (r, d) and (r,), positives and negatives; None for the anchors' own batch.
            teacher_emb: (a, any) the teacher's embeddings of the anchors. Needed with ``teacher`` if anchors are
                compared, or if the loss is symmetric.
            teacher_ref_emb: (r, any) the teacher's embeddings of the references. Needed with ``teacher`` if positives
                are compared, or if the loss is symmetric.

        Raises:
            ConfigError: Embeddings of the teacher are missing, or have another number of rows.
        """
        # pytorch-metric-learning passes only its own arguments on to compute_loss.
        self._teacher_of = {id(embeddings): teacher_emb, id(ref_emb): teacher_ref_emb}
        try:
            return super().forward(embeddings, labels, indices_tuple, ref_emb, ref_labels)
        finally:
            self._teacher_of = {}

    @torch.no_grad()
    def relative_distances(self, batch: LossBatch) -> Tensor:
        """Relative distances: (a, r) of anchors to each reference's triplet, or (r, r) between references."""
        anchors = self.compare == "anchors"
        compared = batch.embeddings if anchors else batch.references
        distances = self._distances(self._teacher_embeddings(compared) if self.teacher else compared)
        known = torch.ones_like(distances, dtype=torch.bool)
        negative = batch.ref_labels[:, None] != batch.ref_labels[None, :]
        if anchors:
            own = batch.same.to(distances.dtype)  # (a, r): the anchors of each reference
            distances = distances @ own / own.sum(dim=0).clamp(min=1)
            known = batch.same.any(dim=0).expand_as(distances)
            negative = ~batch.same
        counted = (known & negative).to(distances.dtype)
        over = 1 if self.relative_to == "anchor" else (0, 1)
        mean = (distances * counted).sum(over, keepdim=True) / counted.sum(over, keepdim=True).clamp(min=1)
        return torch.where(known & (mean > 0), distances / mean, torch.ones_like(distances))

    def terms(self, batch: LossBatch, triplets: Triplets) -> dict[str, Tensor]:
        """The hinge of each triplet times its weight. Weights have mean 1 over the triplets that are averaged."""
        hinges = torch.relu(triplets.gaps + self.margin)
        rows = triplets.anchors if self.compare == "anchors" else triplets.positives
        weights = self._weight(self.relative_distances(batch)[rows, triplets.negatives])
        counted = torch.ones_like(weights)
        if self.average == "violating":
            # A weight of 0 gives a loss of 0, which does not count as violating.
            counted = ((hinges.detach() > 0) & (weights > 0)).to(weights.dtype)
        mean = (weights * counted).sum() / counted.sum().clamp(min=1)
        return {"loss": hinges * torch.where(mean > 0, weights / mean, torch.zeros_like(weights))}

    def _distances(self, embeddings: Tensor) -> Tensor:
        """Distances (n, n) between embeddings, exactly 0 between identical ones, which fast cdist does not ensure."""
        points = precise(embeddings)
        exact = "donot_use_mm_for_euclid_dist"
        if self.measure == "cosine" or self.distance.is_inverted:
            points = normalize(points)
            return torch.cdist(points, points, compute_mode=exact).square() / 2  # 1 − cosine, for unit length
        if not isinstance(self.distance, LpDistance):
            other: Tensor = self.distance(points, points)
            return other
        points = self.distance.maybe_normalize(points)
        distances: Tensor = torch.cdist(points, points, p=self.distance.p, compute_mode=exact)
        return distances.pow(self.distance.power)

    def _teacher_embeddings(self, compared: Tensor) -> Tensor:
        rows = self._teacher_of.get(id(compared))
        if rows is None or rows.ndim != 2 or len(rows) != len(compared):
            got = "missing" if rows is None else f"{tuple(rows.shape)} for a batch of {len(compared)}"
            raise ConfigError(
                f"The teacher's embeddings of the {self.compare} are {got}.",
                remedy="Pass teacher_emb, one row for each embedding, and teacher_ref_emb, one for each reference.",
            )
        return rows.detach().to(compared.device)
