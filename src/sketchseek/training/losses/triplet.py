"""Triplet loss between sketches and photos."""

from __future__ import annotations

import torch
from torch import Tensor

from sketchseek.training.losses.batch_triplets import BatchTripletLoss, Sides, Triplets


class TripletLoss(BatchTripletLoss):
    """For anchor *a*, each positive *p* and chosen negatives *n*: ``max(0, margin + d(a, p) − d(a, n))``.

    Arguments are those of ``BatchTripletLoss``. By default the mean is taken over the triplets that violate the margin.
    """

    def terms(self, sides: Sides, triplets: Triplets) -> dict[str, Tensor]:
        """The hinge of each triplet."""
        return {"loss": torch.relu(triplets.gaps + self.margin)}
