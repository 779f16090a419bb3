"""What triplet, quadruplet and relative triplet loss have in common."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import CrossBatchMemory
from pytorch_metric_learning.miners import TripletMarginMiner
from pytorch_metric_learning.reducers import MeanReducer, SumReducer
from pytorch_metric_learning.utils.loss_and_miner_utils import convert_to_triplets, get_all_pairs_indices
from torch import Tensor, nn

from sketchseek.errors import ConfigError
from sketchseek.training.config import parse_config
from sketchseek.training.losses import LOSSES, MINERS, create_loss, create_miner

OURS: list[tuple[str, dict[str, Any]]] = [
    ("triplet", {}),
    ("triplet", {"negatives": "hard"}),
    ("triplet", {"negatives": "semihard", "symmetric": True}),
    ("quadruplet", {}),
    ("quadruplet", {"symmetric": True, "average": "all"}),
    ("relative_triplet", {}),
    ("relative_triplet", {"compare": "positives", "symmetric": True}),
    ("relative_triplet", {"measure": "cosine", "weighting": "gaussian"}),
    ("relative_triplet", {"weighting": "near", "relative_to": "batch", "negatives": "hard", "average": "all"}),
]
every_loss = pytest.mark.parametrize(("name", "options"), OURS, ids=lambda value: str(value))
seeds = st.integers(0, 2**31)


def make(name: str, options: dict[str, Any], margin: float = 0.5, distance: Any = "euclidean") -> nn.Module:
    margins = {"margin": margin, "second_margin": margin / 2} if name == "quadruplet" else {"margin": margin}
    return create_loss(name, distance, **margins, **options)


def batch(seed: int, scale: float = 1.0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sketches, labels, photos, labels; both sides have labels that repeat and labels that the other lacks."""
    random = torch.Generator().manual_seed(seed)
    labels, photo_labels = torch.randint(0, 5, (9,), generator=random), torch.randint(0, 6, (8,), generator=random)
    sketches, photos = (scale * torch.randn(n, 6, generator=random) for n in (9, 8))
    return sketches, labels, photos, photo_labels


def value(loss: nn.Module, sketches: Tensor, labels: Tensor, photos: Tensor, photo_labels: Tensor) -> Tensor:
    result: Tensor = loss(sketches, labels, ref_emb=photos, ref_labels=photo_labels)
    return result


@every_loss
@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
@given(seed=seeds)
@settings(max_examples=10, deadline=None)
def test_order_in_the_batch_does_not_matter(name: str, options: dict[str, Any], distance: Any, seed: int) -> None:
    sketches, labels, photos, photo_labels = batch(seed)
    loss = make(name, options, distance=distance)
    rows = torch.randperm(len(sketches), generator=torch.Generator().manual_seed(seed))
    columns = torch.randperm(len(photos), generator=torch.Generator().manual_seed(seed + 1))
    shuffled = value(loss, sketches[rows], labels[rows], photos[columns], photo_labels[columns])
    torch.testing.assert_close(shuffled, value(loss, sketches, labels, photos, photo_labels))


@every_loss
@given(seed=seeds)
@settings(max_examples=10, deadline=None)
def test_a_perfect_embedding_costs_nothing_without_a_margin(name: str, options: dict[str, Any], seed: int) -> None:
    _, labels, _, photo_labels = batch(seed)
    places = torch.randn(6, 6, generator=torch.Generator().manual_seed(seed))
    assert value(make(name, options, margin=0.0), places[labels], labels, places[photo_labels], photo_labels) == 0


@every_loss
@given(seed=seeds, scale=st.floats(1e-3, 1e3))
@settings(max_examples=10, deadline=None)
def test_the_loss_grows_with_the_scale_of_embeddings_and_margin(
    name: str, options: dict[str, Any], seed: int, scale: float
) -> None:
    sketches, labels, photos, photo_labels = batch(seed)
    small = value(make(name, options, margin=0.5), sketches, labels, photos, photo_labels)
    large = value(make(name, options, margin=0.5 * scale), scale * sketches, labels, scale * photos, photo_labels)
    torch.testing.assert_close(large, scale * small, rtol=1e-4, atol=1e-5 * scale)


@every_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_half_precision_is_finite_and_gives_the_loss_of_its_values(
    name: str, options: dict[str, Any], dtype: torch.dtype, distance: Any, scale: float
) -> None:
    sketches, labels, photos, photo_labels = batch(0, scale)
    margin = 0.5 if distance == "cosine" else 0.5 * scale
    loss = make(name, options, margin, distance)
    halves = [side.to(dtype).requires_grad_() for side in (sketches, photos)]
    fulls = [side.detach().float().requires_grad_() for side in halves]
    half, full = (value(loss, pair[0], labels, pair[1], photo_labels) for pair in (halves, fulls))
    torch.testing.assert_close(half.float(), full, rtol=torch.finfo(dtype).eps, atol=0)
    gradients = [torch.autograd.grad(result, pair) for result, pair in ((half, halves), (full, fulls))]
    for a, b in zip(*gradients, strict=True):
        assert torch.isfinite(a).all()
        # A half-precision gradient may gather two rounded terms: the symmetric ones.
        torch.testing.assert_close(a.float(), b, rtol=2 * torch.finfo(dtype).eps, atol=float(b.abs().max()) * 0.02)
    exact = value(loss, sketches, labels, photos, photo_labels)
    torch.testing.assert_close(full, exact, rtol=0.03, atol=0)


