from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from pytorch_metric_learning.distances import CosineSimilarity, DotProductSimilarity, LpDistance, SNRDistance
from pytorch_metric_learning.reducers import DoNothingReducer, MeanReducer
from torch import Tensor

from sketchseek.errors import ConfigError
from sketchseek.training.losses import RelativeTripletLoss, TripletLoss, create_loss
from sketchseek.training.losses.batch_triplets import LossBatch
from sketchseek.training.losses.relative_triplet import WEIGHTINGS


def euclidean(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).pow(2).sum().sqrt()


def one_minus_cosine(a: Tensor, b: Tensor) -> Tensor:
    return 1 - torch.cosine_similarity(a, b, dim=0)


def slow_relative_triplet(
    sides: tuple[Tensor, Tensor],
    labels: tuple[Tensor, Tensor],
    compared: Tensor,
    *,
    margin: float,
    cosine: bool,
    compare: str,
    measure: str,
    relative_to: str,
    weighting: str,
    average: str,
) -> Tensor:
    """The formula, one triplet at a time; ``compared`` are the embeddings that weights come from."""
    (sketches, photos), (sketch_labels, photo_labels) = sides, labels
    apart = one_minus_cosine if cosine or measure == "cosine" else euclidean
    gap = one_minus_cosine if cosine else euclidean
    row_labels = sketch_labels if compare == "anchors" else photo_labels
    raw: dict[tuple[int, int], float] = {}
    for row, n in itertools.product(range(len(row_labels)), range(len(photos))):
        if row_labels[row] == photo_labels[n]:
            continue
        if compare == "anchors":
            others = [j for j in range(len(sketches)) if sketch_labels[j] == photo_labels[n]]
        else:
            others = [n]
        if others:
            raw[row, n] = sum(float(apart(compared[row], compared[j])) for j in others) / len(others)

    def weight(row: int, n: int) -> float:
        if (row, n) not in raw:
            r = 1.0
        else:
            over = [d for (i, _), d in raw.items() if relative_to == "batch" or i == row]
            r = raw[row, n] / (sum(over) / len(over))
        return {"far": r, "near": max(0.0, 2 - r), "gaussian": float(torch.tensor(-r * r / 3).exp())}[weighting]

    weighted, weights = [torch.zeros(())], [0.0]
    for a, p, n in itertools.product(range(len(sketches)), range(len(photos)), range(len(photos))):
        if sketch_labels[a] != photo_labels[p] or sketch_labels[a] == photo_labels[n]:
            continue
        loss = torch.relu(gap(sketches[a], photos[p]) - gap(sketches[a], photos[n]) + margin)
        if average == "all" or loss > 0:
            weights.append(weight(a if compare == "anchors" else p, n))
            weighted.append(weights[-1] * loss)
    return torch.stack(weighted).sum() / sum(weights) if sum(weights) else torch.zeros(())


