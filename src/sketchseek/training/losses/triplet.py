"""Triplet loss between sketches and photos."""

from __future__ import annotations

import torch
from torch import Tensor

from sketchseek.training.losses.batch_triplets import BatchTripletLoss, LossBatch, Triplets


class TripletLoss(BatchTripletLoss):
    """``max(0, margin + d(a, p) − d(a, n))`` for anchor *a*, each positive *p* and the chosen negatives *n*.

    Takes the arguments of ``BatchTripletLoss``.
    """

    def terms(self, batch: LossBatch, triplets: Triplets) -> dict[str, Tensor]:
        """The hinge of each triplet."""
        return {"loss": torch.relu(triplets.gaps + self.margin)}
