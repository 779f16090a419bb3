"""Tune only some weights of a pretrained backbone: those of its norms, or low-rank updates (LoRA).

LoRA (Hu et al. 2021, arXiv 2106.09685) is a parametrization of torch, not peft: peft replaces whole layers, and
attention that reads the weight of such a layer, as Swin V2's and BEiT's does, would silently train without it.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sketchseek.errors import ConfigError

Tune = Literal["all", "norm", "lora"]


class LowRank(nn.Module):
    """Adds ``up @ down · 2`` to a weight; ``up`` starts at zero, so the weight starts as it is.

    Args:
        weight: (out, in, …), of a linear or convolutional layer.
        rank: Rank of the update.
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.empty(rank, weight[0].numel()))
        self.up = nn.Parameter(torch.zeros(len(weight), rank))
        nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """The updated weight."""
        return weight + 2 * (self.up @ self.down).view_as(weight)


def tune_only(stages: Iterable[nn.Module], tune: Tune, rank: int) -> None:
    """Leave only some of the stages' weights trainable.

    Args:
        stages: The stages that are not frozen.
        tune: ``all``; ``norm``, weights and biases of norms; or ``lora``, low-rank updates of all linear and
            convolutional layers except grouped ones.
        rank: Rank of these updates.

    Raises:
        ConfigError: The stages have no such weights.
    """
    modules = [module for stage in stages for module in stage.modules()]
    if tune == "all" or not modules:
        return
    for module in modules:
        module.requires_grad_(False)
    for module in modules:
        if tune == "norm" and "norm" in type(module).__name__.lower():
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(True)
        elif tune == "lora" and _takes_update(module):
            assert isinstance(module.weight, Tensor)
            parametrize.register_parametrization(module, "weight", LowRank(module.weight, rank))
    everything = itertools.chain.from_iterable(module.parameters() for module in modules)
    if not any(parameter.requires_grad for parameter in everything):
        raise ConfigError(f"tune is {tune}, but the backbone has no such weights.", remedy="Set tune to all.")


def _takes_update(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)


def merged(module: nn.Module) -> nn.Module:
    """A copy of a module in which low-rank updates are part of the weights; the module itself if it has none."""
    if not any(isinstance(each, LowRank) for each in module.modules()):
        return module
    module = copy.deepcopy(module)
    for each in list(module.modules()):
        if parametrize.is_parametrized(each, "weight"):
            # torch's own function changes the class, which the copy has in common with the original.
            weight = nn.Parameter(each.weight.detach().clone())  # type: ignore[operator]
            each.__class__ = parametrize.type_before_parametrizations(each)
            del each.parametrizations
            each.register_parameter("weight", weight)
    return module
