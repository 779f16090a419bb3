"""The study of regions: places, scores and the rule for drawings that look like two things."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from script_modules import load_script
from served import picture
from sketchseek.encoder import Encoder
from sketchseek.models.package import ModelPackage


@pytest.fixture(scope="module")
def study() -> ModuleType:
    return load_script("experiments/regions/measure.py", "regions_study")


def test_pictures_lie_where_their_middles_say(study: ModuleType) -> None:
    red, blue = (Image.new("RGB", (50, 50), color) for color in ("red", "blue"))
    random = np.random.default_rng(0)
    for make in (study.even, study.corner) * 5:
        one = make(0, 1, random)
        whole = one.compose((red, blue))
        x, y = one.middle(1)
        assert whole.getpixel((int(x * whole.width), int(y * whole.height))) == (0, 0, 255)
        alone = one.compose((red, blue), [1])
        assert (255, 0, 0) not in {color for _, color in alone.getcolors()}
        if make is study.even:  # each half is one picture
            halves = [set(crop.convert("RGB").getcolors()) for crop in study.crops(whole)[1:]]
            assert sum(len(colors) == 1 for colors in halves) == 2
        assert 0 in study.allowed((x, y))
        assert len(study.allowed((x, y))) in (3, 4)
    assert study.allowed((0.25, 0.75)) == [0, 1, 4]


def test_scores_are_as_defined(study: ModuleType) -> None:
    random = np.random.default_rng(1)
    gallery, parts, sheet = random.normal(size=(7, 5, 4)), random.normal(size=(2, 4)), random.normal(size=4)
    middles = [(0.25, 0.5), (0.75, 0.5)]
    for number, photo in enumerate(gallery):
        best = [[float(region @ part) for region in photo] for part in parts]
        layout = (max(best[0][row] for row in (0, 1, 3, 4)) + max(best[1][row] for row in (0, 2, 3, 4))) / 2
        expected = {
            "sheet": photo[0] @ sheet,
            "drawings": photo[0] @ (parts[0] + parts[1]) / 2,
            "regions": (max(best[0]) + max(best[1])) / 2,
            "layout": layout,
        }
        for way in study.WAYS:
            assert study.score(way, sheet, parts, gallery, middles)[number] == pytest.approx(expected[way])


def test_gains_are_over_the_better_way_without_regions(study: ModuleType) -> None:
    ranks = {"sheet": [1, 20, 20, 20], "drawings": [1, 1, 20, 20], "regions": [1] * 4, "layout": [1, 1, 1, 20]}
    found = study.summary(ranks, [0, 1, 2, 3])
    assert found["layout"]["recall@10"][0] == 75
    assert found["gain"]["over"] == "drawings"
    assert found["gain"]["recall@10"][0] == 25


def test_only_two_distant_groups_of_strokes_look_like_two_things(study: ModuleType) -> None:
    def box(x: int, y: int, side: int) -> list[list[int]]:
        return [[x, x + side, x + side, x, x], [y, y, y + side, y + side, y]]

    assert study.looks_like_two([box(0, 0, 80), box(150, 20, 90)])
    assert not study.looks_like_two([box(0, 0, 80), box(85, 20, 90)])  # too near
    assert not study.looks_like_two([box(0, 0, 80), box(150, 20, 5)])  # a dot
    assert not study.looks_like_two([box(0, 0, 200), box(50, 50, 30)])  # inside
    assert not study.looks_like_two([box(0, 0, 50), box(100, 0, 50), box(200, 0, 50)])  # three


def test_it_runs_as_a_whole(study: ModuleType, tiny_model: ModelPackage, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(8)]
    for number, path in enumerate(paths):
        picture(number).save(path)
    pairs = [(path, path) for path in paths[:5]]
    report = study.measure(pairs, list("aabbc"), paths[5:], Encoder(tiny_model), 4)
    for name in ("even", "corner"):
        for way in study.WAYS:
            value, low, high = report[name][way]["recall@10"]
            assert 0 <= low <= value <= high <= 100
