from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sketchseek.audit import near_duplicates
from sketchseek.audit.near_duplicates import find_near_duplicates, near_duplicate_threshold
from sketchseek.datasets.records import Photo
from sketchseek.datasets.same_pictures import small_pictures


def scene(seed: int) -> Image.Image:
    """Smooth colors, as photos have them."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC)


@pytest.fixture
def photos(tmp_path: Path) -> list[Photo]:
    first, flat = scene(1), Image.new("RGB", (64, 64), (10, 10, 10))
    pictures: dict[str, tuple[Image.Image, Any]] = {
        "a": (first, {}),
        "a again, worse": (first.resize((80, 60)), {"quality": 40}),
        "a mirrored": (first.transpose(Image.Transpose.FLIP_LEFT_RIGHT), {}),
        "b": (scene(2), {}),
        "flat": (flat, {}),
        "flat again": (flat, {}),
    }
    for name, (picture, options) in pictures.items():
        picture.save(tmp_path / f"{name}.jpg", **options)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    return [Photo(tmp_path / f"{name}.jpg", "c", name) for name in [*pictures, "broken"]]


def test_exact_duplicates_are_found_by_pixels_and_near_duplicates_by_embeddings(photos: list[Photo]) -> None:
    embeddings = np.eye(7, dtype=np.float32)
    embeddings[3] = embeddings[0] * 2  # b is near a, whatever the lengths
    small = small_pictures(photos)
    assert small.read.tolist() == [True] * 6 + [False]
    found = {(pair.first, pair.second): pair for pair in find_near_duplicates(small, embeddings, near=0.9)}
    assert {pair: duplicate.kind for pair, duplicate in found.items()} == {
        (0, 1): "same",
        (0, 2): "mirrored",
        (1, 2): "mirrored",
        (0, 3): "near",
    }
    assert found[0, 3].cosine == pytest.approx(1.0)
    assert found[0, 1].correlation > 0.97


@pytest.mark.parametrize("block", [1, 3, 512])
def test_blocks_do_not_change_what_is_found(monkeypatch: pytest.MonkeyPatch, block: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(9, 2)).astype(np.float32)
    for i in range(9):
        scene(i).save(tmp_path / f"{i}.png")
    small = small_pictures([Photo(tmp_path / f"{i}.png", "c", str(i)) for i in range(9)])
    monkeypatch.setattr(near_duplicates, "_BLOCK", block)
    found = [(pair.first, pair.second) for pair in find_near_duplicates(small, embeddings, near=0.95)]
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    slow = [(i, j) for i in range(9) for j in range(i + 1, 9) if unit[i] @ unit[j] >= 0.95]
    assert sorted(found) == slow
    assert slow


def test_without_a_threshold_only_exact_duplicates_are_found(photos: list[Photo]) -> None:
    alike = np.ones((7, 2), dtype=np.float32)
    found = find_near_duplicates(small_pictures(photos), alike, near=None)
    assert {pair.kind for pair in found} == {"same", "mirrored"}


@pytest.mark.parametrize("block", [1, 3, 512])
def test_the_threshold_is_halfway_from_the_null_distribution_to_one(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(near_duplicates, "_BLOCK", block)
    rows = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    categories = ["a"] * 8 + ["b"] * 6 + ["c"] * 6
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    rows[7] = 0  # it could not be read
    best = [
        max(float(unit[i] @ unit[j]) for j in range(20) if j != 7 and categories[j] != categories[i])
        for i in range(20)
        if i != 7
    ]
    value, samples = near_duplicate_threshold(rows * 5, categories, quantile=0.9)
    assert samples == 19
    assert value == pytest.approx((1 + np.quantile(best, 0.9)) / 2, abs=1e-6)


def test_photos_of_one_category_have_no_null_distribution() -> None:
    rows = np.eye(3, dtype=np.float32)
    assert near_duplicate_threshold(rows, ["a", "a", "a"], quantile=0.9) == (None, 0)
    rows[2] = 0
    assert near_duplicate_threshold(rows, ["a", "a", "b"], quantile=0.9) == (None, 0)
