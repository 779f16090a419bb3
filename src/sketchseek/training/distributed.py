"""Training in several processes, one for each device. Each process has its own batches, and all take the same steps.

Lightning Fabric starts the processes by running this program's command once for each, and moves tensors between them.
On several machines, the same command is started on each of them, with ``MASTER_ADDR``, ``MASTER_PORT`` and
``NODE_RANK`` in the environment, or by ``torchrun``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from sketchseek.errors import ConfigError, MissingExtraError
from sketchseek.training.config import TrainConfig


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

    def gather(self, rows: Tensor, counts: Sequence[int]) -> Tensor:
        """Rows (n, …) of all processes, one after the other; their gradients flow back to the process of each row.

        Args:
            rows: The rows of this process.
            counts: Number of rows of each process, by rank.
        """
        if self.world_size == 1:
            return rows
        missing = rows.new_zeros((max(counts) - len(rows), *rows.shape[1:]))
        padded = torch.cat([rows, missing])
        every = self._fabric.all_gather(padded, sync_grads=padded.requires_grad)
        return torch.cat([every[rank, :count] for rank, count in enumerate(counts)])

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


def start_processes(devices: int, nodes: int = 1) -> ProcessGroup:
    """Start one process for each further device; returns in every process.

    Args:
        devices: Number of devices of each machine.
        nodes: Number of machines.

    Raises:
        ConfigError: The machine has fewer devices.
        MissingExtraError: lightning-fabric is not installed.
    """
    if devices == 1 and nodes == 1:
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
    accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    fabric = Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes, strategy="ddp")
    fabric.launch()
    return ProcessGroup(fabric)


def check_processes(config: TrainConfig, group: ProcessGroup) -> None:
    """Check that an experiment can be trained by several processes.

    Raises:
        ConfigError: It cannot.
    """
    if group.world_size == 1:
        return
    if config.cross_batch_memory and not config.all_gather:
        raise ConfigError(
            f"cross_batch_memory is {config.cross_batch_memory}, and each process would have its own.",
            subject=config.name,
            remedy="Set all_gather to true, so that all have the same, or set cross_batch_memory to 0.",
        )
    if config.sync_batch_norm and group.device.type != "cuda":
        raise ConfigError(
            "sync_batch_norm needs GPUs.", subject=config.name, remedy="Set it to false, or train on GPUs."
        )


def synchronize_batch_norm(model: nn.Module) -> None:
    """Let batch normalization measure its statistics over the batches of all processes. Parameters stay the same.

    Only parts that are trained change: frozen stages keep their statistics anyway.
    """
    for name, child in model.named_children():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            if any(parameter.requires_grad for parameter in child.parameters()):
                setattr(model, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))
        else:
            synchronize_batch_norm(child)
