from __future__ import annotations

import numpy as np
import pytest
import torch

from sketchseek.sketches import rasterize_strokes
from sketchseek.training.config import AugmentConfig
from sketchseek.training.stroke_augmentation import corrupt_sketch, drop_lines, partial_strokes

SQUARE = (
    ((0.0, 0.0), (0.0, 10.0)),
    ((0.0, 10.0), (10.0, 10.0)),
    ((10.0, 10.0), (10.0, 0.0)),
    ((10.0, 0.0), (0.0, 0.0)),
)
"""Four strokes of the same length: down, right, up, left."""
LINES = [np.array(stroke).T for stroke in SQUARE]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rasters(count: int) -> torch.Tensor:
    return torch.from_numpy(rasterize_strokes(SQUARE, 32).copy()).repeat(count, 1, 1)


@pytest.mark.parametrize("fraction", [0.3, 0.5, 0.6, 1.0])
def test_a_part_is_what_was_drawn_first(fraction: float) -> None:
    part = partial_strokes(LINES, fraction)
    length = sum(np.hypot(*np.diff(line, axis=0).T).sum() for line in part)
    assert length == pytest.approx(40 * fraction)
    joined = np.concatenate(part)
    whole = np.concatenate(LINES)
    np.testing.assert_array_equal(joined[:-1], whole[: len(joined) - 1])


def test_a_stroke_is_cut_between_its_points() -> None:
    (line,) = partial_strokes([np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 6.0]])], 0.5)
    np.testing.assert_allclose(line, [[0, 0], [4, 0], [4, 1]])


def test_dots_alone_stay() -> None:
    dots = [np.array([[1.0, 1.0]]), np.array([[5.0, 5.0]])]
    assert len(partial_strokes(dots, 0.3)) >= 1


def test_dropping_keeps_order_and_never_all() -> None:
    counts = np.zeros(5)
    for seed in range(300):
        kept = drop_lines(LINES, 0.5, np.random.default_rng(seed))
        places = [next(i for i, line in enumerate(LINES) if line is other) for other in kept]
        assert places == sorted(places)
        counts[len(kept)] += 1
    assert counts[0] == 0
    np.testing.assert_allclose(counts[1:] / 300, [5 / 16, 6 / 16, 4 / 16, 1 / 16], atol=0.08)
    assert drop_lines(LINES, 0.0, np.random.default_rng(0)) is LINES
    assert len(drop_lines(LINES, 1.0, np.random.default_rng(0))) == 1


def test_redrawn_sketches_are_what_the_raster_makes_of_fewer_strokes() -> None:
    """Also mirrored; pictures without strokes stay."""
    count = 24
    strokes = [SQUARE] * (count - 1) + [None]
    mirrored = torch.arange(count) % 2 == 1
    given = torch.where(mirrored[:, None, None], rasters(count).flip(2), rasters(count))
    out = corrupt_sketch(given, strokes, mirrored, AugmentConfig(drop=0.5), generator())
    assert torch.equal(out[-1], given[-1])
    subsets = [[SQUARE[i] for i in range(4) if mask >> i & 1] for mask in range(1, 16)]
    possible = {rasterize_strokes(subset, 32).tobytes() for subset in subsets}
    assert len({row.numpy().tobytes() for row in out}) > 5
    for row, flip in zip(out, mirrored, strict=True):
        assert (row.flip(1) if flip else row).numpy().tobytes() in possible


@pytest.mark.parametrize("config", [AugmentConfig(drop=0.4), AugmentConfig(partial=1.0)])
def test_chance_comes_from_the_generator_alone(config: AugmentConfig) -> None:
    given, none = rasters(8), torch.zeros(8, dtype=torch.bool)
    first, again, other = (corrupt_sketch(given, [SQUARE] * 8, none, config, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, given)


def test_without_switches_nothing_is_drawn_anew() -> None:
    given = rasters(3)
    assert torch.equal(
        corrupt_sketch(given, [SQUARE] * 3, torch.zeros(3, dtype=torch.bool), AugmentConfig(), generator()), given
    )