@pytest.mark.parametrize(("name", "options"), [loss for loss in OURS if loss[0] != "relative_triplet"])
@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_gradients_equal_finite_differences(name: str, options: dict[str, Any], distance: Any) -> None:
    """Not of the relative triplet loss: no gradient flows through its weights. Its slow loop checks its gradients."""
    sketches, labels, photos, photo_labels = batch(3)
    loss = make(name, options, distance=distance)
    sides = [side[:, :3].double().requires_grad_() for side in (sketches[:6], photos[:5])]
    assert torch.autograd.gradcheck(lambda s, p: value(loss, s, labels[:6], p, photo_labels[:5]), sides)


@every_loss
@pytest.mark.parametrize("labels", ["one label", "no pair"])
def test_without_a_triplet_the_loss_is_zero_and_has_a_gradient(name: str, options: dict[str, Any], labels: str) -> None:
    sides = [torch.randn(3, 4).requires_grad_() for _ in range(2)]
    drawn, shown = (torch.zeros(3), torch.zeros(3)) if labels == "one label" else (torch.arange(3), torch.arange(3, 6))
    result = value(make(name, options), sides[0], drawn, sides[1], shown)
    result.backward()
    assert result == 0
    assert sides[0].grad is not None
    assert not sides[0].grad.any()


@every_loss
@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
@pytest.mark.parametrize("where", [0.0, 1.0])
def test_a_collapsed_batch_has_finite_gradients(
    name: str, options: dict[str, Any], distance: Any, where: float
) -> None:
    sides = [torch.full((30, 8), where).requires_grad_() for _ in range(2)]
    labels = torch.arange(30) // 2
    result = value(make(name, options, distance=distance), sides[0], labels, sides[1], labels.clone())
    result.backward()
    # Every triplet violates by the margin; fast distances of identical points are off by their rounding.
    expected = 0.5 + (0.25 if name == "quadruplet" else 0)
    torch.testing.assert_close(result, torch.tensor(expected), rtol=0, atol=5e-3)
    assert all(side.grad is not None and torch.isfinite(side.grad).all() for side in sides)


@every_loss
def test_a_second_copy_of_the_own_photo_is_not_pushed_away(name: str, options: dict[str, Any]) -> None:
    """Two copies of photo 0 in a batch: the one farther from the sketch is drawn to it, never pushed."""
    sketches = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    photos = torch.tensor([[0.2, 0.0], [-0.5, 0.0], [10.0, 0.0], [0.0, 10.0]], requires_grad=True)
    labels, photo_labels = torch.arange(3), torch.tensor([0, 0, 1, 2])
    only_first = value(make(name, options, margin=30.0), sketches[:1], labels[:1], photos, photo_labels)
    gradient = torch.autograd.grad(only_first, photos)[0]
    assert gradient[0, 0] > 0  # a step along −gradient moves it left, to the sketch
    assert gradient[1, 0] < 0  # and the other right


@every_loss
@pytest.mark.parametrize("reducer", [MeanReducer(), SumReducer(), None])
def test_symmetric_is_the_mean_of_both_directions(name: str, options: dict[str, Any], reducer: Any) -> None:
    sketches, labels, photos, photo_labels = batch(1)
    plain = {key: option for key, option in options.items() if key != "symmetric"} | {"reducer": reducer}
    both = value(make(name, plain | {"symmetric": True}), sketches, labels, photos, photo_labels)
    one = make(name, plain)
    there, back = (
        value(one, sketches, labels, photos, photo_labels),
        value(one, photos, photo_labels, sketches, labels),
    )
    torch.testing.assert_close(both, (there + back) / 2)
    assert there != back
    alone = make(name, plain | {"symmetric": True})(sketches, labels)
    torch.testing.assert_close(alone, one(sketches, labels))


@every_loss
def test_an_experiment_file_can_name_it(name: str, options: dict[str, Any]) -> None:
    config = parse_config(
        {
            "name": "x",
            "sketch": {"backbone": "a"},
            "photo": {"backbone": "b"},
            "sources": [],
            "losses": [{"name": name, "options": {"margin": 0.1} | options}],
        }
    )
    term = config.losses[0]
    made = create_loss(term.name, config.distance, **term.options)
    assert isinstance(made, LOSSES[name])
    assert all(getattr(made, key) == params for key, params in options.items())


@pytest.mark.parametrize("name", ["triplet", "quadruplet", "relative_triplet"])
def test_wrong_settings_are_named(name: str) -> None:
    for setting in ("negatives", "average"):
        with pytest.raises(ConfigError, match=f"{setting}: 'softest'"):
            create_loss(name, "cosine", **{setting: "softest"})


