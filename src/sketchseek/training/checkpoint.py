"""Checkpoints: tensors as safetensors, everything else as JSON, never pickle; written aside and renamed.

Both kinds of file hold a checksum that is compared on loading.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sketchseek.atomic_write import atomic_write
from sketchseek.errors import ConfigError
from sketchseek.training.sealed_tensors import read_tensors, write_tensors

BEST = "best.safetensors"
"""The weights of a run that are exported."""

PROGRESS = "progress.json"


@dataclass
class TrainingState:
    """Where a run stands.

    Attributes:
        step: Optimization steps done.
        fingerprint: Of the experiment (``TrainConfig.fingerprint``).
        best: Best validation score so far, and its step.
        history: A row for each evaluation.
    """

    fingerprint: str
    step: int = 0
    best: float = -1.0
    best_step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def save_checkpoint(
    folder: Path, state: TrainingState, modules: dict[str, nn.Module], optimizer: torch.optim.Optimizer
) -> None:
    """Write the tensors, then ``progress.json``; a crash between the two leaves the older pair usable.

    Args:
        folder: The run's folder.
        state: State of the run.
        modules: What has a state to be kept, by name.
        optimizer: Its optimizer.
    """
    tensors = {f"{name}.{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    for number, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{key}": torch.as_tensor(value) for key, value in values.items()}
    name = f"checkpoint-{state.step:07d}.safetensors"
    write_tensors(folder / name, tensors)
    data = asdict(state) | {"checkpoint": name}
    atomic_write(folder / PROGRESS, json.dumps(data | {"sha256": _checksum(data)}, indent=1))
    for old in folder.glob("checkpoint-*.safetensors"):
        if old.name != name:
            old.unlink()


def load_checkpoint(
    folder: Path, fingerprint: str, modules: dict[str, nn.Module], optimizer: torch.optim.Optimizer
) -> TrainingState:
    """Continue from a folder's checkpoint; a new ``TrainingState`` where there is none.

    Raises:
        ConfigError: The checkpoint is another experiment's, or damaged.
    """
    run, name = read_state(folder, fingerprint)
    if not name:
        return run
    try:
        tensors = read_tensors(folder / name)
    except FileNotFoundError as error:
        raise ConfigError("missing.", subject=folder / name, remedy="Train into another folder.") from error
    for part, module in modules.items():
        module.load_state_dict(_part(tensors, f"{part}."))
    optimizer_state = optimizer.state_dict()
    optimizer_state["state"] = {}
    for key, value in _part(tensors, "optimizer.").items():
        number, name = key.split(".", 1)
        optimizer_state["state"].setdefault(int(number), {})[name] = value
    optimizer.load_state_dict(optimizer_state)
    return run


def read_state(folder: Path, fingerprint: str) -> tuple[TrainingState, str]:
    """The state of a folder's run and the name of its checkpoint file; a new state and no name if there is none.

    Raises:
        ConfigError: It is another experiment's, or damaged.
    """
    file = folder / PROGRESS
    if not file.is_file():
        return TrainingState(fingerprint), ""
    try:
        data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if data.pop("sha256") != _checksum(data):
            raise ValueError("its SHA-256 differs")
        name = str(data.pop("checkpoint"))
        run = TrainingState(**data)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigError(f"damaged ({error}).", subject=file, remedy="Train into another folder.") from error
    if run.fingerprint != fingerprint:
        raise ConfigError(
            f"{folder}: holds a run with other settings.", remedy="Train into another folder, or delete this one."
        )
    return run, name


def best_weights(run: Path, part: str = "") -> dict[str, Tensor]:
    """A run's best weights, or those of them whose names start with ``part``, by the rest of their names.

    Raises:
        ConfigError: There are none, or the file is damaged.
    """
    try:
        return _part(read_tensors(run / BEST), part)
    except FileNotFoundError as error:
        raise ConfigError(f"{run}: no trained run here.", remedy="Train that one first.") from error


def _checksum(data: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