def batch(seed: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Several sketches of one photo, a photo twice, sketches without a photo and photos without a sketch."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (7,), generator=random), torch.randint(0, 5, (6,), generator=random)
    sketches, photos = (torch.randn(n, 5, generator=random).requires_grad_() for n in (7, 6))
    return (sketches, photos), labels


@pytest.mark.parametrize("compare", ["anchors", "positives"])
@pytest.mark.parametrize("measure", ["distance", "cosine"])
@pytest.mark.parametrize("weighting", ["far", "near", "gaussian"])
@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize(
    ("seed", "relative_to", "average"),
    [(0, "anchor", "violating"), (1, "batch", "violating"), (2, "anchor", "all"), (3, "batch", "all")],
)
def test_value_and_gradient_equal_the_slow_loop(
    seed: int, cosine: bool, compare: str, measure: str, weighting: str, relative_to: str, average: str
) -> None:
    sides, labels = batch(seed)
    options: dict[str, Any] = {
        "compare": compare,
        "measure": measure,
        "weighting": weighting,
        "relative_to": relative_to,
        "average": average,
    }
    distance = CosineSimilarity() if cosine else LpDistance(normalize_embeddings=False)
    got = RelativeTripletLoss(0.4, distance=distance, **options)(
        sides[0], labels[0], ref_emb=sides[1], ref_labels=labels[1]
    )
    compared = sides[0 if compare == "anchors" else 1].detach()
    want = slow_relative_triplet(sides, labels, compared, margin=0.4, cosine=cosine, **options)
    assert want > 0
    torch.testing.assert_close(got, want)
    for a, b in zip(torch.autograd.grad(got, sides), torch.autograd.grad(want, sides), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("compare", ["anchors", "positives"])
@pytest.mark.parametrize("measure", ["distance", "cosine"])
@pytest.mark.parametrize("seed", range(3))
def test_weights_from_a_teacher_equal_the_slow_loop(compare: Any, measure: Any, seed: int) -> None:
    sides, labels = batch(seed)
    teachers = torch.randn(7, 3).requires_grad_(), torch.randn(6, 3).requires_grad_()
    loss = RelativeTripletLoss(0.4, compare, measure, teacher=True)
    got = loss(
        sides[0],
        labels[0],
        ref_emb=sides[1],
        ref_labels=labels[1],
        teacher_emb=teachers[0],
        teacher_ref_emb=teachers[1],
    )
    want = slow_relative_triplet(
        sides,
        labels,
        teachers[0 if compare == "anchors" else 1].detach(),
        margin=0.4,
        cosine=False,
        compare=compare,
        measure=measure,
        relative_to="anchor",
        weighting="far",
        average="violating",
    )
    torch.testing.assert_close(got, want)
    for a, b in zip(torch.autograd.grad(got, sides, retain_graph=True), torch.autograd.grad(want, sides), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    assert list(torch.autograd.grad(got, teachers, allow_unused=True)) == [None, None]


def as_sides(sketches: Tensor, labels: Tensor, photos: Tensor, photo_labels: Tensor) -> LossBatch:
    same = labels[:, None] == photo_labels[None, :]
    return LossBatch(sketches, photos, torch.cdist(sketches, photos), labels, photo_labels, same)


@pytest.mark.parametrize(
    ("weighting", "ratio"), [("far", 0.1 / 1.9), ("near", 1.9 / 0.1), ("gaussian", math.exp((1.9**2 - 0.1**2) / 3))]
)
def test_near_twins_weigh_little_and_the_controls_weigh_them_much(weighting: Any, ratio: float) -> None:
    """Sketch 0 is almost sketch 1 and far from sketch 2; their photos are equally far from it."""
    sketches, labels = torch.tensor([[0.0, 0.0], [0.1, 0.0], [1.9, 0.0]]), torch.arange(3)
    photos = torch.tensor([[0.0, 1.0], [2.0, 0.0], [-2.0, 0.0]])
    loss = RelativeTripletLoss(5.0, weighting=weighting, reducer=DoNothingReducer())
    info = loss(sketches, labels, ref_emb=photos, ref_labels=labels)["loss"]
    by_triplet = dict(zip(zip(*(i.tolist() for i in info["indices"]), strict=True), info["losses"], strict=True))
    torch.testing.assert_close(by_triplet[0, 0, 1] / by_triplet[0, 0, 2], torch.tensor(ratio))


def test_the_anchor_of_a_negative_is_the_mean_over_its_sketches() -> None:
    """Photo 1 was drawn twice, at distances 1 and 3; photo 2 once, at 4, and is there twice; photo 3 never."""
    sketches, labels = torch.tensor([[0.0], [1.0], [3.0], [4.0]]), torch.tensor([0, 1, 1, 2])
    photos, photo_labels = torch.zeros(5, 1), torch.tensor([0, 1, 2, 2, 3])
    sides = as_sides(sketches, labels, photos, photo_labels)
    mean = (2 + 4 + 4) / 3
    relative = RelativeTripletLoss().relative_distances(sides)
    torch.testing.assert_close(relative[0, 1:], torch.tensor([2 / mean, 4 / mean, 4 / mean, 1.0]))
    # Over the batch: from sketch 0 to photos 1, 2, 2; from 1 and 2 to 0, 2, 2; from 3 to 0 and 1.
    mean = ((2 + 4 + 4) + (1 + 3 + 3) + (3 + 1 + 1) + (4 + 2)) / 11
    relative = RelativeTripletLoss(relative_to="batch").relative_distances(sides)
    torch.testing.assert_close(relative[0, 1:], torch.tensor([2 / mean, 4 / mean, 4 / mean, 1.0]))


@pytest.mark.parametrize("weighting", ["far", "near", "gaussian"])
@pytest.mark.parametrize("size", [4, 40])  # above 25 rows torch.cdist is not exact for identical points
@pytest.mark.parametrize("cosine", [False, True])
def test_identical_anchors_fall_back_to_the_triplet_loss(weighting: Any, size: int, cosine: bool) -> None:
    torch.manual_seed(1)
    sketches = torch.randn(1, 16).mul(30).repeat(size, 1).requires_grad_()
    photos, labels = torch.randn(size, 16).mul(30).requires_grad_(), torch.arange(size)
    distance = CosineSimilarity() if cosine else LpDistance(normalize_embeddings=False)
    ours = RelativeTripletLoss(0.5, weighting=weighting, distance=distance)
    plain = TripletLoss(0.5, distance=distance)
    values = [loss(sketches, labels, ref_emb=photos, ref_labels=labels) for loss in (ours, plain)]
    # A plain weight is 1 for far, exp(−1/3) for gaussian: normalized, both are the mean.
    torch.testing.assert_close(values[0], values[1])
    for a, b in zip(*(torch.autograd.grad(value, [sketches, photos]) for value in values), strict=True):
        torch.testing.assert_close(a, b)


def test_twins_in_a_large_batch_weigh_exactly_nothing() -> None:
    """Above 25 rows fast distances of identical points are rounding errors of their lengths."""
    torch.manual_seed(0)
    sketches, labels = torch.randn(20, 16).mul(30).repeat(2, 1), torch.arange(40)
    relative = RelativeTripletLoss().relative_distances(as_sides(sketches, labels, torch.randn(40, 16), labels))
    assert not relative[torch.arange(20), torch.arange(20, 40)].any()


@pytest.mark.parametrize("average", ["violating", "all"])
def test_where_only_twins_violate_the_margin_nothing_is_learnt(average: Any) -> None:
    sketches = torch.tensor([[0.0, 0.0], [0.0, 0.0], [50.0, 0.0]], requires_grad=True)
    photos = torch.tensor([[0.0, 1.0], [0.0, 1.0], [50.0, 1.0]], requires_grad=True)
    labels = torch.arange(3)
    plain = TripletLoss(0.5, average=average)(sketches, labels, ref_emb=photos, ref_labels=labels)
    loss = RelativeTripletLoss(0.5, average=average)(sketches, labels, ref_emb=photos, ref_labels=labels)
    loss.backward()
    assert plain > 0
    assert loss == 0
    assert sketches.grad is not None
    assert not sketches.grad.any()
    assert photos.grad is None or not photos.grad.any()


def test_two_pairs_are_a_plain_triplet_loss() -> None:
    """With one negative each, a distance is its own mean."""
    sketches, photos, labels = torch.randn(2, 4), torch.randn(2, 4), torch.arange(2)
    ours, plain = RelativeTripletLoss(5.0), TripletLoss(5.0)
    torch.testing.assert_close(
        ours(sketches, labels, ref_emb=photos, ref_labels=labels),
        plain(sketches, labels, ref_emb=photos, ref_labels=labels),
    )


@pytest.mark.parametrize("compare", ["anchors", "positives"])
def test_the_symmetric_term_takes_the_other_sides_teacher(compare: Any) -> None:
    sides, labels = batch(3)
    teachers = torch.randn(7, 3), torch.randn(6, 4)
    options: dict[str, Any] = {"margin": 0.4, "compare": compare, "teacher": True}
    both = RelativeTripletLoss(symmetric=True, **options)
    one = RelativeTripletLoss(**options)
    got = both(sides[0], labels[0], None, sides[1], labels[1], teacher_emb=teachers[0], teacher_ref_emb=teachers[1])
    there = one(sides[0], labels[0], None, sides[1], labels[1], teacher_emb=teachers[0], teacher_ref_emb=teachers[1])
    back = one(sides[1], labels[1], None, sides[0], labels[0], teacher_emb=teachers[1], teacher_ref_emb=teachers[0])
    torch.testing.assert_close(got, (there + back) / 2)
    assert there != back


def test_hard_negatives_are_weighted_as_they_are_among_all() -> None:
    sketches, photos, labels = torch.randn(6, 4), torch.randn(6, 4), torch.arange(6)

    def by_triplet(negatives: Any) -> dict[tuple[int, ...], float]:
        loss = RelativeTripletLoss(50.0, negatives=negatives, reducer=DoNothingReducer())
        info = loss(sketches, labels, ref_emb=photos, ref_labels=labels)["loss"]
        return dict(zip(zip(*(i.tolist() for i in info["indices"]), strict=True), info["losses"].tolist(), strict=True))

    whole, hard = by_triplet("all"), by_triplet("hard")
    assert len(hard) == 6
    ratios = [hard[triplet] / whole[triplet] for triplet in hard]
    assert ratios == pytest.approx([ratios[0]] * 6, rel=1e-4)


@pytest.mark.parametrize(
    "distance",
    [DotProductSimilarity(), LpDistance(p=1), LpDistance(power=2), SNRDistance()],
    ids=lambda d: str(type(d)),
)
def test_other_distances_of_the_library_give_finite_weights_of_mean_one(distance: Any) -> None:
    sides, labels = batch(2)
    # With so large a margin every hinge is nearly the margin, and so is their weighted mean.
    loss = RelativeTripletLoss(1e4, distance=distance)
    value = loss(sides[0], labels[0], ref_emb=sides[1], ref_labels=labels[1])
    torch.testing.assert_close(value, torch.tensor(1e4), rtol=0.01, atol=0)


def test_with_a_reducer_of_ones_own_weights_have_mean_one_over_what_violates() -> None:
    sides, labels = batch(1)
    loss = RelativeTripletLoss(100.0, reducer=MeanReducer())
    default = RelativeTripletLoss(100.0)
    torch.testing.assert_close(
        loss(sides[0], labels[0], ref_emb=sides[1], ref_labels=labels[1]),
        default(sides[0], labels[0], ref_emb=sides[1], ref_labels=labels[1]),
    )


def test_wrong_settings_and_missing_teachers_are_named() -> None:
    sides, labels = batch(0)
    for name in ("compare", "measure", "relative_to", "weighting"):
        with pytest.raises(ConfigError, match=f"{name}: 'sideways'"):
            RelativeTripletLoss(**dict[str, Any]({name: "sideways"}))
    loss = RelativeTripletLoss(teacher=True)
    with pytest.raises(ConfigError, match="anchors are missing"):
        loss(sides[0], labels[0], ref_emb=sides[1], ref_labels=labels[1], teacher_ref_emb=torch.zeros(6, 2))
    with pytest.raises(ConfigError, match=r"\(6, 2\) for a batch of 7"):
        loss(sides[0], labels[0], ref_emb=sides[1], ref_labels=labels[1], teacher_emb=torch.zeros(6, 2))


def test_a_weighting_of_one_s_own_weighs_the_triplets() -> None:
    """By the formula: Σ w·hinge / Σ w over the triplets with a positive hinge, for w = 1 − exp(−r)."""
    sides, labels = batch(0)
    seen: list[Tensor] = []

    def own(relative: Tensor) -> Tensor:
        seen.append(relative)
        return 1 - torch.exp(-relative)

    got = RelativeTripletLoss(5.0, relative_to="batch", weighting=own)(
        sides[0], labels[0], ref_emb=sides[1], ref_labels=labels[1]
    )
    hinges = RelativeTripletLoss(5.0, weighting=torch.ones_like, reducer=DoNothingReducer())(
        sides[0], labels[0], ref_emb=sides[1], ref_labels=labels[1]
    )["loss"]["losses"]
    (relative,) = seen
    assert relative.shape == hinges.shape
    weights = (1 - torch.exp(-relative)) * (hinges > 0)
    torch.testing.assert_close(got, (weights * hinges).sum() / weights.sum())
    assert got != RelativeTripletLoss(5.0, relative_to="batch")(
        sides[0], labels[0], ref_emb=sides[1], ref_labels=labels[1]
    )


def test_a_named_weighting_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    sides, labels = batch(0)
    monkeypatch.setitem(WEIGHTINGS, "mine", lambda relative: relative.square())
    named = create_loss("relative_triplet", "euclidean", weighting="mine")
    own = RelativeTripletLoss(weighting=torch.square)
    given = {"ref_emb": sides[1], "ref_labels": labels[1]}
    torch.testing.assert_close(named(sides[0], labels[0], **given), own(sides[0], labels[0], **given))