def slow_given(loss: nn.Module, sides: tuple[Tensor, Tensor], triplets: list[tuple[int, int, int]]) -> Tensor:
    """The triplet loss of given triplets, one at a time."""
    sketches, photos = sides
    terms = []
    for a, p, n in triplets:
        gap = (sketches[a] - photos[p]).norm() - (sketches[a] - photos[n]).norm()
        terms.append(torch.relu(gap + loss.margin))
    active = [term for term in terms if term > 0]
    return torch.stack(active).mean()


@pytest.mark.parametrize("options", [{}, {"negatives": "hard"}, {"symmetric": True}])
@pytest.mark.parametrize("seed", range(3))
def test_given_triplets_are_used_and_no_others(options: dict[str, Any], seed: int) -> None:
    sketches, labels, photos, photo_labels = batch(seed)
    loss = make("triplet", options)
    miner = TripletMarginMiner(margin=0.3, distance=LpDistance(normalize_embeddings=False))
    mined = miner(sketches, labels, photos, photo_labels)
    chosen = list(zip(*(each.tolist() for each in mined), strict=True))
    assert 0 < len(chosen) < len(find_all(labels, photo_labels))
    sides = (sketches.requires_grad_(), photos.requires_grad_())
    got, want = loss(sketches, labels, mined, photos, photo_labels), slow_given(loss, sides, chosen)
    torch.testing.assert_close(got, want)
    for a, b in zip(torch.autograd.grad(got, sides), torch.autograd.grad(want, sides), strict=True):
        torch.testing.assert_close(a, b)


def find_all(labels: Tensor, photo_labels: Tensor) -> list[tuple[int, int, int]]:
    return [
        (a, p, n)
        for a, p, n in itertools.product(range(len(labels)), range(len(photo_labels)), range(len(photo_labels)))
        if labels[a] == photo_labels[p] and labels[a] != photo_labels[n]
    ]


@every_loss
def test_pairs_make_all_their_triplets(name: str, options: dict[str, Any]) -> None:
    sketches, labels, photos, photo_labels = batch(2)
    plain = {key: option for key, option in options.items() if key not in ("symmetric", "negatives")}
    loss = make(name, plain)
    pairs = get_all_pairs_indices(labels, photo_labels)
    got = loss(sketches, labels, pairs, photos, photo_labels)
    torch.testing.assert_close(got, value(loss, sketches, labels, photos, photo_labels))


@every_loss
@pytest.mark.parametrize("miner", MINERS)
@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_it_takes_what_pytorch_metric_learning_s_miners_choose(
    name: str, options: dict[str, Any], miner: str, distance: Any
) -> None:
    """The loss is that of the chosen triplets: of those that it is given, in whatever form."""
    sketches, labels, photos, photo_labels = batch(3)
    plain = {key: option for key, option in options.items() if key not in ("symmetric", "negatives")}
    loss = make(name, plain, distance=distance)
    settings: dict[str, Any] = {}
    if miner == "uniform_histogram":
        settings = {"num_bins": 5, "pos_per_bin": 3, "neg_per_bin": 3}
    elif miner == "pair_margin":
        settings = {"pos_margin": 0.9, "neg_margin": -0.9 if distance == "cosine" else 9.0}
    torch.manual_seed(0)
    mined = create_miner(miner, distance, **settings)(sketches, labels, photos, photo_labels)
    triplets = convert_to_triplets(mined, labels, photo_labels, t_per_anchor="all")
    assert len(triplets[0]) > 0
    sketches.requires_grad_()
    got = loss(sketches, labels, mined, photos, photo_labels)
    torch.testing.assert_close(got, loss(sketches, labels, triplets, photos, photo_labels))
    got.backward()
    assert sketches.grad is not None
    touched = sketches.grad.abs().sum(dim=1) > 0
    if name != "quadruplet":  # its second negative pair has another anchor
        assert set(torch.where(touched)[0].tolist()) <= set(triplets[0].tolist())


class OurMemory(CrossBatchMemory):  # type: ignore[misc]
    @staticmethod
    def supported_losses() -> list[str]:
        return [*CrossBatchMemory.supported_losses(), "TripletLoss", "QuadrupletLoss", "RelativeTripletLoss"]


@every_loss
def test_the_cross_batch_memory_of_pytorch_metric_learning_takes_it(name: str, options: dict[str, Any]) -> None:
    loss = make(name, options)
    memory = OurMemory(loss, embedding_size=6, memory_size=32)
    first, first_labels, second, second_labels = batch(4)
    memory(first, first_labels)
    second.requires_grad_()
    got = memory(second, second_labels)
    kept, kept_labels = torch.cat([first, second.detach()]), torch.cat([first_labels, second_labels])
    triplets = [(a, p, n) for a, p, n in find_all(second_labels, kept_labels) if p != len(first) + a]
    given = tuple(torch.tensor(each) for each in zip(*triplets, strict=True))
    torch.testing.assert_close(got, loss(second, second_labels, given, kept, kept_labels))
    if name == "triplet":
        torch.testing.assert_close(got, slow_given(loss, (second, kept), triplets))
    got.backward()
    assert second.grad is not None
    assert second.grad.any()
