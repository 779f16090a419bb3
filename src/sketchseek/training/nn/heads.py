"""The head: from the output of a backbone to an embedding."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sketchseek.errors import ConfigError
from sketchseek.training.nn.cells import linear_cells, normalized_cells
from sketchseek.training.nn.pooling import Pooling

HeadNorm = Literal["none", "l2", "batch", "both", "scaled"]

_INITIAL_SCALE = 8.0


class EmbeddingHead(nn.Module):
    """Pooling, a linear layer, and the normalization of the embedding.

    The published recipe (arXiv 2305.18988) has batch normalization in place of L2 normalization. Its exact head is not
    public. This is our reconstruction: a linear layer, then batch normalization with separate statistics for each
    branch.

    Args:
        channels: Channels of the backbone's output.
        embedding: Dimensions of the embedding; None for the pooled features without a linear layer.
        norm: ``none``, ``l2``, ``batch``, ``both`` (batch, then L2), or ``scaled`` (L2, then a learned scale, which
            ``DualEncoder`` shares between the branches).
        dropout: Probability of dropping a pooled feature in training.
        pooling: How to pool; None for the mean of a feature map.
    """

    def __init__(
        self,
        channels: int,
        embedding: int | None,
        norm: HeadNorm = "batch",
        dropout: float = 0.0,
        pooling: Pooling | None = None,
    ) -> None:
        super().__init__()
        if norm not in get_args(HeadNorm):
            raise ConfigError(f"There is no norm {norm!r}.", remedy=f"Use one of {', '.join(get_args(HeadNorm))}.")
        self.channels = channels
        self.embedding = embedding or channels
        self.norm = norm
        self.pooling = pooling or Pooling()
        self.dropout = nn.Dropout(dropout)
        # Batch normalization has a bias of its own.
        self.linear = nn.Linear(channels, embedding, bias=norm not in ("batch", "both")) if embedding else nn.Identity()
        self.batch = nn.BatchNorm1d(self.embedding) if norm in ("batch", "both") else nn.Identity()
        self.log_scale = nn.Parameter(torch.tensor(math.log(_INITIAL_SCALE))) if norm == "scaled" else None

    def forward(self, features: Tensor) -> Tensor:
        """A backbone's output, or (batch, channels) pooled features, to (batch, embedding)."""
        x: Tensor = self.batch(self.linear(self.dropout(self.pooling(features))))
        return self._with_scale(F.normalize(x, dim=1)) if self._is_l2 else x

    def folded(self) -> EmbeddingHead:
        """Return a head for inference: the same in evaluation mode, with batch normalization in the linear layer."""
        head = EmbeddingHead(
            self.channels,
            self.embedding if isinstance(self.linear, nn.Linear) else None,
            self.norm if self.norm == "scaled" else "l2" if self._is_l2 else "none",
            pooling=self.pooling,
        )
        head.log_scale = self.log_scale
        if isinstance(self.linear, nn.Linear) and isinstance(head.linear, nn.Linear):
            scale, shift = _affine(self.batch) if isinstance(self.batch, nn.BatchNorm1d) else (torch.ones(1), 0.0)
            bias = torch.zeros(self.embedding) if self.linear.bias is None else self.linear.bias
            with torch.no_grad():
                head.linear.weight.copy_(self.linear.weight * scale[:, None])
                head.linear.bias.copy_(bias * scale + shift)
        else:
            head.batch = self.batch
        return head.eval()

    def cells(self, features: Tensor) -> Tensor:
        """Return each cell's contribution to the embedding, in evaluation mode; see ``sketchseek.training.nn.cells``.

        A backbone's output, which must be pooled by the mean, to (batch, h, w, embedding).
        """
        features = self.pooling.layout.features(features).map
        if isinstance(self.linear, nn.Linear):
            cells = linear_cells(features, self.linear.weight, self.linear.bias)
        else:
            cells = features.permute(0, 2, 3, 1) / (features.shape[2] * features.shape[3])
        if isinstance(self.batch, nn.BatchNorm1d):
            scale, shift = _affine(self.batch)
            cells = cells * scale + shift / (features.shape[2] * features.shape[3])
        return self._with_scale(normalized_cells(cells, cells.sum(dim=(1, 2)))) if self._is_l2 else cells

    def _with_scale(self, x: Tensor) -> Tensor:
        return x if self.log_scale is None else x * self.log_scale.exp()

    @property
    def _is_l2(self) -> bool:
        return self.norm in ("l2", "both", "scaled")


def _affine(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Return what a batch normalization multiplies by and adds in evaluation mode."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return scale, norm.bias - norm.running_mean * scale
