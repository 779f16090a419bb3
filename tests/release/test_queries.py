"""Combined queries are measured on small sets whose result is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mini_sets import write_categories, write_quickdraw, write_sketchy
from sketchseek.encoder import Encoder
from sketchseek.evaluation.protocols import evaluate_sketchy
from sketchseek.models.package import ModelPackage
from sketchseek.release import queries
from sketchseek.release.queries import _precisions, measure_queries, several_drawings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_sketchy(folder / "sketchy", sketches=3)
    write_quickdraw(folder / "quickdraw", count=20)
    write_categories(folder / "categories")
    (folder / "caltech101").symlink_to(folder / "categories/photo")
    return folder


def test_everything_is_measured_and_stored(tiny_model: ModelPackage, data: Path, tmp_path: Path) -> None:
    values = measure_queries(tiny_model, data, tmp_path)
    assert json.loads((tmp_path / "measured/queries-tiny.json").read_text(encoding="utf-8")) == values
    assert values["drawings"]["photos"] == 6
    assert set(values["drawings"]["arms"]) == {"1", "2", "3"}
    assert values["words"]["gallery"] > values["words"]["hidden"] > 0
    words = values["words"]["arms"]
    assert set(words) == {"sketch", "words", "both", "both, words required"}
    # Words find the named photos of the category, and nothing else.
    assert 0.2 < words["words"]["R-precision"][0] < 0.9
    for arms in (values["drawings"]["arms"], words, values["colors"]["arms"]):
        for metrics in arms.values():
            for value, low, high in metrics.values():
                assert 0 <= low <= value <= high <= 1


def test_drawings_of_one_person_gain_nothing(tiny_model: ModelPackage, data: Path) -> None:
    """The small set's sketches of one photo are equal, so their mean is each of them."""
    found = several_drawings(evaluate_sketchy(data / "sketchy", Encoder(tiny_model)))
    assert found["arms"]["3"] == found["arms"]["1"]
    assert all(gain == [0, 0, 0] for metrics in found["gains"].values() for gain in metrics.values())


def test_precisions_are_those_of_a_slow_loop() -> None:
    hits = np.array([True, False, True, True, False, False, True])
    expected = [sum(hits[: i + 1]) / (i + 1) for i in range(len(hits)) if hits[i]]
    assert _precisions(hits, 6) == pytest.approx({"mAP": sum(expected) / 6, "R-precision": 4 * 0 + 3 / 6, "P@10": 0.4})
    assert _precisions(np.zeros(0, bool), 3) == {"mAP": 0, "R-precision": 0, "P@10": 0}


def test_remembered_colors_are_near_the_real_ones() -> None:
    colors = [(np.array([200.0, 30.0, 30.0]), 0.7), (np.array([0.0, 0.0, 255.0]), 0.3)]
    exact = queries._remembered(colors, 0, np.random.default_rng(0))
    assert [(color.color, color.weight) for color in exact] == [("#c81e1e", 0.7), ("#0000ff", 0.3)]
    changed = queries._remembered(colors, 30, np.random.default_rng(0))
    assert changed[0].rgb() != (200, 30, 30)
    assert all(0 <= channel <= 255 for color in changed for channel in color.rgb())
