from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from sketchseek.errors import ConfigError
from sketchseek.training.config import DistilConfig, FoldConfig, TrainConfig
from sketchseek.training.data import DataSplits, TrainingSet, load_sources, read_pixels
from sketchseek.training.distillation import Distiller
from sketchseek.training.known_embeddings import known_embeddings
from sketchseek.training.loop import train
from sketchseek.training.losses import own_space_similarity_distillation
from sketchseek.training.run_folder import load_run, save_experiment
from sketchseek.training.validation import embed

pytestmark = pytest.mark.slow


def quiet(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def data(splits: DataSplits) -> TrainingSet:
    """The run's training data at another size, as a student may have it."""
    return read_pixels(splits.training, 48, 48, None)


def test_a_run_knows_its_own_embeddings_of_every_picture(
    run: Path, data: TrainingSet, splits: DataSplits, tmp_path: Path
) -> None:
    model, config, _ = load_run(run)
    own = read_pixels(splits.training, config.photo.size, config.sketch.size, None)
    for _ in range(2):  # computed, then with the cache
        sketches, photos = known_embeddings(run, data, tmp_path, quiet)
        np.testing.assert_allclose(sketches, embed(model, "sketch", own.sketch_pixels), atol=1e-3)
        np.testing.assert_allclose(photos, embed(model, "photo", own.photo_pixels), atol=1e-3)


def test_sketches_keep_the_teacher_s_distances_to_the_batch_s_photos(run: Path, data: TrainingSet) -> None:
    config = DistilConfig([str(run)], own_space=2.0, temperature=0.2)
    distiller = Distiller(config, data, 5, None, quiet, fixed=True)
    taught, bank = known_embeddings(run, data, None, quiet)
    generator = torch.Generator().manual_seed(0)
    sketches, photos = (torch.randn(count, 5, generator=generator).requires_grad_() for count in (4, 6))
    places, positions = np.array([1, 2, 3, 4]), np.arange(6)
    pixels = torch.from_numpy(data.sketch_pixels[places])
    got = distiller.loss(pixels, sketches, photos, positions, torch.zeros(6, dtype=torch.bool), places)
    expected = 2 * own_space_similarity_distillation(sketches, photos, taught[places], bank[:6], 0.2)
    torch.testing.assert_close(got, expected)


def test_a_teacher_or_a_start_with_another_fold_is_refused(
    run: Path, config: TrainConfig, shapes: Path, tmp_path: Path
) -> None:
    folded = dataclasses.replace(config, fold=FoldConfig(2), validation=0.0)
    splits = load_sources(config.sources, shapes, 0.0, 0, fold=folded.fold)
    for changes in ({"init_from": str(run)}, {"distil": DistilConfig([str(run)], regression=1.0)}):
        with pytest.raises(ConfigError, match="may have been trained on photos of this fold"):
            train(dataclasses.replace(folded, **changes), splits, tmp_path / "other", None)
    save_experiment(tmp_path / "teacher", folded)
    train(folded, splits, tmp_path / "teacher", None)
    student = dataclasses.replace(
        folded,
        init_from=str(tmp_path / "teacher"),
        distil=DistilConfig([str(tmp_path / "teacher")], regression=1.0),
    )
    assert train(student, splits, tmp_path / "student", None).step == config.steps
