"""Split any network of timm into a chain of stages, so that the first ones can be frozen and their output cached.

No family is named here. One picture is sent through the network; the order in which its parts run says which of them
are blocks, what comes before and behind these, and which belong to its head. A chain counts only if it computes the
same as the whole network. A network that is no chain, such as one whose blocks share rotary embeddings, is one stage.
"""

from __future__ import annotations

import copy
import itertools
import math
import re
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from sketchseek.errors import ConfigError
from sketchseek.training.nn.pooling import Layout, Pool

_BLOCKS = re.compile(r"blocks|layers|stages")
"""Names of containers whose items are stages."""

_BLOCK = re.compile(r"(layer|stage|s)_?\d+")
"""Names of parts that are one stage each."""


@dataclass(frozen=True)
class Split:
    """A network as stages.

    Attributes:
        stages: The stages, in order. If the network's own pooling is used, it is the last one.
        layout: Layout of the output, unless it is pooled.
        pool: How ``Pooling`` has to pool the output.
        pooled: Whether the last stage pools it already, to (batch, channels).
        channels: Channels of the output.
    """

    stages: list[nn.Module]
    layout: Layout
    pool: Literal["mean", "class", "attention"]
    pooled: bool
    channels: int


class FeatureStage(nn.Module):
    """A network of timm, or what is left of it, as a stage: its ``forward_features``."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """A picture to features."""
        features: Tensor = self.net.forward_features(x)  # type: ignore[operator]
        return features


class PoolingStage(nn.Module):
    """The head of a network of timm without its classifier: pooling and what comes with it, such as a norm."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Features to (batch, channels)."""
        pooled: Tensor = self.net.forward_head(x, pre_logits=True).flatten(1)  # type: ignore[operator]
        return pooled


@torch.no_grad()
def split_network(name: str, net: nn.Module, size: int, pool: Pool) -> Split:
    """Split a network.

    Args:
        name: Its name, for messages.
        net: A network of timm without a classifier, with its final weights.
        size: Side of the square pictures that it will get.
        pool: ``auto`` for the network's own pooling, or another one (``Pooling``).

    Raises:
        ConfigError: The network cannot take pictures of this size, or has no class token.
    """
    was_training = net.training
    net.eval()
    picture = torch.randn((2, 3, size, size), generator=torch.Generator().manual_seed(0))
    try:
        body, output = _recorded(net, lambda: net.forward_features(picture))  # type: ignore[operator]
        head, pooled = _recorded(net, lambda: net.forward_head(output, pre_logits=True))  # type: ignore[operator]
    except (RuntimeError, AssertionError, ValueError) as error:
        raise ConfigError(f"{name} cannot take pictures of {size} px ({error}).", remedy="Set another size.") from error
    layout = _layout(name, net, output)
    parts = _parts(net, body, head, picture, output)
    kind, own = _pooling(name, net, head, layout, output, pooled.flatten(1), pool)
    if own:
        parts.append(PoolingStage(_keep(net, head, parameters=False)))
    for stage in parts:
        stage.train(was_training)
    channels = pooled.flatten(1).shape[1] if own else layout.features(output).map.shape[1]
    return Split(parts, layout, kind, own, channels)


def _recorded(net: nn.Module, run: Any) -> tuple[list[str], Tensor]:
    """Which of a network's parts a function runs, in order, and the function's result."""
    order: dict[str, None] = {}

    def note(part: str) -> Any:
        return lambda *_: order.setdefault(part)

    hooks = [
        module.register_forward_pre_hook(note(part))
        for part, child in net.named_children()
        for module in child.modules()
    ]
    try:
        result: Tensor = run()
    finally:
        for hook in hooks:
            hook.remove()
    return list(order), result


def _layout(name: str, net: nn.Module, output: Tensor) -> Layout:
    if output.ndim == 4:
        last = getattr(net, "output_fmt", "NCHW") == "NHWC" or output.shape[1] != net.num_features
        return Layout("channels_last" if last else "map")
    if output.ndim == 3:
        prefix = int(getattr(net, "num_prefix_tokens", 0))
        if math.isqrt(output.shape[1] - prefix) ** 2 == output.shape[1] - prefix:
            return Layout("tokens", prefix)
    raise ConfigError(f"{name} returns features of shape {tuple(output.shape[1:])}.", remedy="Use another backbone.")


