from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import load_file

from shapes_dataset import CATEGORIES, SETTINGS, write_shapes
from sketchseek.cli import cli
from sketchseek.encoder import load_encoder
from sketchseek.errors import ConfigError, DatasetError, ExportError
from sketchseek.models.package import load_model_package
from sketchseek.training.config import SourceConfig, TrainConfig, parse_config
from sketchseek.training.data import DataSplits, load_sources, read_pixels
from sketchseek.training.distributed import ProcessGroup
from sketchseek.training.export import check_parity, export_model
from sketchseek.training.loop import Events, _Run, train
from sketchseek.training.run_folder import load_run, save_experiment
from sketchseek.training.validation import embed, validate


def test_nothing_of_the_test_list_is_read(shapes: Path, splits: DataSplits) -> None:
    listed = {line.removesuffix(".jpg") for line in (shapes / "info/testset.txt").read_text().split()}
    used = {photo.key.split("/", 1)[1] for part in (splits.training, splits.validation) for photo in part.photos}
    assert used
    assert not used & listed


def test_validation_photos_and_their_sketches_are_not_trained_on(splits: DataSplits) -> None:
    held = {photo.key for photo in splits.validation.photos}
    assert {photo.category for photo in splits.validation.photos} == set(CATEGORIES)
    assert not held & {photo.key for photo in splits.training.photos}
    assert not held & {sketch.photo for sketch in splits.training.sketches}


@pytest.mark.slow
def test_an_interrupted_run_continues_to_the_same_weights(
    tmp_path: Path, config: TrainConfig, splits: DataSplits, run: Path
) -> None:
    def interrupt(number: int, loss: float) -> None:
        if number == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, splits, tmp_path, tmp_path / "cache", Events(step=interrupt))
    seen: list[int] = []
    train(config, splits, tmp_path, tmp_path / "cache", Events(step=lambda number, loss: seen.append(number)))
    assert seen == [3, 4]  # the checkpoint is of step 2
    ours, theirs = (load_file(next(folder.glob("checkpoint-*"))) for folder in (tmp_path, run))
    for key in ours:
        torch.testing.assert_close(ours[key], theirs[key], rtol=0, atol=0, msg=key)


def _grads(run: _Run) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in run.model.named_parameters() if p.grad is not None}


@pytest.mark.slow
def test_gradients_of_several_batches_are_averaged(splits: DataSplits, tmp_path: Path) -> None:
    settings = SETTINGS | {"accumulate": 2, "gradient_clip_norm": 1e9, "ema": 0.0}
    runs = [_Run(parse_config(settings), tmp_path, None, Events(), ProcessGroup()) for _ in range(2)]
    for run in runs:
        run.prepare(splits)
        run.model.train()
    runs[0]._step()
    objective = runs[1].objective
    assert objective is not None
    for number in (0, 1):
        objective.loss(number).backward()
    ours, each = _grads(runs[0]), _grads(runs[1])
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, each[name] / 2, msg=name)
    seen: list[int] = []
    monkeyed = runs[0].objective
    assert monkeyed is not None
    loss = monkeyed.loss
    monkeyed.loss = lambda number: (seen.append(number), loss(number))[1]  # type: ignore[method-assign, func-returns-value]
    runs[0]._step()
    assert seen == [2, 3]


@pytest.mark.slow
def test_compiled_stages_are_called_and_stored_as_they_are(
    splits: DataSplits, tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Any] = []

    def watched(call: Any, **_: Any) -> Any:
        compiled.append(call)
        return call

    monkeypatch.setattr(torch, "compile", watched)
    train(parse_config(SETTINGS | {"compile": True}), splits, tmp_path, None)
    assert len(compiled) == 12  # five stages and a head in each branch
    ours, theirs = load_file(tmp_path / "best.safetensors"), load_file(run / "best.safetensors")
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], msg=name)


