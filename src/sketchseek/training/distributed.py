"""Training in several processes, one for each device. Each process has its own batches, and all take the same steps.

Lightning Fabric starts the processes by running this program's command once for each, and moves tensors between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from sketchseek.errors import ConfigError, MissingExtraError


class ProcessGroup:
    """The processes of a training, as seen from one of them; a single process without ``fabric``.

    Args:
        fabric: A launched ``lightning_fabric.Fabric``.

    Attributes:
        rank: Number of this process, from 0.
        world_size: Number of processes.
        device: Device of this process.
    """

    def __init__(self, fabric: Any = None) -> None:
        self._fabric = fabric
        self.rank: int = 0 if fabric is None else fabric.global_rank
        self.world_size: int = 1 if fabric is None else fabric.world_size
        own = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.device: torch.device = own if fabric is None else fabric.device

    @property
    def is_main(self) -> bool:
        """Whether this is the main process, which validates, writes files and prints."""
        return self.rank == 0

    @contextmanager
    def main_process_first(self) -> Iterator[None]:
        """Run the block in the main process, then in the others, which find the files that it wrote."""
        if not self.is_main:
            self.barrier()
        yield
        if self.is_main:
            self.barrier()

    def barrier(self) -> None:
        """Wait until all processes are here."""
        if self._fabric is not None:
            self._fabric.barrier()

    @torch.no_grad()
    def average_gradients(self, model: nn.Module, loss: Tensor) -> Tensor:
        """Replace every gradient by its mean over the processes; returns the mean of the losses."""
        if self.world_size == 1:
            return loss.detach()
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        for parameter in parameters:
            if parameter.grad is None:  # in this process; another one may have a gradient
                parameter.grad = torch.zeros_like(parameter)
        mean, *gradients = self._average([loss, *(p.grad for p in parameters if p.grad is not None)])
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        return mean

    @torch.no_grad()
    def average_statistics(self, model: nn.Module) -> None:
        """Replace running statistics, which each process measures on its own batches, by their mean."""
        if self.world_size == 1:
            return
        statistics = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
        for buffer, mean in zip(statistics, self._average(statistics), strict=True):
            buffer.copy_(mean)

    def _average(self, tensors: list[Tensor]) -> list[Tensor]:
        """Means over the processes, in one exchange."""
        joined = torch.cat([tensor.detach().reshape(-1).float() for tensor in tensors])
        joined = self._fabric.all_reduce(joined, reduce_op="mean")
        pieces = joined.split([tensor.numel() for tensor in tensors])
        return [piece.view_as(tensor).to(tensor.dtype) for piece, tensor in zip(pieces, tensors, strict=True)]


def start_processes(devices: int) -> ProcessGroup:
    """Start one process for each further device; returns in every process.

    Raises:
        ConfigError: The machine has fewer devices.
        MissingExtraError: lightning-fabric is not installed.
    """
    if devices == 1:
        return ProcessGroup()
    if torch.cuda.is_available() and torch.cuda.device_count() < devices:
        raise ConfigError(
            f"--devices is {devices}, but this machine has {torch.cuda.device_count()}.",
            remedy="Ask for fewer devices.",
        )
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise MissingExtraError(
            "Training on several devices needs lightning-fabric.", remedy="pip install 'sketchseek[train]'"
        ) from error
    fabric = Fabric(accelerator="cuda" if torch.cuda.is_available() else "cpu", devices=devices, strategy="ddp")
    fabric.launch()
    return ProcessGroup(fabric)
