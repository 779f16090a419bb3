"""Runs that start from the weights of runs and model packages."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from shapes_dataset import SETTINGS
from sketchseek.encoder import load_encoder
from sketchseek.errors import ConfigError
from sketchseek.models.package import load_model_package, write_manifest
from sketchseek.training.config import parse_config
from sketchseek.training.data import DataSplits, read_pixels
from sketchseek.training.loop import train
from sketchseek.training.nn.backbones import create_backbone
from sketchseek.training.run_folder import load_run, save_experiment
from sketchseek.training.validation import embed

pytestmark = pytest.mark.slow


def test_a_run_can_start_from_another_s_weights(run: Path, splits: DataSplits, tmp_path: Path) -> None:
    settings = SETTINGS | {"init_from": str(run), "steps": 0}
    train(parse_config(settings), splits, tmp_path, None)
    ours, theirs = load_file(tmp_path / "best.safetensors"), load_file(run / "best.safetensors")
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    with pytest.raises(ConfigError, match="other encoders"):
        train(parse_config(settings | {"embedding": 8}), splits, tmp_path / "other", None)
    with pytest.raises(ConfigError, match="no trained run"):
        train(parse_config(settings | {"init_from": str(tmp_path / "none")}), splits, tmp_path / "third", None)


def test_a_run_can_start_from_the_mean_of_several(run: Path, splits: DataSplits, tmp_path: Path) -> None:
    other = tmp_path / "other"
    config = parse_config(SETTINGS | {"steps": 0, "seed": 7})
    train(config, splits, other, None)
    save_experiment(other, config)
    settings = SETTINGS | {"model_soup": [str(run), str(other)], "steps": 0}
    train(parse_config(settings), splits, tmp_path / "mean", None)
    first, second, mean = (load_file(f / "best.safetensors") for f in (run, other, tmp_path / "mean"))
    name = "sketch.head.linear.weight"
    assert not torch.equal(first[name], second[name])
    torch.testing.assert_close(mean[name], (first[name] + second[name]) / 2)
    with pytest.raises(ConfigError, match="both given"):
        parse_config(settings | {"init_from": str(run)})
    with pytest.raises(ConfigError, match="no trained run"):
        train(parse_config(settings | {"model_soup": [str(run), "none"]}), splits, tmp_path / "third", None)


def test_a_run_can_start_from_a_package(run: Path, package: Path, splits: DataSplits, tmp_path: Path) -> None:
    """The package's network has other parameters, with batch normalization folded, and embeds the same."""
    train(parse_config(SETTINGS | {"init_from": str(package), "steps": 0}), splits, tmp_path, None)
    save_experiment(tmp_path, parse_config(SETTINGS | {"init_from": str(package), "steps": 0}))
    ours, theirs = load_run(tmp_path)[0], load_run(run)[0]
    pixels = read_pixels(splits.training, 32, 32, None).sketch_pixels
    np.testing.assert_allclose(embed(ours, "sketch", pixels), embed(theirs, "sketch", pixels), rtol=1e-2, atol=1e-2)
    assert not torch.equal(*(each.sketch.head.linear.state_dict()["weight"] for each in (ours, theirs)))


def test_what_starts_from_a_package_trains_on_without_a_jolt(package: Path, splits: DataSplits, tmp_path: Path) -> None:
    """Statistics that an export folded away are measured anew before the first step; what is frozen needs none."""
    rate = {"learning_rate": 1e-9, "steps": 1, "ema": 0.0, "evaluate_every": 1}
    sides = {"photo": SETTINGS["photo"] | {"frozen": 6, "init_from": str(package)}}
    config = parse_config(SETTINGS | sides | rate | {"sketch": SETTINGS["sketch"] | {"init_from": str(package)}})
    train(config, splits, tmp_path, None)
    save_experiment(tmp_path, config)
    trained, encoder = load_run(tmp_path)[0], load_encoder(package)
    data = read_pixels(splits.training, 32, 32, None)
    ours, theirs = embed(trained, "sketch", data.sketch_pixels), encoder.encode_sketch_pixels(data.sketch_pixels[:])
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.98
    photos = embed(trained, "photo", data.photo_pixels)
    np.testing.assert_allclose(photos, encoder.encode_photo_pixels(data.photo_pixels[:]), rtol=1e-2, atol=1e-2)
    assert not torch.equal(trained.sketch.head.batch.state_dict()["running_mean"], torch.zeros(16))
    assert torch.equal(trained.photo.head.batch.state_dict()["running_mean"], torch.zeros(16))


@pytest.mark.parametrize("start", ["run", "package"])
def test_a_start_that_held_out_other_photos_is_refused(
    start: str, splits: DataSplits, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(start)
    config = parse_config(SETTINGS | {"init_from": str(folder), "validation_seed": 3, "steps": 0})
    with pytest.raises(ConfigError, match="held out other photos"):
        train(config, splits, tmp_path, None)


@pytest.mark.parametrize("used", ["init_from", "distil"])
def test_a_package_that_held_out_other_photos_or_does_not_say_which_is_refused(
    used: str, package: Path, splits: DataSplits, tmp_path: Path
) -> None:
    """Also a teacher: what it was trained on, its student has seen."""
    copy = tmp_path / "package"
    shutil.copytree(package, copy)
    using = {"init_from": str(copy)} if used == "init_from" else {"distil": {"teachers": [str(copy)], "distance": 1.0}}
    with pytest.raises(ConfigError, match="held out other photos"):
        train(parse_config(SETTINGS | using | {"validation_seed": 3}), splits, tmp_path / "other", None)
    train(parse_config(SETTINGS | using | {"steps": 0}), splits, tmp_path / "same", None)
    manifest = load_model_package(copy).manifest
    write_manifest(copy, dataclasses.replace(manifest, training={}))
    with pytest.raises(ConfigError, match="does not say which photos it held out"):
        train(parse_config(SETTINGS | using), splits, tmp_path / "silent", None)
    train(parse_config(SETTINGS | using | {"validation": 0.0, "steps": 0}), splits, tmp_path / "none", None)


def test_a_backbone_can_start_from_a_run_s_photo_encoder(run: Path, tmp_path: Path) -> None:
    backbone = load_run(run)[1].photo.backbone
    made, theirs = create_backbone(backbone, str(run)), load_run(run)[0].photo.backbone
    assert all(torch.equal(made.state_dict()[key], value) for key, value in theirs.state_dict().items())
    with pytest.raises(ConfigError, match="its photo encoder is another"):
        create_backbone("shufflenet_v2_x2_0", str(run))
    with pytest.raises(ConfigError, match="no trained run"):
        create_backbone(backbone, str(tmp_path))
