from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from shapes_dataset import write_shapes
from sketchseek.encoder import load_encoder
from sketchseek.errors import ConfigError
from sketchseek.training.config import DistilConfig, SourceConfig, parse_config
from sketchseek.training.data import TrainingSet, load_sources, read_pixels
from sketchseek.training.distillation import (
    Distiller,
    angle_loss,
    distance_loss,
    regression_loss,
    similarity_loss,
)
from sketchseek.training.loop import train
from sketchseek.training.run_folder import load_run, save_experiment
from sketchseek.training.validation import embed
from tiny_model import EMBEDDING, SIZE, write_tiny_package


def some(n: int, d: int, seed: int) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def huber(difference: float) -> float:
    return 0.5 * difference**2 if abs(difference) < 1 else abs(difference) - 0.5


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b) / (float(a.norm()) * float(b.norm()))


def slow_regression(s: Tensor, t: Tensor) -> float:
    return sum(1 - cosine(a, b) for a, b in zip(s, t, strict=True)) / len(s)


def slow_distance(s: Tensor, t: Tensor) -> float:
    def relative(x: Tensor) -> list[float]:
        apart = [float((x[i] - x[j]).norm()) for i in range(len(x)) for j in range(len(x)) if i != j]
        return [d / (sum(apart) / len(apart)) for d in apart]

    ours, theirs = relative(s), relative(t)
    return sum(huber(a - b) for a, b in zip(ours, theirs, strict=True)) / len(ours)


def slow_angle(s: Tensor, t: Tensor) -> float:
    n, total = len(s), 0.0
    for i in range(n):
        for j in range(n):
            for k in range(n):
                if i not in (j, k):
                    ours, theirs = (cosine(x[j] - x[i], x[k] - x[i]) for x in (s, t))
                    total += huber(ours - theirs)
    return total / n**3


def slow_similarity(s: Tensor, t: Tensor, photos: Tensor, temperature: float) -> float:
    total = 0.0
    for a, b in zip(s, t, strict=True):
        ours, theirs = ([math.exp(cosine(x, p) / temperature) for p in photos] for x in (a, b))
        for mine, hers in zip(ours, theirs, strict=True):
            p, q = hers / sum(theirs), mine / sum(ours)
            total += p * math.log(p / q)
    return total / len(s)


CASES = {
    "regression": (regression_loss, slow_regression, 6),
    "distance": (distance_loss, slow_distance, 9),  # of another length: only relations are compared
    "angle": (angle_loss, slow_angle, 9),
    "similarity": (lambda s, t: similarity_loss(s, t, some(7, 6, 3), 0.2),
                   lambda s, t: slow_similarity(s, t, some(7, 6, 3), 0.2), 6),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_losses_are_their_formulas(name: str) -> None:
    fast, slow, length = CASES[name]
    student, teacher = some(5, 6, 1).requires_grad_(), some(5, length, 2)
    value = fast(student, teacher)
    assert value.item() == pytest.approx(slow(student.detach(), teacher), rel=1e-6)
    value.backward()
    assert student.grad is not None
    for i, j in ((0, 0), (2, 3), (4, 5)):
        step = torch.zeros_like(student)
        step[i, j] = 1e-5
        up, down = (slow(student.detach() + sign * step, teacher) for sign in (1, -1))
        assert float(student.grad[i, j]) == pytest.approx((up - down) / 2e-5, rel=1e-3, abs=1e-8)


@pytest.mark.parametrize("name", CASES)
def test_who_has_the_teachers_embeddings_has_nothing_to_learn(name: str) -> None:
    fast, _, _ = CASES[name]
    student = some(5, 6, 1).requires_grad_()
    value = fast(student, student.detach().clone())
    assert value.item() == pytest.approx(0, abs=1e-9)
    value.backward()
    assert student.grad is not None
    assert student.grad.isfinite().all()
    assert student.grad.abs().max() < 1e-6


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapes(tmp_path_factory.mktemp("shapes"))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_package(tmp_path_factory.mktemp("teacher")).path)


