"""The two branches: ImageNet networks of timm with a linear head, fed with the product's uint8 pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sketchseek.training.torchvision_guard import import_timm

AROUND_127 = ((127.0,) * 3, (128.0,) * 3)
IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
NORMALIZATION = {
    "tf_efficientnet_lite0": AROUND_127,
    "tf_efficientnet_lite1": AROUND_127,
    "tf_efficientnet_lite2": AROUND_127,
    "mobilenetv2_100": IMAGENET,
}
"""What is subtracted from and divided out of pixels from 0 to 255, by network."""


@dataclass(frozen=True)
class BranchConfig:
    """One branch.

    Attributes:
        backbone: Name in timm.
        size: Side of its input.
        cut: Photo branch: number of blocks, from the input, that stay as ImageNet left them.
        blocks: Number of blocks that are kept; 0 for all with the network's own last convolution.
        width: Channels of a new last convolution where ``blocks`` is not 0.
    """

    backbone: str
    size: int
    cut: int = 0
    blocks: int = 0
    width: int = 768


def pack_pretrained(name: str, source: Path, file: Path) -> None:
    """Write a package's ImageNet weights under timm's names, in half precision."""
    theirs = list(torch.load(source, weights_only=True, map_location="cpu").values())
    net = import_timm().create_model(name, pretrained=False, num_classes=1000)
    ours = net.state_dict()
    state = {}
    for key, value in zip(ours, theirs, strict=False):
        if ours[key].shape != value.shape:
            raise ValueError(f"{source}: {key} has another shape.")
        state[key] = (value.half() if value.is_floating_point() else value).contiguous()
    save_file(state, file)


def pretrained(name: str, folder: Path | None) -> Any:
    """A network of timm with packed ImageNet weights; random ones where ``folder`` is None."""
    net = import_timm().create_model(name, pretrained=False, num_classes=1000)
    if folder is not None:
        state = {
            k: v.float() if v.is_floating_point() else v for k, v in load_file(folder / f"{name}.safetensors").items()
        }
        missing, _ = net.load_state_dict(state, strict=False)
        if any(not key.startswith("classifier") for key in missing):
            raise ValueError(f"{folder}: weights of {name} lack {missing[:3]}.")
    return net


class PhotoBranch(nn.Module):
    """Photos to embeddings: a trunk that never changes, a tail that may, and a linear head.

    Batch normalization keeps ImageNet's statistics everywhere.
    """

    def __init__(self, config: BranchConfig, dimensions: int, weights: Path | None) -> None:
        super().__init__()
        net = pretrained(config.backbone, weights)
        blocks = list(net.blocks.children())
        self.config = config
        self.trunk = nn.Sequential(net.conv_stem, net.bn1, *blocks[: config.cut])
        self.tail = nn.Sequential(*blocks[config.cut :], net.conv_head, net.bn2)
        self.head = nn.Linear(net.num_features, dimensions)
        self.trunk.requires_grad_(False)
        _register(self, config.backbone, 3)
        self.train(False)  # modules are made in training mode

    def train(self, mode: bool = True) -> PhotoBranch:
        """Stay in evaluation mode."""
        return super().train(False)

    def normalized(self, pixels: Tensor) -> Tensor:
        """(batch, size, size, 3) uint8 to what the trunk takes."""
        return (pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std

    def pooled(self, features: Tensor) -> Tensor:
        """From the trunk's output to pooled features."""
        return self.tail(features).float().mean(dim=(2, 3))

    def forward(self, pixels: Tensor) -> Tensor:
        """(batch, size, size, 3) uint8 to embeddings of unit length."""
        return F.normalize(self.head(self.pooled(self.trunk(self.normalized(pixels)))), dim=1)


class SketchBranch(nn.Module):
    """Sketches to embeddings; one gray channel."""

    def __init__(self, config: BranchConfig, dimensions: int, weights: Path | None) -> None:
        super().__init__()
        net = pretrained(config.backbone, weights)
        self.config = config
        stem = net.conv_stem
        stem.weight = nn.Parameter(stem.weight.data.sum(dim=1, keepdim=True))
        stem.in_channels = 1
        if config.blocks:
            kept = list(net.blocks.children())[: config.blocks]
            channels = _channels(kept)
            last = [
                nn.Conv2d(channels, config.width, 1, bias=False),
                nn.BatchNorm2d(config.width),
                nn.ReLU6(inplace=True),
            ]
            self.features = config.width
            self.net = nn.Sequential(stem, net.bn1, *kept, *last)
        else:
            self.features = int(net.num_features)
            self.net = nn.Sequential(stem, net.bn1, *net.blocks.children(), net.conv_head, net.bn2)
        self.head = nn.Linear(self.features, dimensions)
        _register(self, config.backbone, 1)

    def pooled(self, pixels: Tensor) -> Tensor:
        """(batch, size, size), 0 to 255, to pooled features."""
        x = (pixels.unsqueeze(1).float() - self.mean) / self.std
        if x.shape[-1] != self.config.size:
            x = F.interpolate(x, size=(self.config.size,) * 2, mode="bilinear", align_corners=False)
        return self.net(x.contiguous(memory_format=torch.channels_last)).float().mean(dim=(2, 3))

    def forward(self, pixels: Tensor) -> Tensor:
        """(batch, size, size) uint8 to embeddings of unit length."""
        return F.normalize(self.head(self.pooled(pixels)), dim=1)


def _register(branch: nn.Module, backbone: str, channels: int) -> None:
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in NORMALIZATION[backbone])
    if channels == 1:
        mean, std = mean.mean(dim=1, keepdim=True), std.mean(dim=1, keepdim=True)
    branch.register_buffer("mean", mean, persistent=False)
    branch.register_buffer("std", std, persistent=False)


def _channels(blocks: list[nn.Module]) -> int:
    for module in reversed(list(blocks[-1].modules())):
        if isinstance(module, nn.Conv2d):
            return module.out_channels
    raise ValueError("no convolution in the last block.")
