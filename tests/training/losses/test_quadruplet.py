from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from pytorch_metric_learning.distances import CosineSimilarity, LpDistance
from torch import Tensor

from sketchseek.training.losses import QuadrupletLoss, TripletLoss


def slow_quadruplet(
    sides: tuple[Tensor, Tensor],
    labels: tuple[Tensor, Tensor],
    *,
    margin: float,
    second_margin: float,
    cosine: bool,
    average: str,
) -> Tensor:
    """The formula, one quadruplet at a time."""
    (sketches, photos), (sketch_labels, photo_labels) = sides, labels

    def distance(a: Tensor, b: Tensor) -> Tensor:
        return -torch.cosine_similarity(a, b, dim=0) if cosine else (a - b).pow(2).sum().sqrt()

    first, second = [], []
    for a, p, n in itertools.product(range(len(sketches)), range(len(photos)), range(len(photos))):
        if sketch_labels[a] != photo_labels[p] or sketch_labels[a] == photo_labels[n]:
            continue
        d_ap = distance(sketches[a], photos[p])
        first.append(torch.relu(d_ap - distance(sketches[a], photos[n]) + margin))
        third = [
            distance(sketches[b], photos[n])
            for b in range(len(sketches))
            if sketch_labels[b] not in (sketch_labels[a], photo_labels[n])
        ]
        second.append(torch.relu(d_ap - min(third) + second_margin) if third else torch.zeros(()))
    total = torch.zeros(())
    for losses in (first, second):
        counted = [loss for loss in losses if average == "all" or loss > 0]
        if counted:
            total = total + torch.stack(counted).mean()
    return total


@pytest.mark.parametrize("average", ["violating", "all"])
@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_value_and_gradient_equal_the_slow_loop(average: Any, cosine: bool, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (7,), generator=random), torch.randint(0, 5, (6,), generator=random)
    sides = tuple(torch.randn(n, 5, generator=random).requires_grad_() for n in (7, 6))
    distance = CosineSimilarity() if cosine else LpDistance(normalize_embeddings=False)
    loss = QuadrupletLoss(0.4, 0.3, average=average, distance=distance)
    got = loss(sides[0], labels[0], ref_emb=sides[1], ref_labels=labels[1])
    want = slow_quadruplet((sides[0], sides[1]), labels, margin=0.4, second_margin=0.3, cosine=cosine, average=average)
    torch.testing.assert_close(got, want)
    for a, b in zip(torch.autograd.grad(got, sides), torch.autograd.grad(want, sides), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_the_second_pair_is_of_two_other_labels() -> None:
    """Sketches 0 and 1 sit on photo 1; of a third label is only the sketch far off."""
    sketches = torch.tensor([[0.0], [0.0], [9.0]])
    photos = torch.tensor([[1.0], [0.0], [9.0]])
    labels = torch.arange(3)
    # Margins below every gap of a triplet, so that the first term is 0.
    loss = QuadrupletLoss(-100.0, 8.5)
    value = loss(sketches, labels, ref_emb=photos, ref_labels=labels)
    # (a, p, n → b): (0, 0, 1 → 2): 1 − 9; (0, 0, 2 → 1): 1 − 9; (1, 1, 0 → 2): 0 − 8; (1, 1, 2 → 0): 0 − 9;
    # (2, 2, 0 → 1): 0 − 1; (2, 2, 1 → 0): 0 − 0.
    hinges = torch.tensor([1 - 9, 1 - 9, 0 - 8, 0 - 9, 0 - 1, 0 - 0]) + 8.5
    torch.testing.assert_close(value, hinges[hinges > 0].mean())


def test_without_a_third_label_it_is_the_triplet_loss() -> None:
    sides = tuple(torch.randn(4, 3).requires_grad_() for _ in range(2))
    labels = torch.tensor([0, 0, 1, 1])
    values = [
        loss(sides[0], labels, ref_emb=sides[1], ref_labels=labels) for loss in (QuadrupletLoss(9.0), TripletLoss(9.0))
    ]
    torch.testing.assert_close(values[0], values[1])
    for a, b in zip(*(torch.autograd.grad(value, sides) for value in values), strict=True):
        torch.testing.assert_close(a, b)


def test_the_second_margin_is_half_the_first_unless_it_is_given() -> None:
    assert QuadrupletLoss(0.4).second_margin == 0.2
    assert QuadrupletLoss(0.4, 0.0).second_margin == 0.0
