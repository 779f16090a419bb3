"""Loggers of a training: TensorBoard, which writes files, and Weights & Biases, which sends to its server.

None is used unless it is asked for. Further ones implement ``RunLogger`` and enter ``LOGGERS``.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from sketchseek.errors import MissingExtraError
from sketchseek.training.config import TrainConfig
from sketchseek.training.loop import Events

EVERY = 10
"""Steps between two logged losses."""


class RunLogger(Protocol):
    """Stores the numbers of a run elsewhere."""

    def log(self, step: int, values: dict[str, float]) -> None:
        """Store the loss of a step, or the metrics of an evaluation."""

    def close(self) -> None:
        """Finish writing or sending."""


class TensorBoardLogger:
    """Writes event files to the folder ``tensorboard`` of the run."""

    def __init__(self, folder: Path, config: TrainConfig) -> None:
        summary = _load("torch.utils.tensorboard", "tensorboard")
        self._writer: Any = summary.SummaryWriter(str(folder / "tensorboard"))
        self._writer.add_text("experiment", repr(config))

    def log(self, step: int, values: dict[str, float]) -> None:
        """Write values."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush the file."""
        self._writer.close()


class WandbLogger:
    """Sends settings and numbers to Weights & Biases, with the account of its command ``wandb login``."""

    def __init__(self, folder: Path, config: TrainConfig) -> None:
        wandb = _load("wandb", "wandb")
        self._run: Any = wandb.init(
            project="sketchseek", name=config.name, dir=str(folder), config=dataclasses.asdict(config)
        )

    def log(self, step: int, values: dict[str, float]) -> None:
        """Send values."""
        self._run.log(values, step=step)

    def close(self) -> None:
        """Finish sending."""
        self._run.finish()


LOGGERS: dict[str, Callable[[Path, TrainConfig], RunLogger]] = {
    "tensorboard": TensorBoardLogger,
    "wandb": WandbLogger,
}


def with_loggers(events: Events, loggers: Sequence[RunLogger]) -> Events:
    """Callbacks that also log the loss of every tenth step and each evaluation."""
    if not loggers:
        return events

    def step(number: int, loss: float) -> None:
        events.step(number, loss)
        if number % EVERY == 0:
            for logger in loggers:
                logger.log(number, {"train/loss": loss})

    def evaluated(row: dict[str, float]) -> None:
        events.evaluated(row)
        values = {f"validation/{name}": value for name, value in row.items() if name not in ("step", "loss", "seconds")}
        for logger in loggers:
            logger.log(int(row["step"]), values)

    return Events(events.progress, step, evaluated)


def _load(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(f"{package} is not installed.", remedy=f"pip install {package}") from error
