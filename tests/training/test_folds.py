from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from mini_sets import write_sketchy
from sketchseek.datasets.sketchy import CROPPED_VARIANT, VARIANT, load_sketchy
from sketchseek.errors import ConfigError
from sketchseek.training.config import FoldConfig, SourceConfig
from sketchseek.training.data import DataSplits, load_sources
from sketchseek.training.folds import fold_of_photos

PHOTOS, TEST = 12, 2


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both variants; the last photo of each category has no sketches as photographed, but has some when cropped."""
    folder = tmp_path_factory.mktemp("data")
    root = write_sketchy(folder / "sketchy", photos=PHOTOS, test=TEST)
    for kind in ("photo", "sketch"):
        shutil.copytree(root / f"256x256/{kind}/{VARIANT}", root / f"256x256/{kind}/{CROPPED_VARIANT}")
    for file in (root / f"256x256/sketch/{VARIANT}").glob("*/n011_*.png"):
        file.unlink()
    return folder


def splits(root: Path, held_out: int, validation: float = 0.0, exclude: tuple[str, ...] = ()) -> DataSplits:
    sources = [
        SourceConfig("sketchy", "sketchy", exclude=list(exclude)),
        SourceConfig("sketchy", "sketchy", variant=CROPPED_VARIANT),
    ]
    return load_sources(sources, root, validation, 0, fold=FoldConfig(5, held_out))


def names(keys: list[str]) -> set[str]:
    return {key.split("/", 1)[1] for key in keys}


def test_every_sketch_is_held_out_once_and_its_photo_in_both_variants(root: Path) -> None:
    every = load_sources([SourceConfig("sketchy", "sketchy")], root, 0.0, 0).training
    held: Counter[str] = Counter()
    for fold in range(5):
        parts = splits(root, fold, validation=0.2)
        trained, kept = (names([p.key for p in part.photos]) for part in (parts.training, parts.fold))
        validated = names([p.key for p in parts.validation.photos])
        assert not trained & kept
        assert not trained & validated
        assert not validated & kept
        assert {sketch.photo for sketch in parts.fold.sketches} <= {photo.key for photo in parts.fold.photos}
        held.update(sketch.key for sketch in parts.fold.sketches)
        assert len([p for p in parts.fold.photos if p.key.startswith("0/")]) == len(every.photos) // 5
    assert set(held.values()) == {1}
    assert {key for key in held if key.startswith("0/")} == {sketch.key for sketch in every.sketches}


def test_folds_hold_equally_many_photos_of_a_category_and_the_seed_chooses(root: Path) -> None:
    dataset = load_sketchy(root / "sketchy")
    folds = fold_of_photos([dataset], 4, seed=0)
    assert folds.keys() == {photo.key for photo in dataset.photos}
    counts = Counter((photo.category, folds[photo.key]) for photo in dataset.photos)
    assert {counts[category, fold] for category in dataset.categories for fold in range(4)} <= {2, 3, 4}
    assert folds == fold_of_photos([dataset], 4, seed=0) != fold_of_photos([dataset], 4, seed=1)


def test_exclusion_lists_leave_the_fold_as_it_is(root: Path) -> None:
    everything = splits(root, 0)
    (root / "list.txt").write_text(
        "\n".join(
            sketch.key.split("/", 1)[1]
            for part in (everything.fold, everything.training)
            for sketch in part.sketches[:2]
        )
    )
    some = splits(root, 0, exclude=("list.txt",))
    assert some.fold == everything.fold
    assert len(some.training.sketches) == len(everything.training.sketches) - 2


def test_a_fold_that_does_not_exist_is_named(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"fold\.held_out is 5, but folds count from 0 to 4"):
        splits(root, 5)
