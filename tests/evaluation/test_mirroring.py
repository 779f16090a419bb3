from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from mini_sets import write_pairs
from sketchseek.cli import cli
from sketchseek.evaluation.mirroring import add_mirror_metrics, preference
from sketchseek.evaluation.protocols import evaluate_pairs
from sketchseek.models.package import ModelPackage


class Sides:
    """An encoder that looks at which half of a picture is darker, and at its file's number; see ``weight``."""

    distance = "cosine"

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def read_photo(self, source: Any) -> np.ndarray:
        number = int(Path(source).stem.split("-")[0].removeprefix("p"))
        gray = np.asarray(Image.open(source).convert("L").resize((2, 1), Image.Resampling.BOX))
        return np.dstack([gray, np.full_like(gray, 10 * number)])  # (1, 2, 2)

    read_sketch = read_photo

    def encode_photo_pixels(self, pixels: np.ndarray) -> np.ndarray:
        left = np.sign(pixels[:, 0, 1, 0].astype(float) - pixels[:, 0, 0, 0])
        angle = pixels[:, 0, 0, 1] / 60
        rows = np.stack([np.cos(angle), np.sin(angle), self.weight * left], axis=1)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)

    encode_sketch_pixels = encode_photo_pixels


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Three photos, dark on the left; two sketches of each, the second of which faces the wrong way."""
    root = write_pairs(tmp_path / "pairs", photos=3)
    half = np.full((64, 64), 255, dtype=np.uint8)
    half[:, :20] = 0
    for file in sorted(root.rglob("*.*")):
        Image.fromarray(half[:, ::-1] if file.stem.endswith("-2") else half).convert("RGB").save(file)
    return root


@pytest.mark.parametrize(("weight", "preferred", "recall"), [(0.5, 0.5, 0.5), (-0.5, 0.5, 0.5), (0.0, 0.5, 0.0)])
def test_sketches_that_face_the_wrong_way_find_the_mirror_image(
    pairs: Path, weight: float, preferred: float, recall: float
) -> None:
    """A model that is blind to sides cannot tell the photo from its mirror image: half, and never first."""
    encoder = Sides(weight)
    result = evaluate_pairs(pairs, encoder)
    assert result.report.metrics["recall@1"] == (
        1.0 if weight == 0 else pytest.approx(result.report.metrics["recall@1"])
    )
    add_mirror_metrics(result, encoder)
    metrics = result.report.metrics
    assert metrics["own_over_mirror"] == preferred
    assert metrics["mirrored_recall@1"] == recall
    assert metrics["mirrored_recall@10"] == 1.0
    assert set(result.report.intervals) == set(metrics)


def test_sketches_that_face_the_right_way_prefer_their_photo(pairs: Path) -> None:
    for file in (pairs / "sketch").glob("*-2.png"):
        file.unlink()
    result = evaluate_pairs(pairs, Sides(0.5))
    add_mirror_metrics(result, Sides(0.5))
    assert result.report.metrics["own_over_mirror"] == 1.0
    assert result.report.metrics["mirrored_recall@1"] == 1.0


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_preference_is_of_the_metric_and_ties_count_half(distance: str) -> None:
    sketches = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    own = np.array([[0.8, 0.6], [0.6, 0.8], [0.6, 0.8]])
    mirrored = np.array([[0.6, 0.8], [0.8, 0.6], [0.6, -0.8]])
    np.testing.assert_array_equal(preference(sketches, own, mirrored, distance), [1.0, 0.0, 0.5])  # type: ignore[arg-type]
    if distance == "euclidean":  # lengths count
        np.testing.assert_array_equal(preference(sketches, own, 9 * mirrored, distance), [1.0, 1.0, 1.0])  # type: ignore[arg-type]


def test_the_command_line_measures_it(pairs: Path, tiny_model: ModelPackage) -> None:
    call = ["evaluate", "pairs", str(pairs), "--model", str(tiny_model.path), "--mirrored", "--json"]
    report = json.loads(CliRunner().invoke(cli, call, catch_exceptions=False).stdout)
    assert 0 <= report["mirrored_recall@1"] <= report["recall@1"]
    assert report["interval"]["own_over_mirror"][0] <= report["own_over_mirror"]
