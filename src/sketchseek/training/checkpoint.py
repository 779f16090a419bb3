"""Checkpoints: tensors as safetensors and everything else as JSON, never pickle, each written atomically.

Both files contain a checksum, which is compared when they are read.
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
"""File of a run's best weights, which are exported."""

PROGRESS = "progress.json"


@dataclass
class TrainingState:
    """State of a run, apart from its tensors.

    Attributes:
        fingerprint: Fingerprint of the experiment (``TrainConfig.fingerprint``).
        step: Number of optimization steps taken.
        best, best_step: Best validation score so far, and its step.
        history: One row of metrics for each evaluation.
    """

    fingerprint: str
    step: int = 0
    best: float = -1.0
    best_step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def save_checkpoint(
    folder: Path, state: TrainingState, modules: dict[str, nn.Module], optimizer: torch.optim.Optimizer
) -> None:
    """Write the tensors, then ``progress.json``. After a crash between the two, the older checkpoint is still complete.

    Args:
        folder: Folder of the run.
        state: State of the run.
        modules: Modules whose state to store, by name.
        optimizer: The run's optimizer.
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
    """Restore modules and optimizer from a folder's checkpoint; a new state if there is none.

    Raises:
        ConfigError: The checkpoint belongs to another experiment, or it is damaged.
    """
    state, name = read_state(folder, fingerprint)
    if not name:
        return state
    try:
        tensors = read_tensors(folder / name)
    except FileNotFoundError as error:
        raise ConfigError("missing.", subject=folder / name, remedy="Train into another folder.") from error
    for module_name, module in modules.items():
        module.load_state_dict(_with_prefix(tensors, f"{module_name}."))
    optimizer_state = optimizer.state_dict()
    optimizer_state["state"] = {}
    for key, value in _with_prefix(tensors, "optimizer.").items():
        number, field_name = key.split(".", 1)
        optimizer_state["state"].setdefault(int(number), {})[field_name] = value
    optimizer.load_state_dict(optimizer_state)
    return state


def read_state(folder: Path, fingerprint: str) -> tuple[TrainingState, str]:
    """The state of a folder's run and the name of its checkpoint file; a new state and no name if there is none.

    Raises:
        ConfigError: The checkpoint belongs to another experiment, or it is damaged.
    """
    file = folder / PROGRESS
    if not file.is_file():
        return TrainingState(fingerprint), ""
    try:
        data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if data.pop("sha256") != _checksum(data):
            raise ValueError("its SHA-256 differs")
        name = str(data.pop("checkpoint"))
        state = TrainingState(**data)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigError(f"damaged ({error}).", subject=file, remedy="Train into another folder.") from error
    if state.fingerprint != fingerprint:
        raise ConfigError(
            "holds a run with other settings.", subject=folder, remedy="Train into another folder, or delete this one."
        )
    return state, name


def best_weights(run: Path, prefix: str = "") -> dict[str, Tensor]:
    """A run's best weights whose names start with a prefix, which is removed from the names.

    Raises:
        ConfigError: The run has no weights, or the file is damaged.
    """
    try:
        return _with_prefix(read_tensors(run / BEST), prefix)
    except FileNotFoundError as error:
        raise ConfigError("no trained run here.", subject=run, remedy="Train that experiment first.") from error


def _checksum(data: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
