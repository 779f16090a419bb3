"""An exponential moving average (EMA) of a model's weights and buffers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from sketchseek.training.nn.model import DualEncoder


def create_ema(model: DualEncoder, decay: float) -> AveragedModel:
    """Make the moving average of a model, starting at its current weights; ``.module`` holds the averaged model.

    The decay ramps up with the update *n*, ``min(decay, (1 + n) / (10 + n))``, so that the average soon leaves the
    initial weights. Tensors that both branches share are averaged once per update, and counters are copied.
    """

    @torch.no_grad()
    def update(averages: Any, values: Any, count: Tensor | int) -> None:
        number = int(ema.n_averaged) - 1  # on the CPU; to ask for ``count``, on the device, would wait for it
        if averages[0].is_floating_point():
            ramped = min(decay, (1 + number) / (10 + number))
            get_ema_multi_avg_fn(ramped)(averages, values, count)
        else:
            for average, value in zip(averages, values, strict=True):
                average.copy_(value)

    ema = AveragedModel(model, multi_avg_fn=update, use_buffers=True)
    ema.n_averaged.fill_(1)  # at 0 the first update would copy the model and drop the initial weights
    ema.requires_grad_(False).eval()
    return ema
