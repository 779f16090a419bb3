"""A run of four steps on shapes, and its model package. Fixtures import torch themselves: it may not be installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from shapes_dataset import SETTINGS, write_shapes

if TYPE_CHECKING:
    from sketchseek.training.config import TrainConfig
    from sketchseek.training.data import DataSplits


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the data set."""
    return write_shapes(tmp_path_factory.mktemp("shapes"))


@pytest.fixture(scope="session")
def config() -> TrainConfig:
    """The settings of the run."""
    from sketchseek.training.config import parse_config

    return parse_config(SETTINGS)


@pytest.fixture(scope="session")
def splits(shapes: Path, config: TrainConfig) -> DataSplits:
    """What the run is trained and validated on."""
    from sketchseek.training.data import load_sources

    return load_sources(config.sources, shapes, config.validation, config.validation_seed)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, config: TrainConfig, splits: DataSplits) -> Path:
    """The folder of the finished run. Tests must not change it."""
    from sketchseek.training.loop import train
    from sketchseek.training.run_folder import save_experiment

    folder = tmp_path_factory.mktemp("run")
    save_experiment(folder, config)
    train(config, splits, folder, folder / "cache")
    return folder


@pytest.fixture(scope="session")
def package(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run, exported with weights in fp16 by the command line. Tests must not change it."""
    from sketchseek.cli import cli

    out = tmp_path_factory.mktemp("package")
    call = ["export", str(run), "--out", str(out), "--license", "test", "--json"]
    result = json.loads(CliRunner().invoke(cli, call, catch_exceptions=False).stdout)
    assert result["agreement"] == 1.0
    assert result["difference"] < 0.02
    return out
