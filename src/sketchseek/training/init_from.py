"""Initialize an experiment's encoders from a run, from the mean of several runs, or from a model package."""

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
from sketchseek.training.nn.model import BRANCHES, BranchName, DualEncoder

EXPERIMENT = "experiment.json"
"""File of a run's settings."""


def load_init_from(model: DualEncoder, config: TrainConfig) -> list[BranchName]:
    """Load the weights that an experiment's ``init_from`` or ``model_soup`` names, for the model or for a branch.

    Returns:
        The branches that come from a model package. Before one trains further, call
        ``nn.from_package.recalibrate_batch_norm``.

    Raises:
        ModelPackageError: A model package is damaged.
        ConfigError: The run or package does not exist, has other encoders, or held out other validation photos, or a
            teacher did. It would have been trained on photos that this experiment validates with.
    """
    from_packages: list[BranchName] = []
    if config.model_soup:
        load_best(model, [Path(name) for name in config.model_soup])
        for name in config.model_soup:
            _check_held_out(name, _read(Path(name)), config)
    for branch in BRANCHES:
        source = model.branch(branch).config.init_from or config.init_from
        if not source:
            continue
        package = _package(source)
        if package is None:
            load_best(model.branch(branch), [Path(source)], f"{branch}.")
            _check_held_out(source, _read(Path(source)), config)
        else:
            load_exported(model.branch(branch), package, branch)
            _check_package(source, package, config)
            from_packages.append(branch)
    for name in config.distil.teachers if config.distil is not None else ():
        if (Path(name) / EXPERIMENT).is_file():
            _check_held_out(name, _read(Path(name)), config)
        else:
            _check_package(name, load_model_package(name), config)
    return from_packages


def load_best(model: nn.Module, runs: list[Path], prefix: str = "") -> None:
    """Load a run's best weights, or the mean of several runs' weights.

    Args:
        model: The module to load into.
        runs: Folders of runs.
        prefix: Load only the weights whose names start with it, such as ``photo.``.

    Raises:
        ConfigError: A run has no weights, or its encoders differ.
    """
    states: list[dict[str, Tensor]] = []
    for run in runs:
        try:
            model.load_state_dict(best_weights(run, prefix))
        except RuntimeError as error:
            raise ConfigError(
                f"its weights are of other encoders ({str(error).splitlines()[0]}).", subject=run
            ) from error
        states.append({name: value.clone() for name, value in model.state_dict().items()})
    if len(states) > 1:
        model.load_state_dict({name: _mean([state[name] for state in states]) for name in states[0]})


def read_experiment(file: Path) -> TrainConfig:
    """The settings of a run.

    Raises:
        ConfigError: The file is damaged.
    """
    try:
        return parse_config(json.loads(file.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ConfigError(f"damaged ({error}).", subject=file, remedy="Train into another folder.") from error


def _package(name: str) -> ModelPackage | None:
    """The model package with this name or in this folder; None if there is none."""
    exists = name in bundled_models() or name in installed_models() or (Path(name) / MANIFEST).is_file()
    return load_model_package(name) if exists else None


def _read(run: Path) -> TrainConfig:
    return read_experiment(run / EXPERIMENT)


def _check_package(name: str, package: ModelPackage, config: TrainConfig) -> None:
    """Check which photos a model package held out, by the settings in its manifest.

    Raises:
        ConfigError: It held out other photos, or its manifest does not say which.
    """
    settings = package.manifest.training.get("settings")
    if not config.validation and config.fold is None:
        return
    if not isinstance(settings, dict):
        raise ConfigError(
            "its manifest does not say which photos it held out, so it may have been trained on photos that "
            f"{config.name} validates with.",
            subject=name,
            remedy="Use a package that `sketchseek export` made, or set validation to 0.",
        )
    _check_held_out(name, parse_config(settings), config)


def _check_held_out(name: str, source: TrainConfig, config: TrainConfig) -> None:
    """Check that an earlier experiment held out the same photos of each data set that both train on.

    The fraction, the seed and the variants that are read decide which photos of a data set are held out.

    Raises:
        ConfigError: It held out others, or another fold.
    """
    if config.fold is not None and source.fold != config.fold:
        raise ConfigError(
            f"it was trained with fold {source.fold}, {config.name} with {config.fold}, so it may have been trained on "
            "photos of this fold.",
            subject=name,
            remedy="Give both experiments the same fold.",
        )
    if not config.validation:
        return
    held_out = [(each.validation, each.validation_seed) for each in (source, config)]
    shared = {s.kind for s in source.sources} & {s.kind for s in config.sources}
    variants = [{(s.kind, s.variant) for s in each.sources if s.kind in shared} for each in (source, config)]
    if shared and (held_out[0] != held_out[1] or not variants[0] <= variants[1]):
        raise ConfigError(
            f"it held out other photos for validation than {config.name}, and trained on some of these.",
            subject=name,
            remedy="Give both experiments the same validation, validation_seed and variants of a data set.",
        )


def _mean(values: list[Tensor]) -> Tensor:
    """The mean of floating-point values; of counters, the last one."""
    return torch.stack(values).mean(dim=0) if values[0].is_floating_point() else values[-1]
