from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sketchseek.datasets import same_pictures
from sketchseek.datasets.records import Photo
from sketchseek.datasets.same_pictures import difference_hash, find_same_pictures, require_no_same_pictures
from sketchseek.errors import DatasetError


def scene(seed: int) -> Image.Image:
    """Smooth colors, as photos have them."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC)


def photo(folder: Path, name: str, picture: Image.Image, quality: int = 90) -> Photo:
    file = folder / f"{name}.jpg"
    picture.save(file, quality=quality)
    return Photo(file, "c", f"c/{name}")


@pytest.fixture
def evaluation(tmp_path: Path) -> list[Photo]:
    flat = photo(tmp_path, "flat", Image.new("RGB", (64, 64), (90, 90, 90)))
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    return [
        *(photo(tmp_path, f"test-{seed}", scene(seed)) for seed in range(4)),
        flat,
        Photo(tmp_path / "broken.jpg", "c", "c/broken"),
    ]


def test_copies_are_found_mirrored_and_rescaled_ones_too(tmp_path: Path, evaluation: list[Photo]) -> None:
    mirrored = scene(2).transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((75, 60))
    training = [
        photo(tmp_path, "other", scene(10)),
        photo(tmp_path, "again, worse", scene(1).resize((90, 70)), quality=40),
        photo(tmp_path, "mirrored", mirrored, quality=60),
        photo(tmp_path, "flat too", Image.new("RGB", (30, 30), (90, 90, 90))),
        evaluation[-1],
    ]
    found = find_same_pictures(training, evaluation)
    assert [(pair.training.key, pair.evaluation.key, pair.mirrored) for pair in found] == [
        ("c/again, worse", "c/test-1", False),
        ("c/mirrored", "c/test-2", True),
    ]
    assert all(pair.correlation > 0.97 for pair in found)
    with pytest.raises(DatasetError, match=r"2 training photos are evaluation photos: .*worse\.jpg is .*test-1\.jpg"):
        require_no_same_pictures(training, evaluation)
    with pytest.raises(DatasetError, match="1 training photo is an evaluation photo"):
        require_no_same_pictures(training[:2], evaluation)


def test_different_photos_pass(tmp_path: Path, evaluation: list[Photo]) -> None:
    training = [photo(tmp_path, f"train-{seed}", scene(seed)) for seed in range(20, 40)]
    told: list[tuple[str, int, int]] = []
    require_no_same_pictures(training, evaluation, lambda *how_far: told.append(how_far))
    assert told[-1][1:] == (len(evaluation), len(evaluation))
    assert find_same_pictures([], evaluation) == []
    assert find_same_pictures(training, []) == []


@pytest.mark.parametrize("block", [1, 3])
def test_blocks_do_not_change_what_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, evaluation: list[Photo], block: int
) -> None:
    training = [photo(tmp_path, f"train-{seed}", scene(seed)) for seed in (9, 3, 8, 0, 2)]
    monkeypatch.setattr(same_pictures, "_BLOCK", block)
    found = [(pair.training.key, pair.evaluation.key) for pair in find_same_pictures(training, evaluation)]
    assert found == [("c/train-3", "c/test-3"), ("c/train-0", "c/test-0"), ("c/train-2", "c/test-2")]


def test_a_hash_says_where_it_gets_darker() -> None:
    ramp = np.tile(np.linspace(255, 0, 36, dtype=np.uint8)[None, :, None], (32, 1, 3))
    assert difference_hash(ramp).tolist() == [255] * 8
    assert difference_hash(ramp[:, ::-1]).tolist() == [0] * 8
