from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sketchseek.training.losses.preservation import (
    logits_distillation,
    neighborhood_distillation,
    own_space_similarity_distillation,
)


def softmax(values: list[Tensor]) -> list[Tensor]:
    total = sum((value.exp() for value in values), torch.zeros(()))
    return [value.exp() / total for value in values]


def divergence(theirs: list[Tensor], ours: list[Tensor]) -> Tensor:
    """KL(theirs ‖ ours), one probability at a time."""
    return sum((p * (p.log() - q.log()) for p, q in zip(theirs, ours, strict=True)), torch.zeros(()))


def cosine(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum() / (a.pow(2).sum().sqrt() * b.pow(2).sum().sqrt())


def mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean()


def slow_neighborhood(photos: Tensor, teacher: Tensor, ours: float, theirs: float) -> Tensor:
    rows = []
    for i in range(len(photos)):
        others = [j for j in range(len(photos)) if j != i]
        p = softmax([cosine(teacher[i], teacher[j]) / theirs for j in others])
        q = softmax([cosine(photos[i], photos[j]) / ours for j in others])
        rows.append(divergence(p, q))
    return mean(rows)


def slow_logits(logits: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    rows = [
        divergence(softmax([t / temperature for t in theirs]), softmax([o / temperature for o in ours]))
        for ours, theirs in zip(logits, teacher, strict=True)
    ]
    return mean(rows) * temperature * temperature


def slow_similarity(
    student: tuple[Tensor, Tensor], teacher: tuple[Tensor, Tensor], ours: float, theirs: float
) -> Tensor:
    rows = []
    for i in range(len(student[0])):
        p = softmax([cosine(teacher[0][i], photo) / theirs for photo in teacher[1]])
        q = softmax([cosine(student[0][i], photo) / ours for photo in student[1]])
        rows.append(divergence(p, q))
    return mean(rows)


def check(got: Tensor, want: Tensor, inputs: tuple[Tensor, ...]) -> None:
    """Values and gradients are equal."""
    torch.testing.assert_close(got, want)
    for a, b in zip(torch.autograd.grad(got, inputs), torch.autograd.grad(want, inputs), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def values(seed: int, *shapes: tuple[int, int]) -> tuple[Tensor, ...]:
    random = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(shape, generator=random).requires_grad_() for shape in shapes)


@pytest.mark.parametrize("width", [3, 9])
@pytest.mark.parametrize("seed", range(4))
def test_neighborhoods_equal_the_slow_loop(seed: int, width: int) -> None:
    photos, teacher = values(seed, (6, 5), (6, width))
    check(neighborhood_distillation(photos, teacher, 0.2, 0.5), slow_neighborhood(photos, teacher, 0.2, 0.5), (photos,))
    got, want = neighborhood_distillation(photos, teacher, 0.2), slow_neighborhood(photos, teacher, 0.2, 0.2)
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("temperature", [0.7, 2.0, 5.0])
@pytest.mark.parametrize("seed", range(4))
def test_logits_equal_the_slow_loop(seed: int, temperature: float) -> None:
    logits, teacher = values(seed, (5, 8), (5, 8))
    check(logits_distillation(logits, teacher, temperature), slow_logits(logits, teacher, temperature), (logits,))


@pytest.mark.parametrize("width", [3, 9])
@pytest.mark.parametrize("seed", range(4))
def test_similarities_equal_the_slow_loop(seed: int, width: int) -> None:
    sketches, photos, drawn, shown = values(seed, (4, 5), (7, 5), (4, width), (7, width))
    got = own_space_similarity_distillation(sketches, photos, drawn, shown, 0.2, 0.4)
    check(got, slow_similarity((sketches, photos), (drawn, shown), 0.2, 0.4), (sketches, photos))
    got = own_space_similarity_distillation(sketches, photos, drawn, shown, 0.2)
    torch.testing.assert_close(got, slow_similarity((sketches, photos), (drawn, shown), 0.2, 0.2))


def test_a_student_that_is_its_teacher_turned_or_scaled_has_no_loss() -> None:
    photos, sketches = values(0, (6, 4), (3, 4))
    turned = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(1)))[0]
    for loss in (
        neighborhood_distillation(photos, 3 * photos @ turned, 0.1),
        own_space_similarity_distillation(sketches, photos, sketches @ turned, 2 * photos @ turned, 0.1),
        logits_distillation(photos, photos + 7),  # a softmax does not see what is added to all logits
    ):
        assert abs(float(loss.detach())) < 1e-5


def test_extreme_teachers_give_finite_losses() -> None:
    photos, teacher = values(0, (4, 3), (4, 3))
    for loss in (
        neighborhood_distillation(photos, teacher, 0.001),
        logits_distillation(photos * 1e3, teacher * 1e3, 0.5),
        own_space_similarity_distillation(photos, photos, teacher, teacher, 0.001),
    ):
        assert math.isfinite(float(loss.detach()))
        assert float(loss.detach()) >= 0
