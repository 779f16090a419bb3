"""Quadruplet loss between sketches and photos."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sketchseek.training.losses.batch_triplets import BatchTripletLoss, Sides, Triplets


class QuadrupletLoss(BatchTripletLoss):
    """A triplet loss, and a second negative pair that must also be farther apart than anchor and positive.

    With anchor *a* (a sketch), positive *p* and negative *n* (photos), and *b* the sketch nearest to *n* among those
    of a third label: ``max(0, margin + d(a, p) − d(a, n)) + max(0, second_margin + d(a, p) − d(b, n))``. The first term
    ranks the photos of one sketch; the second asks that pairs be nearer than non-pairs in the whole batch.

    What is known: Seddati, Dupont and Mahmoudi (Quadruplet Networks for Sketch-Based Image Retrieval, ICMR 2017) reach
    recall@1 of 42.16 % on The Sketchy Database with quadruplets; a second negative pair with a smaller margin is from
    Chen et al. (Beyond Triplet Loss, CVPR 2017, arXiv 1704.01719). **Our reconstruction**: the pairs across sketches
    and photos, the choice of *b*, the ratio of the margins, and that the mean of each term is taken over its own
    violations. We have not read the ICMR paper's formula.

    Args:
        margin: Of the first negative pair (a, n), in units of the distance.
        second_margin: Of the second negative pair (b, n); None for half the margin.
        **kwargs: See ``BatchTripletLoss``. Where the batch has no third label, the second pair violates nothing.
    """

    def __init__(self, margin: float = 0.2, second_margin: float | None = None, **kwargs: Any) -> None:
        super().__init__(margin, **kwargs)
        self.second_margin = margin / 2 if second_margin is None else second_margin
        self.add_to_recordable_attributes(list_of_names=["second_margin"], is_stat=False)

    def terms(self, sides: Sides, triplets: Triplets) -> dict[str, Tensor]:
        """The hinges of the two negative pairs."""
        of_positive = sides.distances[triplets.anchors, triplets.positives]
        of_second = _second_pairs(sides, triplets)
        return {
            "loss": torch.relu(triplets.gaps + self.margin),
            "second_pair": torch.relu(of_positive - of_second + self.second_margin),
        }

    def _sub_loss_names(self) -> list[str]:
        return ["loss", "second_pair"]


def _second_pairs(sides: Sides, triplets: Triplets) -> Tensor:
    """d(b, n) for each triplet; infinite where there is no third label.

    For each reference it is enough to know the two nearest embeddings of two other labels: one of them is not of the
    anchor's label.
    """
    far = sides.distances.masked_fill(sides.same, torch.inf)
    nearest, first = far.min(dim=0)  # (references,)
    of_first = sides.labels[first]
    runner_up = far.masked_fill(sides.labels[:, None] == of_first[None, :], torch.inf).min(dim=0).values
    own = of_first[triplets.negatives] == sides.labels[triplets.anchors]
    return torch.where(own, runner_up[triplets.negatives], nearest[triplets.negatives])
