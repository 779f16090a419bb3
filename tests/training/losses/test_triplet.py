from __future__ import annotations

import itertools
from typing import Literal

import pytest
import torch
from pytorch_metric_learning.distances import CosineSimilarity, LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.reducers import MeanReducer
from torch import Tensor

from sketchseek.errors import ConfigError
from sketchseek.training.losses import LOSSES, create_loss
from sketchseek.training.losses.triplet import TripletLoss

Negatives = Literal["all", "hard", "semihard"]


def slow_triplet(
    sketches: Tensor, labels: Tensor, photos: Tensor, photo_labels: Tensor, margin: float, negatives: str, cosine: bool
) -> Tensor:
    """The formula, one triplet at a time."""

    def distance(a: Tensor, b: Tensor) -> Tensor:
        return -torch.cosine_similarity(a, b, dim=0) if cosine else (a - b).pow(2).sum().sqrt()

    losses = []
    for a, p in itertools.product(range(len(sketches)), range(len(photos))):
        if labels[a] != photo_labels[p]:
            continue
        d_ap = distance(sketches[a], photos[p])
        others = [distance(sketches[a], photos[n]) for n in range(len(photos)) if photo_labels[n] != labels[a]]
        if not others:
            continue
        chosen = others
        if negatives == "hard":
            chosen = [min(others)]
        elif negatives == "semihard":
            beyond = [d for d in others if d > d_ap]
            chosen = [min(beyond)] if beyond else [max(others)]
        losses += [torch.relu(d_ap - d + margin) for d in chosen]
    active = [loss for loss in losses if loss > 0]
    return torch.stack(active).mean() if active else torch.zeros(())


@pytest.mark.parametrize("negatives", ["all", "hard", "semihard"])
@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_value_and_gradient_equal_the_slow_loop(negatives: Negatives, cosine: bool, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    # Labels repeat on both sides: several sketches of one photo, and one photo twice, in a batch.
    labels, photo_labels = torch.randint(0, 4, (7,), generator=random), torch.randint(0, 5, (6,), generator=random)
    values = [torch.randn(n, 5, generator=random, dtype=torch.float32).requires_grad_() for n in (7, 6)]
    loss = TripletLoss(
        0.4, negatives, distance=CosineSimilarity() if cosine else LpDistance(normalize_embeddings=False)
    )
    got = loss(values[0], labels, ref_emb=values[1], ref_labels=photo_labels)
    want = slow_triplet(values[0], labels, values[1], photo_labels, 0.4, negatives, cosine)
    torch.testing.assert_close(got, want)
    for a, b in zip(torch.autograd.grad(got, values), torch.autograd.grad(want, values), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_all_negatives_equal_pytorch_metric_learning() -> None:
    sketches, photos, labels = torch.randn(9, 4), torch.randn(9, 4), torch.arange(9) // 2
    ours = TripletLoss(0.3)(sketches, labels, ref_emb=photos, ref_labels=labels)
    # pytorch-metric-learning takes the labels for the batch's own where they are the same object: hence the clone.
    theirs = TripletMarginLoss(margin=0.3, distance=LpDistance(normalize_embeddings=False))
    torch.testing.assert_close(ours, theirs(sketches, labels, ref_emb=photos, ref_labels=labels.clone()))


def test_a_photo_of_the_same_label_is_never_a_negative() -> None:
    sketches = torch.zeros(2, 2)
    photos = torch.tensor([[5.0, 0.0], [0.0, 0.0], [9.0, 0.0]])  # the middle one would be a very hard negative
    labels = torch.tensor([1, 1])
    loss = TripletLoss(0.0, "hard")(sketches, labels, ref_emb=photos, ref_labels=torch.tensor([1, 1, 2]))
    assert loss == 0


def test_without_reference_an_embedding_is_not_its_own_positive() -> None:
    embeddings = torch.tensor([[0.0], [1.0], [5.0]], requires_grad=True)
    loss = TripletLoss(10.0, reducer=MeanReducer())(embeddings, torch.tensor([0, 0, 1]))
    torch.testing.assert_close(loss, torch.tensor(((1 - 5 + 10) + (1 - 4 + 10)) / 2.0))


@pytest.mark.parametrize("labels", [[0, 0], [0, 1]])
def test_without_a_triplet_the_loss_is_zero_and_has_a_gradient(labels: list[int]) -> None:
    embeddings = torch.randn(2, 3, requires_grad=True)
    reference = torch.tensor([5, 6]) if labels == [0, 1] else torch.tensor([0, 0])
    loss = TripletLoss()(embeddings, torch.tensor(labels), ref_emb=torch.randn(2, 3), ref_labels=reference)
    loss.backward()
    assert loss == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_embeddings_give_the_loss_of_their_values(dtype: torch.dtype) -> None:
    sketches, photos = (100 * torch.randn(8, 16)).to(dtype), (100 * torch.randn(8, 16)).to(dtype)
    labels = torch.arange(8)
    half = TripletLoss(5.0)(sketches, labels, ref_emb=photos, ref_labels=labels)
    full = TripletLoss(5.0)(sketches.float(), labels, ref_emb=photos.float(), ref_labels=labels)
    assert torch.isfinite(half)
    torch.testing.assert_close(half.float(), full)


@pytest.mark.parametrize("name", sorted(LOSSES))
@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_every_registered_loss_falls_when_pairs_come_closer(
    name: str, distance: Literal["euclidean", "cosine"]
) -> None:
    torch.manual_seed(0)
    photos, labels = torch.nn.functional.normalize(torch.randn(6, 4), dim=1), torch.arange(6)
    loss = create_loss(name, distance)
    far = loss(photos.roll(1, 0), labels, ref_emb=photos, ref_labels=labels.clone())
    near = loss(photos + 0.01, labels, ref_emb=photos, ref_labels=labels.clone())
    assert near < far


@pytest.mark.parametrize("name", sorted(LOSSES))
@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_no_registered_loss_pushes_another_copy_of_the_own_photo_away(
    name: str, distance: Literal["euclidean", "cosine"]
) -> None:
    """Photo 0 is in the batch twice: its sketch may be pulled to the copy, but never away from it."""
    torch.manual_seed(0)
    sketches, photos = torch.randn(4, 6), torch.randn(5, 6, requires_grad=True)
    labels, photo_labels = torch.tensor([0, 1, 2, 3]), torch.tensor([0, 1, 2, 3, 0])
    loss = create_loss(name, distance)(sketches, labels, ref_emb=photos, ref_labels=photo_labels)
    (gradient,) = torch.autograd.grad(loss, photos)
    copy = photos[4].detach()
    towards = sketches[0] - copy
    if distance == "cosine":  # along the sphere
        towards = sketches[0] / sketches[0].norm() - copy / copy.norm()
        towards = towards - (towards @ copy) * copy / (copy @ copy)
    assert gradient[4] @ towards <= 1e-6
    assert gradient.abs().sum() > 0


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ConfigError, match="nonesuch"):
        create_loss("nonesuch", "cosine")
    with pytest.raises(ConfigError, match="color"):
        create_loss("triplet", "cosine", color=3)
    with pytest.raises(ConfigError, match="taxicab"):
        create_loss("triplet", "taxicab")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="softest"):
        TripletLoss(negatives="softest")  # type: ignore[arg-type]
