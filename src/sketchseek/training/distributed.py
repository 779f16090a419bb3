"""Training in several processes, one a device: each has batches of its own, and all take the same steps.

Lightning Fabric starts the processes (it runs this program's command once for each) and moves tensors between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from sketchseek.errors import ConfigError, MissingExtraError


class ProcessGroup:
    """One process's view of all; without ``fabric``, a process alone.

    Args:
        fabric: A launched ``lightning_fabric.Fabric``.

    Attributes:
        rank: Number of this process, from 0.
        count: How many there are.
        device: What this process computes on.
    """

    def __init__(self, fabric: Any = None) -> None:
        self._fabric = fabric
        self.rank: int = 0 if fabric is None else fabric.global_rank
        self.count: int = 1 if fabric is None else fabric.world_size
        own = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.device: torch.device = own if fabric is None else fabric.device

    @property
    def first(self) -> bool:
        """Whether this is the process that validates, writes files and speaks."""
        return self.rank == 0

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """The block runs in the first process, then in the others: they find its files."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()

    def wait(self) -> None:
        """Until all processes are here."""
        if self._fabric is not None:
            self._fabric.barrier()

    @torch.no_grad()
    def average_gradients(self, model: nn.Module, loss: Tensor) -> Tensor:
        """Replace every gradient by its mean over processes; returns the mean of the losses."""
        if self.count == 1:
            return loss.detach()
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        for parameter in parameters:
            if parameter.grad is None:  # here; another process may have one
                parameter.grad = torch.zeros_like(parameter)
        mean, *gradients = self._average([loss, *(p.grad for p in parameters if p.grad is not None)])
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        return mean

    @torch.no_grad()
    def average_statistics(self, model: nn.Module) -> None:
        """Replace running statistics, of which every process has its own batches', by their mean over processes."""
        if self.count == 1:
            return
        statistics = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
        for buffer, mean in zip(statistics, self._average(statistics), strict=True):
            buffer.copy_(mean)

    def _average(self, tensors: list[Tensor]) -> list[Tensor]:
        """Means over processes, in one exchange."""
        joined = torch.cat([tensor.detach().reshape(-1).float() for tensor in tensors])
        joined = self._fabric.all_reduce(joined, reduce_op="mean")
        parts = joined.split([tensor.numel() for tensor in tensors])
        return [part.view_as(tensor).to(tensor.dtype) for part, tensor in zip(parts, tensors, strict=True)]


def start_processes(devices: int) -> ProcessGroup:
    """Start a process for each device but the first, which is this one's; returns in each of them.

    Raises:
        ConfigError: There are not so many devices.
        MissingExtraError: lightning-fabric is not installed.
    """
    if devices == 1:
        return ProcessGroup()
    if torch.cuda.is_available() and torch.cuda.device_count() < devices:
        raise ConfigError(f"{devices} devices asked for; there are {torch.cuda.device_count()}.")
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise MissingExtraError(
            "several devices need lightning-fabric.", remedy="pip install 'sketchseek[train]'"
        ) from error
    fabric = Fabric(accelerator="cuda" if torch.cuda.is_available() else "cpu", devices=devices, strategy="ddp")
    fabric.launch()
    return ProcessGroup(fabric)
