"""Pooling: from the output of a backbone, whatever its layout, to one vector for each picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from sketchseek.training.torchvision_guard import import_timm

Pool = Literal["auto", "mean", "class", "attention"]


@dataclass(frozen=True)
class Features:
    """The output of a backbone.

    Attributes:
        map: (batch, channels, rows, columns), the features of each place.
        prefix: (batch, prefix tokens, channels), those that belong to no place, such as a class token and registers.
    """

    map: Tensor
    prefix: Tensor


@dataclass(frozen=True)
class Layout:
    """The layout of a backbone's output.

    Attributes:
        kind: ``map``, (batch, channels, rows, columns); ``channels_last``, (batch, rows, columns, channels); or
            ``tokens``, (batch, prefix + rows · columns, channels) of a square picture.
        prefix: Number of prefix tokens, which come first.
    """

    kind: Literal["map", "channels_last", "tokens"] = "map"
    prefix: int = 0

    def features(self, output: Tensor) -> Features:
        """The parts of an output with this layout."""
        if self.kind == "tokens":
            prefix, tokens = output[:, : self.prefix], output[:, self.prefix :]
            side = math.isqrt(tokens.shape[1])
            return Features(tokens.transpose(1, 2).unflatten(2, (side, side)), prefix)
        places = output.permute(0, 3, 1, 2) if self.kind == "channels_last" else output
        # Without a length in Python, which the exporter would take for the size of every batch.
        return Features(places, places.flatten(2).transpose(1, 2)[:, :0])


class Pooling(nn.Module):
    """Pools the output of a backbone to (batch, channels). What is pooled already, (batch, channels), passes through.

    Args:
        layout: Layout of the output.
        kind: ``mean`` over all places; ``class`` token; or ``attention``, a new layer with one learned query
            (timm's ``AttentionPoolLatent``).
        channels: Channels of the output; only needed for ``attention``.
    """

    def __init__(
        self, layout: Layout | None = None, kind: Literal["mean", "class", "attention"] = "mean", channels: int = 0
    ) -> None:
        super().__init__()
        self.layout = layout or Layout()
        self.kind = kind
        self.attention: nn.Module | None = None
        if kind == "attention":
            import_timm()
            from timm.layers import AttentionPoolLatent

            heads = next(heads for heads in (12, 8, 6, 4, 3, 2, 1) if channels % heads == 0)
            self.attention = AttentionPoolLatent(channels, num_heads=heads)

    def forward(self, output: Tensor) -> Tensor:
        """A backbone's output to (batch, channels)."""
        if output.ndim == 2:
            return output
        features = self.layout.features(output)
        if self.kind == "class":
            return features.prefix[:, 0]
        if self.attention is not None:
            pooled: Tensor = self.attention(features.map.flatten(2).transpose(1, 2))
            return pooled
        return features.map.mean(dim=(2, 3))
