from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mini_sets import write_chairv2
from sketchseek.cli import cli
from sketchseek.errors import ConfigError
from sketchseek.evaluation.corruptions import (
    CORRUPTIONS,
    STROKE_CORRUPTIONS,
    CorruptedSketches,
    corrupt_sketch,
    draw,
    first_strokes,
    wobble,
)
from sketchseek.sketches import rasterize_sketch
from tiny_model import write_tiny_package

HOUSE = [[[0, 0, 100, 100, 0], [40, 100, 100, 40, 40]], [[0, 50, 100], [40, 0, 40]], [[40, 60], [70, 70]]]


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of the ink, each in cells of four pixels."""
    spread = [
        np.asarray(Image.fromarray(255 - raster).resize((16, 16), Image.Resampling.BOX)) > 10 for raster in (a, b)
    ]
    return float((spread[0] & spread[1]).sum() / (spread[0] | spread[1]).sum())


@pytest.mark.parametrize("how", sorted(set(CORRUPTIONS) - set(STROKE_CORRUPTIONS)))
def test_the_raster_takes_back_what_does_not_change_the_sketch(how: str) -> None:
    plain = rasterize_sketch(HOUSE, 64)
    enough = 0.6 if how == "photographed" else 0.75  # which is slanted
    assert overlap(plain, rasterize_sketch(corrupt_sketch(HOUSE, how), 64)) > enough
    assert overlap(plain, rasterize_sketch(corrupt_sketch(draw(HOUSE), how), 64)) > enough


@pytest.mark.parametrize("how", sorted(CORRUPTIONS))
def test_a_sketch_is_always_changed_alike_and_really_changed(how: str) -> None:
    first, again = (corrupt_sketch(HOUSE, how) for _ in range(2))
    if how in STROKE_CORRUPTIONS:
        assert first == again != HOUSE
    else:
        assert isinstance(first, Image.Image)
        assert isinstance(again, Image.Image)
        assert first.tobytes() == again.tobytes() != draw(HOUSE).tobytes()


def test_first_strokes_keep_a_share_of_the_lines_length() -> None:
    def length(strokes: object) -> float:
        return sum(np.linalg.norm(np.diff(np.array(s, float), axis=1), axis=0).sum() for s in strokes)  # type: ignore[attr-defined]

    square = [[[0, 100], [0, 0]], [[100, 100], [0, 100]], [[100, 0], [100, 100]], [[0, 0], [100, 0]]]
    assert first_strokes(square, 0.5) == square[:2]
    assert first_strokes(square, 1.0) == square
    long = [[list(range(101)), [0] * 101]]
    assert length(first_strokes(long, 0.3)) == pytest.approx(30)
    assert length(first_strokes([[[5], [5]]], 0.5)) == 0  # a dot stays a dot


def test_wobbling_moves_every_line_a_little() -> None:
    shaken = wobble(HOUSE, np.random.default_rng(0))
    assert [len(s) for s in shaken] == [2, 2, 2]
    floor = np.array(shaken[2])
    assert 0.3 < np.abs(floor[1] - 70).mean() < 6
    assert overlap(rasterize_sketch(HOUSE, 64), rasterize_sketch(shaken, 64)) > 0.5


def test_pictures_have_no_strokes_to_leave_out(tmp_path: Path) -> None:
    draw(HOUSE).save(tmp_path / "house.png")
    with pytest.raises(ConfigError, match="first-30 needs strokes"):
        corrupt_sketch(tmp_path / "house.png", "first-30")
    with pytest.raises(ConfigError, match=r"no sketch corruption 'upside-down'"):
        CorruptedSketches(write_tiny_package(tmp_path / "model"), "upside-down")


def test_any_protocol_can_be_run_with_sketches_changed(tmp_path: Path) -> None:
    from click.testing import CliRunner

    root = write_chairv2(tmp_path / "chairs")
    model = write_tiny_package(tmp_path / "model").path
    call = ["evaluate", "chairv2", str(root), "--model", str(model), "--json"]
    plain, half = (
        json.loads(CliRunner().invoke(cli, [*call, *more], catch_exceptions=False).stdout)
        for more in ([], ["--corruption", "first-50"])
    )
    assert "corruption" not in plain
    assert half["corruption"] == "first-50"
    assert half["queries"] == plain["queries"] > 0
