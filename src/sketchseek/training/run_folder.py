"""The folder of a run: its settings, its best weights, its checkpoint."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import torch

from sketchseek.atomic_write import atomic_write
from sketchseek.errors import ConfigError
from sketchseek.training.checkpoint import BEST, TrainingState, read_state
from sketchseek.training.config import TrainConfig
from sketchseek.training.init_from import EXPERIMENT, load_best, read_experiment
from sketchseek.training.nn.model import DualEncoder


def build_model(config: TrainConfig) -> DualEncoder:
    """The two encoders of an experiment, initialized with its seed."""
    torch.manual_seed(config.seed)
    return DualEncoder(
        config.sketch,
        config.photo,
        embedding=config.embedding,
        norm=config.norm,
        dropout=config.dropout,
        shared_weights=config.shared_weights,
    )


def save_experiment(folder: Path, config: TrainConfig) -> None:
    """Store a run's settings in its folder.

    Raises:
        ConfigError: The folder holds a run of another experiment.
    """
    file = folder / EXPERIMENT
    if file.is_file() and read_experiment(file).fingerprint != config.fingerprint:
        raise ConfigError(
            "holds a run with other settings.", subject=folder, remedy="Train into another folder (--out)."
        )
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(file, json.dumps(dataclasses.asdict(config), indent=1))


def load_run(folder: Path) -> tuple[DualEncoder, TrainConfig, TrainingState]:
    """The best weights of a run, in evaluation mode, with its settings and its state.

    Raises:
        ConfigError: The folder has no run, or the run has no weights yet.
    """
    if not (folder / BEST).is_file() or not (folder / EXPERIMENT).is_file():
        raise ConfigError(
            "no trained run here.", subject=folder, remedy="Train one: sketchseek train EXPERIMENT --out FOLDER"
        )
    config = read_experiment(folder / EXPERIMENT)
    model = build_model(_without_download(config))
    load_best(model, [folder])
    return model.eval(), config, read_state(folder, config.fingerprint)[0]


def _without_download(config: TrainConfig) -> TrainConfig:
    """The settings with random weights in place of downloaded ones, which the run's own replace."""
    sketch, photo = (
        dataclasses.replace(each, weights="none") if each.weights == "download" else each
        for each in (config.sketch, config.photo)
    )
    return dataclasses.replace(config, sketch=sketch, photo=photo)
