"""The optimizer of a training and its learning-rate schedule."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR

from sketchseek.training.config import TrainConfig
from sketchseek.training.nn.model import DualEncoder


def create_optimizer(model: DualEncoder, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW. Backbones have a learning rate of their own, which may decay from stage to stage towards the input.

    Only matrices have weight decay, and not those that timm exempts, such as position embeddings.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    seen: set[nn.Parameter] = set()
    for branch in (model.sketch, model.photo):
        backbone = branch.backbone
        layers = backbone.layers()
        depth = {id(each): len(layers) - number for number, layer in enumerate(layers) for each in layer}
        for name, parameter in branch.named_parameters():
            if not parameter.requires_grad or parameter in seen:  # branches may share weights
                continue
            seen.add(parameter)
            rate = config.learning_rate
            if id(parameter) in depth:
                rate *= config.learning_rate_multiplier * config.layer_decay ** depth[id(parameter)]
            exempt = parameter.ndim <= 1 or name.split(".")[-1] in backbone.no_weight_decay
            groups.setdefault((rate, 0.0 if exempt else config.weight_decay), []).append(parameter)
    settings: list[dict[str, Any]] = [
        {"params": parameters, "lr": rate, "weight_decay": decay}
        for (rate, decay), parameters in sorted(groups.items())
    ]
    return torch.optim.AdamW(settings)


def create_schedule(optimizer: torch.optim.Optimizer, config: TrainConfig, step: int = 0) -> LRScheduler:
    """Linear warmup from 1/``warmup`` of the learning rate, then cosine decay to 0.

    Args:
        optimizer: Its groups must have their full learning rates.
        config: ``warmup`` and ``steps``.
        step: Number of steps already taken. The schedule continues as if it had seen them.
    """
    cosine = CosineAnnealingLR(optimizer, T_max=max(1, config.steps - config.warmup))
    schedule: LRScheduler = cosine
    if config.warmup:
        linear = LinearLR(optimizer, start_factor=1 / config.warmup, total_iters=config.warmup - 1)
        schedule = SequentialLR(optimizer, [linear, cosine], milestones=[config.warmup])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
        for _ in range(step):
            schedule.step()
    return schedule
