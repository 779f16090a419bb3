from __future__ import annotations

import torch
from torch import nn

from sketchseek.training.loss_scaler import LossScaler


def _step(scaler: LossScaler, parameter: nn.Parameter, loss: torch.Tensor) -> None:
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()


def test_a_step_is_the_optimizer_s() -> None:
    for enabled in (False, True):
        parameter = nn.Parameter(torch.ones(2))
        _step(LossScaler(torch.device("cpu"), enabled=enabled), parameter, (parameter * 0.25).sum())
        torch.testing.assert_close(parameter.detach(), torch.full((2,), 0.75))


def test_an_overflow_leaves_a_step_out_and_halves_the_scale() -> None:
    scaler, parameter = LossScaler(torch.device("cpu"), enabled=True), nn.Parameter(torch.ones(2))
    before = scaler.get_extra_state()
    _step(scaler, parameter, (parameter * torch.inf).sum())
    torch.testing.assert_close(parameter.detach(), torch.ones(2))
    assert scaler.get_extra_state()[0] == before[0] / 2
    other = LossScaler(torch.device("cpu"), enabled=True)
    other.load_state_dict(scaler.state_dict())
    assert torch.equal(other.get_extra_state(), scaler.get_extra_state())
