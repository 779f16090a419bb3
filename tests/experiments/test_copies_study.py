"""The study of copies: it finds copies, and calls mirrored and other photos none."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from script_modules import load_script


@pytest.fixture(scope="module")
def study() -> ModuleType:
    return load_script("experiments/copies/measure.py", "copies_study")


def test_copies_are_found_and_other_photos_are_not(
    study: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "ALLOWED", 0.0)
    random = np.random.default_rng(0)
    photos = [tmp_path / f"{number}.png" for number in range(12)]
    for path in photos[:-1]:
        cells = random.integers(0, 256, (20, 20, 3)).astype(np.uint8)
        Image.fromarray(cells).resize((300, 240), Image.Resampling.BICUBIC).save(path)
    Image.new("RGB", (300, 240), "red").save(photos[-1])
    report = study.measure(photos, 5)
    assert (report["photos"], report["without a hash"], report["second half"], report["copied"]) == (12, 1, 6, 5)
    assert report["threshold"] == study.LARGEST - 1
    assert report["other photos"][0] == 0
    *kinds, mirrored = report["found"].values()
    assert all(rate == 100 and low < 100 for rate, low, _ in kinds)
    assert mirrored[0] == 0


def test_the_threshold_leaves_few_photos_that_are_taken_for_others(
    study: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = np.zeros((4, study.HASH), np.uint8)
    hashes[0], hashes[1], hashes[2], hashes[3] = 0, 255, 0, 255
    hashes[2, 0], hashes[3, :2] = 0b111, 0  # 3 bits from the first, 16 from the second
    nearest = study.nearest_other(hashes)
    assert nearest.tolist() == [3, 16, 3, 16]
    photos = [Path(f"cat/{row}.jpg") for row in range(4)]
    same = study.same_rows(photos, [("cat/2.jpg", "cat/0.jpg"), ("cat/0.jpg", "dog/0.jpg")])
    assert study.nearest_other(hashes, same)[[1, 3]].tolist() == [16, 16]
    assert study.nearest_other(hashes, same)[[0, 2]].min() > 200
    monkeypatch.setattr(study, "ALLOWED", 0.0)
    assert study.threshold(nearest) == 2
    monkeypatch.setattr(study, "ALLOWED", 0.5)
    assert study.threshold(nearest) == 15


def test_intervals_are_wilsons(study: ModuleType) -> None:
    assert study.wilson(0, 100) == pytest.approx((0, 0, 3.70), abs=0.01)
    assert study.wilson(90, 100) == pytest.approx((90, 82.56, 94.48), abs=0.01)
