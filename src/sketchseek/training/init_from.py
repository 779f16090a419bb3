"""What an experiment's encoders start from: a run, the mean of several, or an exported package."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from sketchseek.errors import ConfigError
from sketchseek.models.package import MANIFEST, ModelPackage, bundled_models, installed_models, load_model_package
from sketchseek.training.checkpoint import best_weights
from sketchseek.training.config import TrainConfig, parse_config
from sketchseek.training.nn.from_package import load_exported
from sketchseek.training.nn.model import SIDES, BranchName, DualEncoder

EXPERIMENT = "experiment.json"
"""The settings of a run, beside its weights."""


def load_start(model: DualEncoder, config: TrainConfig) -> list[BranchName]:
    """Load what an experiment says that it starts from, wholly or by side.

    Returns:
        The sides that come from a package: where they are trained further, ``nn.exported.settle`` comes first.

    Raises:
        ModelPackageError: A package is damaged.
        ConfigError: What it starts from is not there, has other encoders, or held out other photos: it would have been
            trained on what this experiment chooses by.
    """
    exported: list[BranchName] = []
    if config.average:
        load_best(model, [Path(name) for name in config.average])
        for name in config.average:
            _check_held_out(name, _read(Path(name)), config)
    for side in SIDES:
        start = model.side(side).config.start or config.start
        if not start:
            continue
        package = _package(start)
        if package is None:
            load_best(model.side(side), [Path(start)], f"{side}.")
            _check_held_out(start, _read(Path(start)), config)
        else:
            load_exported(model.side(side), package, side)
            settings = package.manifest.training.get("settings")
            if settings is not None:
                _check_held_out(start, parse_config(settings), config)
            exported.append(side)
    return exported


def load_best(model: nn.Module, runs: list[Path], part: str = "") -> None:
    """Load a run's best weights, or the mean of several runs', or the part of them under a prefix.

    Raises:
        ConfigError: There are none, or they belong to other encoders.
    """
    kept: list[dict[str, Tensor]] = []
    for run in runs:
        try:
            model.load_state_dict(best_weights(run, part))
        except RuntimeError as error:
            raise ConfigError(f"{run}: its weights are of other encoders ({str(error).splitlines()[0]}).") from error
        kept.append({name: value.clone() for name, value in model.state_dict().items()})
    if len(kept) > 1:
        model.load_state_dict({name: _mean([weights[name] for weights in kept]) for name in kept[0]})


def read_experiment(file: Path) -> TrainConfig:
    """The settings that a run was trained with.

    Raises:
        ConfigError: The file is damaged.
    """
    try:
        return parse_config(json.loads(file.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ConfigError(f"{file}: damaged ({error}).", remedy="Train into another folder.") from error


def _package(name: str) -> ModelPackage | None:
    """The package of this name or in this folder, if it is one."""
    there = name in bundled_models() or name in installed_models() or (Path(name) / MANIFEST).is_file()
    return load_model_package(name) if there else None


def _read(run: Path) -> TrainConfig:
    return read_experiment(run / EXPERIMENT)


def _check_held_out(name: str, before: TrainConfig, config: TrainConfig) -> None:
    held_out = [(c.validation, c.validation_seed) for c in (before, config)]
    if config.validation and held_out[0] != held_out[1]:
        raise ConfigError(
            f"{name}: it held out other photos than {config.name} does, and was trained on some of those.",
            remedy="Give both experiments the same validation and validation_seed.",
        )


def _mean(values: list[Tensor]) -> Tensor:
    """The mean of floats; of counts, which are not averaged, the last."""
    return torch.stack(values).mean(dim=0) if values[0].is_floating_point() else values[-1]