@pytest.mark.slow
def test_fp16_trains_and_resumes(splits: DataSplits, tmp_path: Path) -> None:
    config = parse_config(SETTINGS | {"precision": "fp16", "ema": 0.0})

    def interrupt(number: int, loss: float) -> None:
        if number == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, splits, tmp_path / "a", None, Events(step=interrupt))
    for folder in ("a", "b"):
        train(config, splits, tmp_path / folder, None)
    ours, theirs = (load_file(next((tmp_path / folder).glob("checkpoint-*"))) for folder in ("a", "b"))
    assert "scaler._extra_state" in ours
    for key, value in ours.items():
        assert torch.isfinite(value).all()
        torch.testing.assert_close(value, theirs[key], rtol=0, atol=0, msg=key)


@pytest.mark.slow
def test_frozen_stages_stay_as_they_were(run: Path, config: TrainConfig) -> None:
    from sketchseek.training.run_folder import build_model

    before, after = build_model(config).state_dict(), load_run(run)[0].state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert not any(key.startswith("photo.backbone.stages.0.") for key in changed)
    assert "photo.backbone.stages.1.0.branch2.0.weight" in changed
    assert "sketch.backbone.stages.0.0.0.weight" in changed


@pytest.mark.slow
def test_another_experiment_is_not_continued(tmp_path: Path, splits: DataSplits, run: Path) -> None:
    other = parse_config(SETTINGS | {"seed": 1})
    with pytest.raises(ConfigError, match="other settings"):
        train(other, splits, run, None)
    with pytest.raises(ConfigError, match="other settings"):
        save_experiment(run, other)


@pytest.mark.slow
def test_training_learns_to_find_shapes(tmp_path: Path) -> None:
    root = write_shapes(tmp_path / "shapes", photos=64)  # with 16, what it finds is the rounding of the processor
    change = {
        "photo": SETTINGS["sketch"],
        "losses": [{"name": "sup_con", "pairs": "category"}, {"name": "triplet"}],
        "batch": {"categories": 4, "photos": 6, "sketches": 2},
        "augment": {},
        "distance": "cosine",
        "steps": 80,
        "evaluate_every": 80,
        "learning_rate": 0.003,
        "learning_rate_multiplier": 1.0,
        "ema": 0.0,
    }
    config = parse_config(SETTINGS | change)
    progress = train(config, load_sources(config.sources, root, 0.25, 0), tmp_path / "run", None)
    # By chance the first photo is of the drawn category in a quarter of the cases.
    assert progress.history[-1]["category@1"] >= 0.5


@pytest.mark.slow
def test_the_package_embeds_as_the_model_does(run: Path, package: Path) -> None:
    load_model_package(package).verify()
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
    model, encoder = load_run(run)[0], load_encoder(package)
    np.testing.assert_allclose(encoder.encode_photo_pixels(pixels), embed(model, "photo", pixels), atol=0.05)
    np.testing.assert_allclose(
        encoder.encode_sketch_pixels(pixels[..., 0]), embed(model, "sketch", pixels[..., 0]), atol=0.05
    )


@pytest.mark.slow
def test_the_manifest_says_how_it_was_made(package: Path) -> None:
    manifest = load_model_package(package).manifest
    assert (manifest.name, manifest.dimensions, manifest.distance) == ("shapes", 16, "euclidean")
    assert (manifest.license, manifest.training["of"]) == ("test", 4)
    assert manifest.training["settings"]["sketch"]["backbone"] == "shufflenet_v2_x0_5"
    best = next(row for row in manifest.training["history"] if row["step"] == manifest.training["steps"])
    assert manifest.scores["validation"]["recall@10"] == best["recall@10"]


@pytest.mark.slow
def test_parity_fails_loudly_for_other_weights(run: Path, package: Path) -> None:
    model = load_run(run)[0]
    with torch.no_grad():
        batch: Any = model.sketch.head.batch
        batch.weight.mul_(torch.linspace(0.8, 1.2, 16))
    with pytest.raises(ExportError, match="differs from its source"):
        check_parity(model, load_encoder(package))


