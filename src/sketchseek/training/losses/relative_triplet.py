"""Relative triplet loss: triplets weighted by how alike the two anchors are."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pytorch_metric_learning.distances import LpDistance
from torch import Tensor
from torch.nn.functional import normalize

from sketchseek.errors import ConfigError
from sketchseek.training.losses.batch_triplets import BatchTripletLoss, Sides, Triplets, check_choice, precise

Compare = Literal["anchors", "positives"]
Measure = Literal["distance", "cosine"]
Relative = Literal["anchor", "batch"]
Weighting = Literal["far", "near", "gaussian"]


class RelativeTripletLoss(BatchTripletLoss):
    """A family of triplet losses, ``Σ w·max(0, margin + d(a, p) − d(a, n)) / Σ w``, weighted by the anchors' distance.

    *w* depends on how far anchor *a* is from the anchor of the other triplet, the one whose positive is *n*.

    **Our reconstruction.** Of the Relative Triplet Loss (Seddati et al. 2023, arXiv 2305.18988) we know only the
    abstract: "loss weighting based on anchors similarity". The reason for ``far``: sketches that are almost duplicates
    make each other's photos unreliable negatives. The sign, the space and the scale are not known; each is a setting:

    - RTL-A, the default: from the distance between the two anchors, sketches.
    - RTL-B, ``compare="positives"``: from the distance between their photos.
    - RTL-C, ``measure="cosine"``: from 1 − cosine of the two anchors, whatever the distance of the loss.
    - RTL-D, ``teacher=True``: from the embeddings of a frozen teacher, handed in at each call; in an experiment, of the
      first of ``distil.teachers``.
    - The opposite sign as a control: ``weighting="near"`` or ``"gaussian"``.

    The other anchor. In a batch several sketches may belong to one photo, or none. The distance of *a* to the anchor of
    *n* is the mean distance of *a* to all embeddings with the label of *n* (our reconstruction). With
    ``compare="positives"`` it is the distance between *p* and *n* themselves.

    The weight is a function of that distance divided by its mean over negatives, ``r``; r is 1 (a plain triplet) where
    a negative has no anchor in the batch, and where the mean is 0, as for identical anchors. No gradient flows through
    weights. ``Σ w`` is taken over the triplets that ``average`` names; where all of their weights are 0, so is the
    loss. With a ``reducer`` of your own, a loss is multiplied by its weight over the mean weight of these triplets.

    Args:
        margin: By how much a negative must be farther than a positive, in units of the distance.
        compare: What is compared: the two ``anchors``, or positive and negative (``positives``). In the symmetric
            term anchors are photos.
        measure: ``distance``, the loss's own, or ``cosine``, 1 − cosine. Own distances that are similarities, such as
            cosine or dot product, are always taken as 1 − cosine.
        teacher: Compare embeddings of a teacher, given as ``teacher_emb`` and ``teacher_ref_emb``.
        relative_to: Distances are divided by their mean over the negatives of this ``anchor`` (of this positive, if
            these are compared), or of the whole ``batch``.
        weighting: ``far``, w = r; ``near``, its mirror image at the mean, w = max(0, 2 − r); ``gaussian``,
            w = exp(−r²/3), the form of CIGSPA4FG-SBIR (2025), which weights similar photos harder, on our scale.
        **kwargs: See ``BatchTripletLoss``.
    """

    def __init__(
        self,
        margin: float = 0.2,
        compare: Compare = "anchors",
        measure: Measure = "distance",
        teacher: bool = False,
        relative_to: Relative = "anchor",
        weighting: Weighting = "far",
        **kwargs: Any,
    ) -> None:
        check_choice("compare", compare, Compare)
        check_choice("measure", measure, Measure)
        check_choice("relative_to", relative_to, Relative)
        check_choice("weighting", weighting, Weighting)
        super().__init__(margin, **kwargs)
        self.compare = compare
        self.measure = measure
        self.teacher = teacher
        self.relative_to = relative_to
        self.weighting = weighting
        self._taught: list[tuple[Tensor | None, Tensor | None]] = []

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        indices_tuple: None = None,
        ref_emb: Tensor | None = None,
        ref_labels: Tensor | None = None,
        teacher_emb: Tensor | None = None,
        teacher_ref_emb: Tensor | None = None,
    ) -> Tensor:
        """The reduced loss.

        Args:
            embeddings, labels: (a, d) and (a,), the anchors.
            indices_tuple: Not supported.
            ref_emb, ref_labels: (r, d) and (r,), positives and negatives; None for the anchors' own batch.
            teacher_emb: (a, any) a teacher's embeddings of the anchors, where ``teacher`` is set.
            teacher_ref_emb: (r, any) and of the references; only what is compared is needed.

        Raises:
            ConfigError: The teacher's embeddings are missing or are not as many, or triplets are handed in.
        """
        # pytorch-metric-learning calls compute_loss with arguments of its own choice: the teacher's wait here.
        self._taught = [(embeddings, teacher_emb), (ref_emb, teacher_ref_emb)]
        try:
            return super().forward(embeddings, labels, indices_tuple, ref_emb, ref_labels)
        finally:
            self._taught = []

    @torch.no_grad()
    def relative_distances(self, sides: Sides) -> Tensor:
        """Distances over their mean: (a, r) of anchors, or (r, r) of references, to each reference's own triplet."""
        anchors = self.compare == "anchors"
        compared = sides.embeddings if anchors else sides.references
        rows = self._apart(self._from_teacher(compared) if self.teacher else compared)
        known = torch.ones_like(rows, dtype=torch.bool)
        other = sides.ref_labels[:, None] != sides.ref_labels[None, :]
        if anchors:
            own = sides.same.to(rows.dtype)  # (a, r): the anchors of each reference
            rows = rows @ own / own.sum(dim=0).clamp(min=1)
            known = sides.same.any(dim=0).expand_as(rows)
            other = ~sides.same
        counted = (known & other).to(rows.dtype)
        over = 1 if self.relative_to == "anchor" else (0, 1)
        mean = (rows * counted).sum(over, keepdim=True) / counted.sum(over, keepdim=True).clamp(min=1)
        return torch.where(known & (mean > 0), rows / mean, torch.ones_like(rows))

    def terms(self, sides: Sides, triplets: Triplets) -> dict[str, Tensor]:
        """The hinge of each triplet times its weight, the weights having mean 1 over what is averaged."""
        hinges = torch.relu(triplets.gaps + self.margin)
        rows = triplets.anchors if self.compare == "anchors" else triplets.positives
        weights = self._weights(self.relative_distances(sides)[rows, triplets.negatives])
        counted = torch.ones_like(weights)
        if self.average == "violating":
            # A weight of 0 makes a loss of 0, which does not count as violating.
            counted = ((hinges.detach() > 0) & (weights > 0)).to(weights.dtype)
        mean = (weights * counted).sum() / counted.sum().clamp(min=1)
        return {"loss": hinges * torch.where(mean > 0, weights / mean, torch.zeros_like(weights))}

    def _weights(self, relative: Tensor) -> Tensor:
        if self.weighting == "far":
            return relative
        if self.weighting == "near":
            return torch.relu(2 - relative)
        return torch.exp(-relative.square() / 3)

    def _apart(self, embeddings: Tensor) -> Tensor:
        """Distances (n, n) between embeddings: exactly 0 between identical ones, which fast cdist does not promise."""
        points = precise(embeddings)
        exact = "donot_use_mm_for_euclid_dist"
        if self.measure == "cosine" or self.distance.is_inverted:
            points = normalize(points)
            return torch.cdist(points, points, compute_mode=exact).square() / 2  # of unit vectors: 1 − cosine
        if not isinstance(self.distance, LpDistance):
            other: Tensor = self.distance(points, points)
            return other
        points = self.distance.maybe_normalize(points)
        distances: Tensor = torch.cdist(points, points, p=self.distance.p, compute_mode=exact)
        return distances.pow(self.distance.power)

    def _from_teacher(self, compared: Tensor) -> Tensor:
        taught = next(teacher for student, teacher in self._taught if student is compared)
        if taught is None:
            raise ConfigError(
                f"the teacher's embeddings of the {self.compare} are missing.",
                remedy="Call the loss with teacher_emb=… (of the embeddings) and teacher_ref_emb=… (of the reference).",
            )
        if taught.ndim != 2 or len(taught) != len(compared):
            raise ConfigError(
                f"the teacher's embeddings are {tuple(taught.shape)} for a batch of {len(compared)}.",
                remedy="Give one row for each embedding, in the same order.",
            )
        return taught.detach().to(compared.device)
