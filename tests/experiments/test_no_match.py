"""The study of "no close match": its signals point the right way, and it is reported on words it was not fitted on."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from script_modules import load_script
from served import picture
from sketchseek.encoder import Encoder
from sketchseek.models.package import ModelPackage

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study() -> ModuleType:
    return load_script("experiments/no_match/measure.py", "no_match_study")


def unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def test_every_signal_rises_when_the_photos_of_the_word_are_taken_away(study: ModuleType) -> None:
    random = np.random.default_rng(0)
    word = random.standard_normal(32)
    own = unit(word + 0.3 * random.standard_normal((12, 32)))
    photos = np.concatenate([own, unit(random.standard_normal((300, 32)))])
    copies = unit(word + 0.2 * random.standard_normal((1 + study.COPIES, 32)))
    present = study.signals(copies, photos, np.ones(len(photos), bool))
    absent = study.signals(copies, photos, np.arange(len(photos)) >= len(own))
    changes = dict(zip(study.SIGNALS, np.subtract(absent, present), strict=True))
    assert changes.pop("scatter") == 0  # of the sketch alone
    assert changes.pop("gap") != 0  # twelve equally good photos have no gap
    assert all(change > 0 for change in changes.values()), changes


def test_the_combination_is_reported_on_words_that_it_was_not_fitted_on(study: ModuleType) -> None:
    random = np.random.default_rng(1)
    words = np.repeat(np.arange(40), 20)
    # What is absent is a matter of the word alone, and the features know the word, not what is absent.
    absent = (random.permutation(40) % 2 == 0)[words]
    features = np.eye(40)[words] @ random.standard_normal((40, len(study.SIGNALS)))
    assert abs(study.roc_area(study.combined(features, absent, words), absent) - 0.5) < 0.25
    told = features + absent[:, None]
    assert study.roc_area(study.combined(told, absent, words), absent) > 0.8
    area, low, high = study.areas(told, absent, words)["all"]
    assert low < area < high


def test_a_gallery_is_measured(study: ModuleType, tiny_model: ModelPackage, tmp_path: Path) -> None:
    for number, word in enumerate(["cat", "dog", "fish"]):
        (tmp_path / word).mkdir()
        for other in range(12):
            picture(12 * number + other).save(tmp_path / word / f"{other}.png")
    encoder = Encoder(tiny_model)
    random = np.random.default_rng(2)
    copies = unit(random.standard_normal((8, 1 + study.COPIES, tiny_model.manifest.dimensions)).reshape(40, -1))
    drawn = [(number % 4, some) for number, some in enumerate(copies.reshape(8, 1 + study.COPIES, -1))]
    report = study.measure(encoder, study.Drawn(["cat", "dog", "fish", "moon"], drawn), tmp_path)
    assert (report["photos"], report["words"], report["drawings"]) == (36, 3, 6)
    for comparison in ("word removed", "other words"):
        assert set(report[comparison]) == {*study.SIGNALS, "all"}
        assert all(0 <= area <= 1 for area, _, _ in report[comparison].values())
