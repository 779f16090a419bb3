"""Quadruplet loss between sketches and photos."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sketchseek.training.losses.batch_triplets import BatchTripletLoss, LossBatch, Triplets


class QuadrupletLoss(BatchTripletLoss):
    """A triplet loss with a second negative pair, which must also be farther apart than anchor and positive.

    For anchor *a* (a sketch), positive *p* and negative *n* (photos), and *b*, the sketch nearest to *n* among those
    of a third label: ``max(0, margin + d(a, p) − d(a, n)) + max(0, second_margin + d(a, p) − d(b, n))``. The first term
    ranks the photos of one sketch; the second separates pairs from non-pairs across the batch.

    Seddati, Dupont and Mahmoudi (Quadruplet Networks for Sketch-Based Image Retrieval, ICMR 2017) report a recall@1 of
    42.16 % on the Sketchy Database with quadruplets. The second negative pair with a smaller margin is from Chen et al.
    (Beyond Triplet Loss, CVPR 2017, arXiv 1704.01719). **Our reconstruction**: the pairs of a sketch and a photo, the
    choice of *b*, the ratio of the margins, and the mean of each term over its own violations. We have not read the
    formula in the ICMR paper.

    Args:
        margin: Margin of the first negative pair (a, n), in units of the distance.
        second_margin: Margin of the second negative pair (b, n); None (null in YAML) for half of ``margin``. In a batch
            without a third label, the second term is 0.
        **kwargs: See ``BatchTripletLoss``.
    """

    def __init__(self, margin: float = 0.2, second_margin: float | None = None, **kwargs: Any) -> None:
        super().__init__(margin, **kwargs)
        self.second_margin = margin / 2 if second_margin is None else second_margin
        self.add_to_recordable_attributes(list_of_names=["second_margin"], is_stat=False)

    def terms(self, batch: LossBatch, triplets: Triplets) -> dict[str, Tensor]:
        """The hinges of the two negative pairs."""
        of_positive = batch.distances[triplets.anchors, triplets.positives]
        of_second = _second_pairs(batch, triplets)
        return {
            "loss": torch.relu(triplets.gaps + self.margin),
            "second_pair": torch.relu(of_positive - of_second + self.second_margin),
        }

    def _sub_loss_names(self) -> list[str]:
        return ["loss", "second_pair"]


def _second_pairs(batch: LossBatch, triplets: Triplets) -> Tensor:
    """d(b, n) for each triplet; infinite if there is no third label.

    For each reference, the nearest embeddings of two other labels suffice, since at most one has the anchor's label.
    """
    far = batch.distances.masked_fill(batch.same, torch.inf)
    nearest, first = far.min(dim=0)  # (references,)
    of_first = batch.labels[first]
    runner_up = far.masked_fill(batch.labels[:, None] == of_first[None, :], torch.inf).min(dim=0).values
    own = of_first[triplets.negatives] == batch.labels[triplets.anchors]
    return torch.where(own, runner_up[triplets.negatives], nearest[triplets.negatives])
