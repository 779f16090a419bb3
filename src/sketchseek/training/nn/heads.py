"""From a feature map to an embedding."""

from __future__ import annotations

from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from sketchseek.errors import ConfigError

HeadNorm = Literal["none", "l2", "batch", "both"]


class EmbeddingHead(nn.Module):
    """Average pooling, a linear layer, and the normalization of the embedding.

    The published recipe (arXiv 2305.18988) has batch normalization where others have L2; its exact head is not
    public, so
    this one is our reconstruction: linear, then batch normalization with its own statistics for each side.

    Args:
        channels: Channels of the feature map.
        embedding: Length of the embedding; None leaves the linear layer out and gives the pooled features themselves.
        norm: ``none``, ``l2``, ``batch``, or ``both`` (batch, then L2).
        dropout: Share of pooled features that are dropped in training.
    """

    def __init__(self, channels: int, embedding: int | None, norm: HeadNorm = "batch", dropout: float = 0.0) -> None:
        super().__init__()
        if norm not in get_args(HeadNorm):
            raise ConfigError(f"head norm {norm!r} is not known.", remedy=f"One of {', '.join(get_args(HeadNorm))}.")
        self.embedding = embedding or channels
        self.norm = norm
        self.dropout = nn.Dropout(dropout)
        # Batch normalization has a bias of its own.
        self.linear = nn.Linear(channels, embedding, bias=norm not in ("batch", "both")) if embedding else nn.Identity()
        self.batch = nn.BatchNorm1d(self.embedding) if norm in ("batch", "both") else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channels, h, w) to (batch, embedding)."""
        x: Tensor = self.batch(self.linear(self.dropout(features.mean(dim=(2, 3)))))
        return F.normalize(x, dim=1) if self.norm in ("l2", "both") else x
