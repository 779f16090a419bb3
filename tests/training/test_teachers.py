from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from shapes_dataset import SETTINGS
from sketchseek.errors import ConfigError
from sketchseek.training.config import DistilConfig, TrainConfig, parse_config
from sketchseek.training.data import DataSplits, read_pixels
from sketchseek.training.distillation import Distiller
from sketchseek.training.dry_run import dry_run_config
from sketchseek.training.loop import train
from sketchseek.training.run_folder import load_run


@pytest.mark.slow
def test_a_run_teaches_as_its_model_package_does(
    run: Path, package: Path, splits: DataSplits, config: TrainConfig, tmp_path: Path
) -> None:
    data = read_pixels(splits.training, config.photo.size, config.sketch.size, None)
    size = load_run(run)[0].embedding
    sketches = torch.nn.functional.normalize(
        torch.randn(6, size, generator=torch.Generator().manual_seed(1)), dim=1
    ).requires_grad_()
    losses = []
    for name in (run, package):
        settings = DistilConfig([str(name)], regression=1.0, similarity=1.0)
        distiller = Distiller(settings, data, size, tmp_path, lambda *_: None)
        places = np.arange(6)
        pixels, mirrored = torch.from_numpy(data.sketch_pixels[:6]), torch.zeros(6, dtype=torch.bool)
        losses.append(float(distiller.loss(pixels, sketches, sketches, places, mirrored).detach()))
    assert losses[0] == pytest.approx(losses[1], rel=0.02)  # the package has weights in fp16
    again = Distiller(DistilConfig([str(run)], regression=1.0), data, size, tmp_path, lambda *_: None)
    larger = torch.zeros((2, 64, 64), dtype=torch.uint8)
    assert again.sketch_embeddings(larger).shape == (2, size)


def test_a_run_that_held_out_other_photos_does_not_teach(run: Path, splits: DataSplits, tmp_path: Path) -> None:
    other = parse_config(SETTINGS | {"validation_seed": 5, "distil": {"teachers": [str(run)], "distance": 1.0}})
    with pytest.raises(ConfigError, match="held out other photos"):
        train(other, splits, tmp_path, None)


def test_a_dry_run_keeps_a_run_that_teaches(run: Path) -> None:
    named = parse_config(SETTINGS | {"distil": {"teachers": [str(run)], "distance": 1.0}})
    missing = parse_config(SETTINGS | {"distil": {"teachers": ["runs/none"], "distance": 1.0}})
    distil = [dry_run_config(each).distil for each in (named, missing)]
    assert [each.teachers for each in distil if each is not None] == [[str(run)], ["small"]]
