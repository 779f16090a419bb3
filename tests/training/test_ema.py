from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from sketchseek.training.ema import create_ema
from sketchseek.training.nn.model import BranchConfig, DualEncoder

SMALL = BranchConfig("shufflenet_v2_x0_5", size=32)


@pytest.mark.parametrize("shared_weights", [False, True])
def test_every_tensor_is_averaged_once_per_update(shared_weights: bool) -> None:
    model = DualEncoder(SMALL, SMALL, embedding=8, shared_weights=shared_weights)
    want = copy.deepcopy(model.state_dict())
    ema = create_ema(model, 0.15)
    for number in range(3):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(1.0)
            for name, buffer in model.named_buffers():
                if "num_batches_tracked" in name:
                    buffer.add_(1)
        ema.update_parameters(model)
        decay = min(0.15, (1 + number) / (10 + number))
        for name, value in model.state_dict().items():
            moved = decay * want[name] + (1 - decay) * value
            want[name] = moved if value.is_floating_point() else value.clone()
    got = ema.module.state_dict()
    assert got.keys() == want.keys()
    for name, value in want.items():
        torch.testing.assert_close(got[name], value)


def test_the_averaged_model_keeps_its_weights_shared() -> None:
    ema = create_ema(DualEncoder(SMALL, SMALL, embedding=8, shared_weights=True), 0.9)
    averaged: Any = ema.module
    assert averaged.photo.backbone is averaged.sketch.backbone
