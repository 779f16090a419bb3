"""Cross-batch memory: more negatives than one batch holds (XBM, Wang et al. 2020, arXiv 1912.06798)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn


class CrossBatchMemory(nn.Module):
    """A ring buffer of the photo embeddings of the latest batches, as they were when computed.

    Its state is part of a checkpoint, so that a resumed run continues exactly.

    Args:
        size: Number of embeddings.
        embedding: Dimensions of an embedding.
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
        """Store a batch's photo embeddings (n, d) and the photos' positions in the training set (n,)."""
        size = len(self.photos)
        where = (self.place + torch.arange(len(photos), device=self.place.device)[-size:]) % size
        self.embeddings[where] = embeddings.detach().float()[-size:]
        self.photos[where] = torch.from_numpy(photos).to(self.photos.device)[-size:]
        self.place.copy_((self.place + len(photos)) % size)

    def others(self, photos: npt.NDArray[np.int64]) -> tuple[Tensor, npt.NDArray[np.int64]]:
        """Stored embeddings (m, d) of photos other than these, and their positions (m,)."""
        stored = self.photos.cpu().numpy()
        other = (stored >= 0) & ~np.isin(stored, photos)
        return self.embeddings[torch.from_numpy(other).to(self.embeddings.device)], stored[other]
