"""Loss scaling for fp16, as a module, so that checkpoints store its state."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class LossScaler(nn.Module):
    """torch's ``GradScaler``: scales the loss, so that small gradients do not become 0 in fp16.

    A step whose gradients are not finite is left out, and the scale is lowered. Without ``enabled`` nothing is scaled.

    Args:
        device: Device of the training.
        enabled: Whether to scale.
    """

    def __init__(self, device: torch.device, *, enabled: bool) -> None:
        super().__init__()
        self._scaler = torch.amp.GradScaler(device.type, enabled=enabled)

    def scale(self, loss: Tensor) -> Tensor:
        """The scaled loss."""
        scaled: Tensor = self._scaler.scale(loss)
        return scaled

    def unscale_(self, optimizer: torch.optim.Optimizer) -> None:
        """Scale the gradients back, before they are clipped."""
        self._scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Take the optimizer's step, unless a gradient is not finite."""
        self._scaler.step(optimizer)

    def update(self) -> None:
        """Adapt the scale."""
        self._scaler.update()

    def get_extra_state(self) -> Tensor:
        """Scale and number of steps since it last changed, for checkpoints."""
        state: dict[str, Any] = self._scaler.state_dict()
        return torch.tensor([state.get("scale", 1.0), float(state.get("_growth_tracker", 0))], dtype=torch.float64)

    def set_extra_state(self, state: Tensor) -> None:
        """Restore them."""
        scale, tracker = state.tolist()
        if self._scaler.is_enabled():
            self._scaler.load_state_dict(self._scaler.state_dict() | {"scale": scale, "_growth_tracker": int(tracker)})