def _parts(net: nn.Module, body: list[str], head: list[str], picture: Tensor, output: Tensor) -> list[nn.Module]:
    """The stages of a network up to its features: a chain if it computes the same, or else the whole network."""
    whole = _keep(net, [name for name, _ in net.named_children() if name in body or name not in head])
    blocks, behind, removed = _blocks(net, body)
    if not blocks or not _are_chain(net, [*blocks, *behind], picture):
        return [FeatureStage(whole)]
    stem = copy.copy(whole)
    stem._modules = {**whole._modules, **removed}
    chain: list[nn.Module] = [FeatureStage(stem), *blocks]
    if any(not isinstance(part, nn.Identity) for part in behind):
        chain.append(nn.Sequential(*behind))
    try:
        same = torch.equal(nn.Sequential(*chain)(picture), output)
    except (RuntimeError, TypeError, AssertionError, ValueError):
        same = False
    return chain if same else [FeatureStage(whole)]


def _blocks(net: nn.Module, body: list[str]) -> tuple[list[nn.Module], list[nn.Module], dict[str, nn.Module]]:
    """A network's blocks, its parts behind them, and by name what takes the place of both in the stem."""
    blocks: list[nn.Module] = []
    behind: list[nn.Module] = []
    removed: dict[str, nn.Module] = {}
    for name in body:
        part = net.get_submodule(name)
        if _BLOCKS.fullmatch(name) and isinstance(part, nn.Sequential | nn.ModuleList):
            blocks += list(part)
            removed[name] = type(part)()
        elif blocks or _BLOCK.fullmatch(name):
            (blocks if _BLOCK.fullmatch(name) else behind).append(part)
            removed[name] = nn.Identity()
    return blocks, behind, removed


def _are_chain(net: nn.Module, modules: list[nn.Module], picture: Tensor) -> bool:
    """Whether each of the modules gets the output of the one before it in the network, and nothing else."""
    calls: list[tuple[nn.Module, tuple[Any, ...], dict[str, Any], Any]] = []
    hooks = [module.register_forward_hook(lambda *call: calls.append(call), with_kwargs=True) for module in modules]
    net.forward_features(picture)  # type: ignore[operator]
    for hook in hooks:
        hook.remove()
    if [call[0] for call in calls] != modules:
        return False
    fed = all(after[1][0] is before[3] for before, after in itertools.pairwise(calls) if after[1])
    return fed and all(len(args) == 1 and not any(v is not None for v in kw.values()) for _, args, kw, _ in calls)


def _pooling(
    name: str, net: nn.Module, head: list[str], layout: Layout, output: Tensor, pooled: Tensor, pool: Pool
) -> tuple[Literal["mean", "class", "attention"], bool]:
    """How to pool, and whether the network's own head does it."""
    features = layout.features(output)
    if pool == "class" and not layout.prefix:
        raise ConfigError(f"{name} has no class token.", remedy="Set pool to auto, mean or attention.")
    if pool == "attention":
        modules = (type(module).__name__ for part in head for module in net.get_submodule(part).modules())
        return "attention", any(each.startswith("AttentionPool") for each in modules)
    if pool != "auto":
        return pool, False
    if layout.prefix and torch.allclose(pooled, features.prefix[:, 0], atol=1e-6):
        return "class", False
    mean = features.map.mean(dim=(2, 3))
    return "mean", pooled.shape != mean.shape or not torch.allclose(pooled, mean, rtol=1e-4, atol=1e-5)


def _keep(net: nn.Module, names: list[str], *, parameters: bool = True) -> nn.Module:
    """A copy of a network with only some of its parts. It shares their weights, and its own ones if asked."""
    part = copy.copy(net)
    part._modules = {
        name: module if name in names or module is None else nn.Identity() for name, module in net._modules.items()
    }
    part._parameters = dict(net._parameters) if parameters else dict.fromkeys(net._parameters)
    part._buffers = dict(net._buffers) if parameters else dict.fromkeys(net._buffers)
    return part


def grouped_parameters(net: nn.Module) -> list[list[nn.Parameter]]:
    """A network's parameters in timm's groups of layers, from the input to the output; one group if it names none."""
    if not hasattr(net, "group_matcher"):
        return [list(net.parameters())]
    from timm.models import group_parameters

    matcher: Any = net.group_matcher
    names = group_parameters(net, matcher(coarse=False))
    own = dict(net.named_parameters())
    groups = [[own[name] for name in group if name in own] for _, group in sorted(names.items())]
    return [group for group in groups if group]
