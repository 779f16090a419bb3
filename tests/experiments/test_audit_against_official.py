"""The audit against the official lists: planted faults are found, chance is chance, and thresholds come from half 1."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from mini_sets import write_sketchy
from script_modules import load_script
from sketchseek.audit.inputs import load_input
from sketchseek.audit.signals import Signals
from sketchseek.datasets.sketchy import INVALID_LISTS
from sketchseek.encoder import Encoder
from sketchseek.models.package import ModelPackage

SKETCHES, PHOTOS = 600, 120


@pytest.fixture(scope="module")
def study() -> ModuleType:
    return load_script("experiments/audit/against_official.py", "audit_study")


def planted(study: ModuleType, *, noise: bool = False) -> Any:
    """120 photos with five sketches each; the first 60 of a random order are on the list of errors and lag most."""
    random = np.random.default_rng(int(noise))
    listed = np.zeros(SKETCHES, dtype=bool)
    listed[random.permutation(SKETCHES)[:60]] = True
    lag = random.random(SKETCHES) + (0 if noise else 2 * listed)
    flat, everyone = np.zeros(SKETCHES), np.ones(SKETCHES, dtype=bool)
    photo = np.arange(SKETCHES) % PHOTOS
    nothing = np.zeros(SKETCHES, dtype=bool)
    lists = {**dict.fromkeys(INVALID_LISTS, nothing), "error": listed, "any": listed}
    signals = Signals(-lag, lag, lag, flat, everyone, everyone)
    return study.Case(photo, lists, {"lag": lag}, signals, photo < PHOTOS // 2, photo % 3 == 0)


def test_planted_faults_are_found_and_the_threshold_that_fits_half_1_is_reported_on_half_2(study: ModuleType) -> None:
    case = planted(study)
    found = study.report(case, 50)
    assert found["areas"]["error"]["lag"]["all"] == [1.0, 1.0, 1.0]
    assert found["areas"]["pose"]["lag"]["all"] == []  # its list is empty
    default = found["findings"]["error"]["all"]
    assert (default["found"], default["right"], default["listed"]) == (8, 8, 60)  # 1.2 % of 600
    assert default["precision"][0] == 1.0
    assert default["recall"][0] == pytest.approx(8 / 60, abs=1e-3)
    assert found["findings"]["error"]["precision at list length"] == 1.0
    assert found["findings"]["error"]["found on any list"][0] == 1.0
    halves = found["halves"]["error"]
    assert halves["fraction"] == 0.12  # the first of the grid that has all 60
    assert halves["tuned"]["listed"] == int((case.lists["error"] & ~case.half).sum())
    assert halves["tuned"]["recall"][0] == 1.0
    assert halves["tuned"]["precision"][0] < 1.0
    assert found["of the 100 that disagree most, on a list"] == 0.6


def test_noise_has_an_area_of_chance_within_its_interval(study: ModuleType) -> None:
    area, low, high = study.report(planted(study, noise=True), 200)["areas"]["any"]["lag"]["all"]
    assert low < 0.5 < high
    assert low < area < high
    assert 0.05 < high - low < 0.3


def test_sketches_on_the_list_that_training_left_out_are_reported_apart(study: ModuleType) -> None:
    case = planted(study)
    case.lists["pose"] = np.arange(SKETCHES) < 40
    case.lists["any"] = case.lists["error"] | case.lists["pose"]
    found = study.report(case, 20)
    posed = case.lists["pose"] & ~case.lists["error"]
    fair = found["areas"]["any but error"]["lag"]["all"][0]
    plain = study.roc_area(case.scores["lag"][case.trained], posed[case.trained])
    assert fair == pytest.approx(plain, abs=1e-3)
    assert fair < found["areas"]["any"]["lag"]["all"][0]
    most = np.argsort(-np.where(case.trained, case.signals.disagreement, -1))[:100]
    assert found["of the 100 that disagree most, on a list but error"] == pytest.approx(posed[most].mean())


def test_errors_among_unseen_photos_of_two_sets_are_ranked_within_each(study: ModuleType) -> None:
    first, second = planted(study), planted(study)
    second.scores["lag"] -= 100  # scores of two sets cannot be compared
    found = study.pooled([first, second])
    assert found["sketches"] == 2 * first.unseen.sum()
    assert found["listed"] == 2 * (first.unseen & first.lists["error"]).sum()
    area, lowest = found["areas"]["lag"]
    assert area == 1.0
    assert lowest > 0.8


def test_a_sketch_that_finds_its_photo_first_is_no_finding(study: ModuleType) -> None:
    case = planted(study)
    case.signals.beaten[:] = False
    found = study.report(case, 5)["findings"]["error"]
    assert (found["all"]["found"], found["all"]["precision"]) == (0, [])
    assert found["precision at list length"] == 1.0


def test_sets_are_read_ranked_and_compared(study: ModuleType, tmp_path: Path, tiny_model: ModelPackage) -> None:
    root = write_sketchy(tmp_path / "sketchy")
    subset = load_input("sketchy", root)
    for name in INVALID_LISTS:
        (root / "info" / f"invalid-{name}.txt").write_text("n02_102-1\n" if name == "pose" else "n99_1-1\n")
    split = tmp_path / "split.json"
    stored = {"drawn": ["sketchy/cat/n02_102", "cropped/cat/n03_103"], "distractors": [], "dropped": []}
    split.write_text(json.dumps(stored))
    unseen = study.unseen_photos(split, "sketchy")
    assert unseen == {"cat/n02_102"}
    found = study.report(study.measure(subset, Encoder(tiny_model, threads=1), unseen, None), 5)
    with_it = [sketch for sketch in subset.dataset.sketches if sketch.key.endswith("/n02_102-1")]
    assert found["sketches"] == len(subset.dataset.sketches)
    assert found["unseen sketches"] == sum(s.photo == "cat/n02_102" for s in subset.dataset.sketches)
    assert found["findings"]["pose"]["all"]["listed"] == len(with_it)
    assert found["findings"]["error"]["all"]["listed"] == 0
    rest = study.without_photos(subset, frozenset({"cat/n02_102"}))
    assert {"cat/n02_102"} == {p.key for p in subset.dataset.photos} - {p.key for p in rest.dataset.photos}
    assert all(sketch.photo != "cat/n02_102" for sketch in rest.dataset.sketches)