@pytest.fixture(scope="module")
def data(shapes: Path) -> TrainingSet:
    splits = load_sources([SourceConfig("sketchy", ".")], shapes, 0.0, 0)
    return read_pixels(splits.training, SIZE, SIZE, None)


@pytest.mark.slow
def test_the_teacher_sees_what_the_student_sees(teacher: str, data: TrainingSet, tmp_path: Path) -> None:
    config = DistilConfig([teacher], regression=1.0)
    encoder = load_encoder(teacher)
    photos = np.array([3, 0])
    mirrored = torch.tensor([True, False])
    sketch_pixels = torch.from_numpy(data.sketch_pixels[:4])
    sketches = torch.from_numpy(encoder.encode_sketch_pixels(data.sketch_pixels[:4])).requires_grad_()
    seen = data.photo_pixels[photos].copy()
    seen[0] = seen[0][:, ::-1]
    embedded = torch.from_numpy(encoder.encode_photo_pixels(seen)).requires_grad_()
    for _ in range(2):  # computed, then from the cache
        distiller = Distiller(config, data, EMBEDDING, tmp_path, lambda what, done, total: None)
        assert distiller.loss(sketch_pixels, sketches, embedded, photos, mirrored).item() == pytest.approx(0, abs=1e-4)
        assert (
            distiller.loss(sketch_pixels, sketches, embedded, photos, ~mirrored).item() > 5e-4
        )  # shapes are nearly symmetric
        assert distiller.loss(sketch_pixels, -sketches, embedded.detach(), photos, mirrored).item() == pytest.approx(
            2, 1e-4
        )
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.slow
def test_another_raster_size_is_scaled_for_the_teacher(teacher: str, shapes: Path) -> None:
    larger = read_pixels(load_sources([SourceConfig("sketchy", ".")], shapes, 0.0, 0).training, SIZE, 2 * SIZE, None)
    distiller = Distiller(DistilConfig([teacher], regression=1.0), larger, EMBEDDING, None, lambda *_: None)
    own = [sketch.source for sketch in larger.sketches[:4]]
    expected = torch.from_numpy(np.stack([load_encoder(teacher).encode_sketch(source) for source in own]))
    none = np.zeros(0, dtype=np.int64)
    value = distiller.loss(
        torch.from_numpy(larger.sketch_pixels[:4]), expected.requires_grad_(), torch.zeros(0, EMBEDDING), none,
        torch.zeros(0, dtype=torch.bool),
    )  # fmt: skip
    assert value.item() < 0.02


@pytest.mark.slow
def test_an_ensemble_of_other_lengths_teaches_relations_only(teacher: str, data: TrainingSet, tmp_path: Path) -> None:
    other = str(write_tiny_package(tmp_path / "other", seed=5).path)
    with pytest.raises(ConfigError, match="need one teacher of 8"):
        Distiller(DistilConfig([teacher], similarity=1.0), data, 8, None, lambda *_: None)
    with pytest.raises(ConfigError, match="need one teacher"):
        Distiller(DistilConfig([teacher, other], regression=1.0), data, EMBEDDING, None, lambda *_: None)
    with pytest.raises(ConfigError, match="teachers is empty"):
        Distiller(DistilConfig([]), data, EMBEDDING, None, lambda *_: None)
    config = DistilConfig([teacher, other], distance=1.0, angle=2.0)
    sketch_pixels, sketches = torch.from_numpy(data.sketch_pixels[:4]), some(4, 8, 1).float().requires_grad_()
    empty = np.zeros(0, dtype=np.int64), torch.zeros(0, dtype=torch.bool)
    both = Distiller(config, data, 8, None, lambda *_: None).loss(sketch_pixels, sketches, torch.zeros(0, 8), *empty)
    each = []
    for name in (teacher, other):
        taught = torch.from_numpy(load_encoder(name).encode_sketch_pixels(data.sketch_pixels[:4]))
        each.append(distance_loss(sketches, taught).item() + 2 * angle_loss(sketches, taught).item())
    assert both.item() == pytest.approx(sum(each) / 2, rel=1e-4)


