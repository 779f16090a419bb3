"""Cross-batch memory: more negatives than one batch holds (XBM, Wang et al. 2020, arXiv 1912.06798)."""

from __future__ import annotations

from typing import Any

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
        # The same on the CPU, so that no step has to ask the device.
        self._photos = np.full(size, -1, dtype=np.int64)
        self._place = 0

    def remember(self, embeddings: Tensor, photos: npt.NDArray[np.int64]) -> None:
        """Store a batch's photo embeddings (n, d) and the photos' positions in the training set (n,)."""
        size = len(self._photos)
        where = (self._place + np.arange(len(photos))[-size:]) % size
        self._photos[where] = photos[-size:]
        self._place = (self._place + len(photos)) % size
        on_device = torch.from_numpy(where).to(self.embeddings.device)
        self.embeddings[on_device] = embeddings.detach().float()[-size:]
        self.photos[on_device] = torch.from_numpy(photos).to(self.photos.device)[-size:]
        self.place.fill_(self._place)

    def others(self, photos: npt.NDArray[np.int64]) -> tuple[Tensor, npt.NDArray[np.int64]]:
        """Stored embeddings (m, d) of photos other than these, and their positions (m,)."""
        other = np.flatnonzero((self._photos >= 0) & ~np.isin(self._photos, photos))
        return self.embeddings[torch.from_numpy(other).to(self.embeddings.device)], self._photos[other]

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._photos = self.photos.cpu().numpy().copy()
        self._place = int(self.place)
