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
    """AdamW. Backbones have a learning rate of their own, and only matrices have weight decay."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((".backbone." in name, parameter.ndim > 1), []).append(parameter)
    settings: list[dict[str, Any]] = [
        {
            "params": parameters,
            "lr": config.learning_rate * (config.learning_rate_multiplier if is_backbone else 1.0),
            "weight_decay": config.weight_decay if is_matrix else 0.0,
        }
        for (is_backbone, is_matrix), parameters in sorted(groups.items())
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