@pytest.mark.slow
def test_a_student_comes_near_its_teacher(shapes: Path, teacher: str, tmp_path: Path) -> None:
    config = parse_config(
        {
            "name": "student",
            "sketch": {"backbone": "shufflenet_v2_x0_5", "size": SIZE},
            "photo": {"backbone": "shufflenet_v2_x0_5", "size": SIZE},
            "embedding": EMBEDDING,
            "distance": "cosine",
            "sources": [{"kind": "sketchy", "path": ".", "pseudo_sketches": True}],
            "losses": [],
            "distil": {"teachers": [teacher], "regression": 1.0, "similarity": 1.0},
            "batch": {"categories": 4, "photos": 4, "sketches": 2, "pseudo_sketches": 4},
            "validation": 0.0,
            "steps": 100,
            "evaluate_every": 100,
            "warmup": 2,
            "learning_rate": 0.01,
            "learning_rate_multiplier": 1.0,
            "ema": 0.0,
        }
    )
    splits = load_sources(config.sources, shapes, 0.0, 0)
    save_experiment(tmp_path, config)
    train(config, splits, tmp_path, None)
    model = load_run(tmp_path)[0]
    data = read_pixels(splits.training, SIZE, SIZE, None)
    real = load_encoder(teacher).encode_photo_pixels(data.photo_pixels[:])
    ours = embed(model, "photo", data.photo_pixels)
    ours /= np.linalg.norm(ours, axis=1, keepdims=True)
    assert (ours * real).sum(axis=1).mean() > 0.8
    assert (ours * np.roll(real, 1, axis=0)).sum(axis=1).mean() < (ours * real).sum(axis=1).mean()
    # More than one place for all: what is left without the mean of each points the same way.
    apart, params = ours - ours.mean(axis=0), real - real.mean(axis=0)
    assert (apart * params).sum() / np.linalg.norm(apart) / np.linalg.norm(params) > 0.3


@pytest.mark.slow
def test_a_side_starts_from_another_run_and_stays_as_it_is(shapes: Path, tmp_path: Path) -> None:
    settings = {
        "name": "first",
        "sketch": {"backbone": "shufflenet_v2_x0_5", "size": 32},
        "photo": {"backbone": "shufflenet_v2_x0_5", "size": 32},
        "embedding": 8,
        "sources": [{"kind": "sketchy", "path": "."}],
        "batch": {"categories": 3, "photos": 4},
        "validation": 0.25,
        "steps": 2,
        "evaluate_every": 2,
    }
    first = parse_config(settings)
    splits = load_sources(first.sources, shapes, first.validation, 0)
    save_experiment(tmp_path / "first", first)
    train(first, splits, tmp_path / "first", None)
    photo = settings["photo"] | {"frozen": 6, "init_from": str(tmp_path / "first")}  # type: ignore[operator]
    second = dataclasses.replace(parse_config(settings | {"photo": photo}), seed=1)
    save_experiment(tmp_path / "second", second)
    train(second, splits, tmp_path / "second", None)
    before, after = (load_run(tmp_path / name)[0] for name in ("first", "second"))
    for key, value in before.photo.state_dict().items():
        torch.testing.assert_close(after.photo.state_dict()[key], value, rtol=0, atol=0, msg=key)
    assert not torch.equal(*(each.sketch.head.linear.state_dict()["weight"] for each in (after, before)))
    other = dataclasses.replace(second, validation_seed=1)
    with pytest.raises(ConfigError, match="held out other photos"):
        train(other, splits, tmp_path / "third", None)
    missing = parse_config(settings | {"photo": photo | {"init_from": str(tmp_path / "none")}})
    with pytest.raises(ConfigError, match="no trained run"):
        train(missing, splits, tmp_path / "third", None)
