"""The two-encoder model: one encoder for sketches, one for photos, into one embedding space."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from sketchseek.errors import ConfigError
from sketchseek.training.nn.backbones import Backbone, create_backbone
from sketchseek.training.nn.heads import EmbeddingHead, HeadNorm
from sketchseek.training.settings import SETTINGS, Int

BranchName = Literal["photo", "sketch"]
SIDES: tuple[BranchName, BranchName] = ("photo", "sketch")


@dataclass(frozen=True, config=SETTINGS)
class BranchConfig:
    """One branch.

    Attributes:
        backbone: Name of the backbone (``create_backbone``).
        size: Side of the square input, in pixels.
        weights: Initial weights of the backbone (``create_backbone``).
        frozen: Number of frozen stages, counted from the input. The head is the last stage.
        init_from: Run or model package whose branch of the same side, head included, initializes this one. Empty for
            none.
    """

    backbone: str
    size: Annotated[Int, Field(ge=1)] = 128
    weights: str = "none"
    frozen: Annotated[Int, Field(ge=0)] = 0
    init_from: str = ""


class BranchEncoder(nn.Module):
    """One side: pixels in, embedding out.

    Args:
        config: The encoder's settings.
        embedding, norm, dropout: See ``EmbeddingHead``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: BranchConfig, embedding: int | None, norm: HeadNorm, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.backbone: Backbone = create_backbone(config.backbone, config.weights)
        self.head = EmbeddingHead(self.backbone.channels, embedding, norm, dropout)
        if not 0 <= config.frozen <= len(self.stages):
            raise ConfigError(
                f"frozen: {config.frozen}, but {config.backbone} has {len(self.stages)} stages with its head."
            )
        self.register_buffer("mean", torch.tensor(self.backbone.normalization.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(self.backbone.normalization.std).view(1, 3, 1, 1), persistent=False)
        for stage in self.stages[: config.frozen]:
            stage.requires_grad_(False)

    @property
    def stages(self) -> list[nn.Module]:
        """The backbone's stages and the head, in order."""
        return [*self.backbone.stages, self.head]

    def train(self, mode: bool = True) -> BranchEncoder:
        """Set training mode; frozen stages stay in evaluation mode, so that their statistics stay too."""
        super().train(mode)
        for stage in self.stages[: self.config.frozen]:
            stage.eval()
        return self

    def normalize(self, pixels: Tensor) -> Tensor:
        """uint8 photos (batch, size, size, 3) or sketches (batch, size, size) to floats (batch, 3, size, size)."""
        x = pixels.float() / 255.0
        x = x.unsqueeze(1).expand(-1, 3, -1, -1) if x.ndim == 3 else x.permute(0, 3, 1, 2)
        return (x - self.mean) / self.std

    @property
    def frozen_fingerprint(self) -> str:
        """Checksum of the frozen stages, weights and all: with one fingerprint, trunks are the same."""
        digest = hashlib.sha256(f"{self.config}".encode())
        for stage in self.stages[: self.config.frozen]:
            for value in stage.state_dict().values():  # they follow the seed where they start from nothing
                digest.update(value.cpu().numpy().tobytes())
        return digest.hexdigest()[:16]

    def trunk(self, pixels: Tensor) -> Tensor:
        """The output of the frozen stages, which does not change during training: (batch, c, h, w), or (batch, d)."""
        with torch.no_grad():
            x = self.normalize(pixels)
            for stage in self.stages[: self.config.frozen]:
                x = stage(x)
        return x

    def from_trunk(self, x: Tensor) -> Tensor:
        """From the frozen stages' output to the embedding (batch, d)."""
        for stage in self.stages[self.config.frozen :]:
            x = stage(x)
        return x

    def feature_map(self, pixels: Tensor) -> Tensor:
        """uint8 pixels to the last feature map, (batch, channels, h, w)."""
        features: Tensor = self.backbone(self.normalize(pixels))
        return features

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8 pixels to (batch, d)."""
        embedding: Tensor = self.head(self.feature_map(pixels))
        return embedding


class DualEncoder(nn.Module):
    """An encoder for sketches and one for photos.

    Args:
        sketch, photo: Settings of the two sides.
        embedding: Length of the embedding; None for the backbones' pooled features.
        norm, dropout: See ``EmbeddingHead``.
        shared_weights: Use one set of weights for both branches, except for the heads' normalization. Both branches
            must have the same backbone.
    """

    def __init__(
        self,
        sketch: BranchConfig,
        photo: BranchConfig,
        *,
        embedding: int | None = 256,
        norm: HeadNorm = "batch",
        dropout: float = 0.0,
        shared_weights: bool = False,
    ) -> None:
        super().__init__()
        self.sketch = BranchEncoder(sketch, embedding, norm, dropout)
        self.photo = BranchEncoder(photo, embedding, norm, dropout)
        if self.sketch.head.embedding != self.photo.head.embedding:
            raise ConfigError(
                f"the sides' embeddings differ: {self.sketch.head.embedding} and {self.photo.head.embedding}.",
                remedy="Set `embedding`, or use one backbone on both sides.",
            )
        if shared_weights:
            if sketch.backbone != photo.backbone or sketch.frozen != photo.frozen:
                raise ConfigError("shared weights need the same backbone and frozen stages on both sides.")
            self.photo.backbone = self.sketch.backbone
            self.photo.head.linear = self.sketch.head.linear

    @property
    def embedding(self) -> int:
        """Length of the embedding."""
        return self.sketch.head.embedding

    def side(self, name: BranchName) -> BranchEncoder:
        """The encoder of one side."""
        return self.sketch if name == "sketch" else self.photo
