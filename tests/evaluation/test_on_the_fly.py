from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from mini_sets import write_chairv2, write_pairs
from sketchseek.cli import cli
from sketchseek.errors import ConfigError
from sketchseek.evaluation.on_the_fly import add_on_the_fly_metrics, stage_scores
from sketchseek.evaluation.protocols import evaluate_pairs, evaluate_qmul
from sketchseek.models.package import ModelPackage

PHOTOS = 3


class Late:
    """An encoder that finds a sketch's photo once enough points are drawn, and before that ranks it last."""

    distance = "cosine"

    def __init__(self, points: int) -> None:
        self.points = points

    def read_photo(self, source: Any) -> np.ndarray:
        return np.array([int(Path(source).stem.split(".")[1].split("_")[0])], dtype=np.uint8)

    def read_sketch(self, source: Any) -> np.ndarray:
        drawn = sum(len(stroke[0]) for stroke in source)
        return np.array([int(source[0][0][0]), drawn], dtype=np.uint8)

    def encode_photo_pixels(self, pixels: np.ndarray) -> np.ndarray:
        return np.asarray(np.eye(PHOTOS, dtype=np.float32)[pixels[:, 0]])

    def encode_sketch_pixels(self, pixels: np.ndarray) -> np.ndarray:
        own = np.eye(PHOTOS, dtype=np.float32)[pixels[:, 0]]
        others = (1 - own) / np.sqrt(np.float32(PHOTOS - 1))
        return np.asarray(np.where(pixels[:, 1:] >= self.points, own, others))


@pytest.fixture
def chairs(tmp_path: Path) -> Path:
    """Three test photos; each sketch is a line of eleven points, which starts at its photo's number."""
    root = write_chairv2(tmp_path / "chairs", photos=4, test=PHOTOS)
    lines = [json.loads(line) for line in (root / "sketches.ndjson").read_text().splitlines()]
    for line in lines:
        number = int(line["photo"].split(".")[1].split("_")[0])
        line["drawing"] = [[[number] * 11, list(range(0, 110, 10))]]
    (root / "sketches.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return root


def test_scores_are_those_of_a_slow_loop() -> None:
    ranks = np.array([[4.0, 2.0, 1.0], [np.inf, 5.0, 3.0]])
    percentiles, reciprocals = stage_scores(ranks, 5)
    for query, row in enumerate(ranks.tolist()):
        for stage, rank in enumerate(row):
            behind = 0 if rank == np.inf else 5 - rank
            assert percentiles[query, stage] == behind / 4
            assert reciprocals[query, stage] == (0 if rank == np.inf else 1 / rank)


def test_a_gallery_of_one_photo_is_found_or_not() -> None:
    percentiles, _ = stage_scores(np.array([[1.0, np.inf]]), 1)
    assert percentiles.tolist() == [[1.0, 0.0]]


def test_a_photo_that_is_found_late_scores_less(chairs: Path) -> None:
    """Eleven points are ten equal pieces of ink: 6 points are there from the fifth of ten stages on."""
    encoder = Late(6)
    evaluation = evaluate_qmul(chairs, "chairv2", encoder)
    assert evaluation.report.metrics["recall@1"] == 1.0
    result = add_on_the_fly_metrics(evaluation, encoder, stages=10).report
    assert result.details["on_the_fly"]["m@A"] == [0.0] * 4 + [1.0] * 6
    np.testing.assert_allclose(result.details["on_the_fly"]["m@B"], [1 / 3] * 4 + [1.0] * 6)
    assert result.metrics["m@A"] == pytest.approx(0.6)
    assert result.metrics["m@B"] == pytest.approx((4 / 3 + 6) / 10)
    assert set(result.intervals) == set(result.metrics)
    earlier = add_on_the_fly_metrics(evaluation, Late(2), stages=10).report
    assert earlier.metrics["m@B"] == 1.0


def test_pictures_of_sketches_are_refused(tmp_path: Path, chairs: Path) -> None:
    class Pictures(Late):
        def read_photo(self, source: Any) -> np.ndarray:
            return np.array([int(Path(source).stem.split("-")[0].removeprefix("p"))], dtype=np.uint8)

        def read_sketch(self, source: Any) -> np.ndarray:
            return np.array([*self.read_photo(source), 9], dtype=np.uint8)

    encoder = Pictures(1)
    evaluation = evaluate_pairs(write_pairs(tmp_path / "pairs", photos=PHOTOS), encoder)
    with pytest.raises(ConfigError, match="need sketches with strokes"):
        add_on_the_fly_metrics(evaluation, encoder)


def test_the_command_line_measures_it(tmp_path: Path, tiny_model: ModelPackage) -> None:
    root = write_chairv2(tmp_path / "chairs")
    call = ["evaluate", "chairv2", str(root), "--model", str(tiny_model.path), "--on-the-fly", "--json"]
    report = json.loads(CliRunner().invoke(cli, call, catch_exceptions=False).stdout)
    assert len(report["on_the_fly"]["m@B"]) == 20
    assert 0 < report["m@B"] <= 1
    assert report["m@B"] == pytest.approx(np.mean(report["on_the_fly"]["m@B"]))