@pytest.mark.parametrize("lengths", [False, True])
def test_validate_counts_a_perfect_model_as_perfect(splits: DataSplits, lengths: bool) -> None:
    """Also where embeddings have other lengths: batch normalization gives those, and a model package unit lengths."""
    held = read_pixels(splits.validation, 32, 32, None)

    class Oracle(torch.nn.Module):
        """Embeds photo i, and every sketch of it, as the unit embedding i."""

        def __init__(self, rows: np.ndarray) -> None:
            super().__init__()
            self.mean = torch.zeros(1)
            self.rows = torch.from_numpy(rows)
            self.place = 0

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            self.place += len(pixels)
            return self.rows[self.place - len(pixels) : self.place]

    eye = np.eye(len(held.photos), dtype=np.float32)
    photo_rows = eye * np.linspace(0.01, 100, len(eye), dtype=np.float32)[:, None] if lengths else eye
    if lengths:  # a little of every other photo: the longest one wins where lengths count
        photo_rows = photo_rows + 0.1 * np.abs(photo_rows).sum(axis=1, keepdims=True)
    sides = {"photo": Oracle(photo_rows), "sketch": Oracle(eye[held.sketch_photo])}

    class Both(torch.nn.Module):
        def branch(self, name: str) -> Oracle:
            return sides[name]

    scores = validate(Both(), held)  # type: ignore[arg-type]
    assert scores == {f"recall@{k}": 1.0 for k in (1, 5, 10)} | {"median_rank": 1.0, "category@1": 1.0}


@pytest.mark.slow
def test_the_command_line_trains(shapes: Path, tmp_path: Path) -> None:
    experiment = tmp_path / "shapes.yaml"
    experiment.write_text(json.dumps(SETTINGS | {"steps": 2}))  # JSON is YAML
    call = ["train", str(experiment), "--data", str(shapes), "--out", str(tmp_path / "run"), "--json"]
    trained = CliRunner().invoke(cli, call, catch_exceptions=False)
    assert json.loads(trained.stdout)["steps"] == 2
    assert load_run(tmp_path / "run")[1].name == "shapes"


@pytest.mark.slow
def test_an_untrained_backbone_exports_its_pooled_features(tmp_path: Path, shapes: Path) -> None:
    side = {"backbone": "shufflenet_v2_x0_5", "size": 32}
    config = parse_config(
        SETTINGS | {"sketch": side, "photo": side, "embedding": None, "norm": "none", "distance": "cosine", "steps": 0}
    )
    train(config, load_sources(config.sources, shapes, 0.25, 0), tmp_path, None)
    save_experiment(tmp_path, config)
    exported, parity = export_model(load_run(tmp_path)[0], config, tmp_path / "model", half_weights=False)
    assert exported.manifest.dimensions == 1024
    assert parity.difference < 0.001


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["evaluation folder", "test split"])
def test_training_refuses_a_mirrored_copy_of_an_evaluation_photo(
    kind: str, config: TrainConfig, shapes: Path, tmp_path: Path
) -> None:
    """A copy in an evaluation set of a training photo, and a copy in a training source of a source's own test photo."""
    clean = load_sources(config.sources, shapes, config.validation, config.validation_seed)
    photos = clean.training.photos if kind == "evaluation folder" else clean.evaluation_photos
    copy = tmp_path / "data" / "photo" / "thing" / "other.jpg"
    copy.parent.mkdir(parents=True)
    (tmp_path / "data" / "sketch" / "thing").mkdir(parents=True)
    Image.new("L", (64, 64), 0).save(tmp_path / "data" / "sketch" / "thing" / "1.png")
    with Image.open(photos[0].path) as image:
        image.convert("RGB").transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((90, 90)).save(copy, quality=60)
    folder = str(tmp_path / "data")
    sources, evaluated = list(config.sources), [folder]
    if kind == "test split":
        sources, evaluated = [*sources, SourceConfig("categories", folder)], []
    splits = load_sources(sources, shapes, config.validation, config.validation_seed, evaluated)
    with pytest.raises(DatasetError, match=r"1 training photo is an evaluation photo.*other\.jpg"):
        train(config, splits, tmp_path / "run", None)


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no trained run"):
        load_run(tmp_path)
