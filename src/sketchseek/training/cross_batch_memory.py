"""A memory of photos across batches: more negatives than a batch can hold (XBM, Wang et al. 2020, arXiv 1912.06798)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn


class CrossBatchMemory(nn.Module):
    """The photo embeddings of the latest batches, as they were then: a ring.

    Its state is part of a checkpoint, so that a resumed run continues exactly.

    Args:
        size: How many are remembered.
        embedding: Their length.
    """

    embeddings: Tensor
    photos: Tensor
    place: Tensor

    def __init__(self, size: int, embedding: int) -> None:
        super().__init__()
        self.register_buffer("embeddings", torch.zeros(size, embedding))
        self.register_buffer("photos", torch.full((size,), -1))
        self.register_buffer("place", torch.zeros((), dtype=torch.long))

    def remember(self, embeddings: Tensor, photos: npt.NDArray[np.int64]) -> None:
        """Keep a batch's photo embeddings (n, d) and their positions in the training set (n,)."""
        size = len(self.photos)
        where = (self.place + torch.arange(len(photos), device=self.place.device)[-size:]) % size
        self.embeddings[where] = embeddings.detach().float()[-size:]
        self.photos[where] = torch.from_numpy(photos).to(self.photos.device)[-size:]
        self.place.copy_((self.place + len(photos)) % size)

    def others(self, photos: npt.NDArray[np.int64]) -> tuple[Tensor, npt.NDArray[np.int64]]:
        """What is remembered of other photos than these: embeddings (m, d) and positions (m,)."""
        kept = self.photos.cpu().numpy()
        other = (kept >= 0) & ~np.isin(kept, photos)
        return self.embeddings[torch.from_numpy(other).to(self.embeddings.device)], kept[other]
