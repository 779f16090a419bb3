from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from mini_sets import write_pairs
from sketchseek.artefact import Artefact
from sketchseek.cli import cli
from sketchseek.evaluation.mirroring import add_mirror_figures, preference
from sketchseek.evaluation.protocols import evaluate_pairs


class Sides:
    """An encoder that looks at which half of a picture is darker, and at its file's number; see ``weight``."""

    metric = "cosine"

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def read_photo(self, source) -> np.ndarray:
        number = int(Path(source).stem.split("-")[0].removeprefix("p"))
        grey = np.asarray(Image.open(source).convert("L").resize((2, 1), Image.Resampling.BOX))
        return np.dstack([grey, np.full_like(grey, 10 * number)])  # (1, 2, 2)

    read_drawing = read_photo

    def embed_photos(self, pixels: np.ndarray) -> np.ndarray:
        left = np.sign(pixels[:, 0, 1, 0].astype(float) - pixels[:, 0, 0, 0])
        angle = pixels[:, 0, 0, 1] / 60
        rows = np.stack([np.cos(angle), np.sin(angle), self.weight * left], axis=1)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    embed_sketches = embed_photos


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Three photos, dark on the left; two drawings of each, the second of which faces the wrong way."""
    root = write_pairs(tmp_path / "pairs", photos=3)
    half = np.full((64, 64), 255, dtype=np.uint8)
    half[:, :20] = 0
    for file in sorted(root.rglob("*.*")):
        Image.fromarray(half[:, ::-1] if file.stem.endswith("-2") else half).convert("RGB").save(file)
    return root


@pytest.mark.parametrize(("weight", "preferred", "recall"), [(0.5, 0.5, 0.5), (-0.5, 0.5, 0.5), (0.0, 0.5, 0.0)])
def test_drawings_that_face_the_wrong_way_find_the_mirror_image(
    pairs: Path, weight: float, preferred: float, recall: float
) -> None:
    """A model that is blind to sides cannot tell the photo from its mirror image: half, and never first."""
    encoder = Sides(weight)
    result = evaluate_pairs(pairs, encoder)
    assert result.report.figures["recall@1"] == (
        1.0 if weight == 0 else pytest.approx(result.report.figures["recall@1"])
    )
    add_mirror_figures(result, encoder)
    figures = result.report.figures
    assert figures["own_over_mirror"] == preferred
    assert figures["mirrored_recall@1"] == recall
    assert figures["mirrored_recall@10"] == 1.0
    assert set(result.report.intervals) == set(figures)


def test_drawings_that_face_the_right_way_prefer_their_photo(pairs: Path) -> None:
    for file in (pairs / "sketch").glob("*-2.png"):
        file.unlink()
    result = evaluate_pairs(pairs, Sides(0.5))
    add_mirror_figures(result, Sides(0.5))
    assert result.report.figures["own_over_mirror"] == 1.0
    assert result.report.figures["mirrored_recall@1"] == 1.0


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_preference_is_of_the_metric_and_ties_count_half(metric: str) -> None:
    drawings = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    own = np.array([[0.8, 0.6], [0.6, 0.8], [0.6, 0.8]])
    mirrored = np.array([[0.6, 0.8], [0.8, 0.6], [0.6, -0.8]])
    np.testing.assert_array_equal(preference(drawings, own, mirrored, metric), [1.0, 0.0, 0.5])  # type: ignore[arg-type]
    if metric == "euclidean":  # lengths count
        np.testing.assert_array_equal(preference(drawings, own, 9 * mirrored, metric), [1.0, 1.0, 1.0])  # type: ignore[arg-type]


def test_the_command_line_measures_it(pairs: Path, tiny_artefact: Artefact) -> None:
    call = ["evaluate", "pairs", str(pairs), "--model", str(tiny_artefact.path), "--mirrored", "--json"]
    report = json.loads(CliRunner().invoke(cli, call, catch_exceptions=False).stdout)
    assert 0 <= report["mirrored_recall@1"] <= report["recall@1"]
    assert report["interval"]["own_over_mirror"][0] <= report["own_over_mirror"]
