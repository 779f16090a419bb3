"""Sources of every kind: training data, validation data, pseudo-sketches and partial sketches."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from mini_sets import write_chairv2, write_photo, write_qmul, write_quickdraw, write_sketchy, write_tuberlin
from sketchseek.datasets.chairv2 import chairv2_split, load_chairv2
from sketchseek.datasets.registry import dataset_specs
from sketchseek.datasets.sketchy import CROPPED_VARIANT, VARIANT
from sketchseek.errors import ConfigError, DatasetError
from sketchseek.training.config import SourceConfig
from sketchseek.training.data import load_sources, read_pixels


def test_test_parts_are_no_sources(tmp_path: Path) -> None:
    write_chairv2(tmp_path / "chairs")
    split = chairv2_split(load_chairv2(tmp_path / "chairs"))
    splits = load_sources(
        [SourceConfig("chairv2", "chairs", pseudo_sketches=True, partial_sketches=True)], tmp_path, 0.0, 0
    )
    used = {photo.key.removeprefix("0/") for photo in splits.training.photos}
    assert used == set(split.train_photo_keys)
    assert {sketch.photo for sketch in splits.training.sketches} == {f"0/{key}" for key in used}


def test_line_sketches_come_of_every_training_photo_and_of_no_other(tmp_path: Path) -> None:
    write_sketchy(tmp_path / "sketchy", photos=8)
    write_photo(tmp_path / "clothes/shoes/a.jpg", "shoe")
    sources = [
        SourceConfig("sketchy", "sketchy", pseudo_sketches=True),
        SourceConfig("photos", "clothes", pseudo_sketches=True),
    ]
    splits = load_sources(sources, tmp_path, 0.3, 0)
    pseudo = [sketch for sketch in splits.training.sketches if sketch.pseudo]
    assert [sketch.photo for sketch in pseudo] == [photo.key for photo in splits.training.photos]
    assert "shoe" in {photo.category for photo in splits.training.photos}  # one word for one thing
    assert splits.validation.sketches
    assert not any(sketch.pseudo for sketch in splits.validation.sketches)
    data = read_pixels(splits.training, 32, 32, tmp_path / "cache")
    again = read_pixels(splits.training, 32, 32, tmp_path / "cache")
    assert data.sketch_pseudo.sum() == len(pseudo)
    own = data.sketch_photo[data.sketch_pseudo]
    assert [data.photos[i].key for i in own] == [sketch.photo for sketch in pseudo]
    np.testing.assert_array_equal(data.sketch_pixels, again.sketch_pixels)
    assert (data.sketch_pixels[:] < 128).any(axis=(1, 2)).all()


def test_unfinished_sketches_are_the_first_part_of_finished_ones(tmp_path: Path) -> None:
    write_sketchy(tmp_path / "sketchy")
    write_quickdraw(tmp_path / "quickdraw", words=("cat",), count=20)
    sources = [
        SourceConfig("sketchy", "sketchy"),
        SourceConfig("quickdraw", "quickdraw/simplified", partial_sketches=True),
    ]
    splits = load_sources(sources, tmp_path, 0.0, 0)
    whole = {sketch.key: sketch for sketch in splits.training.sketches}
    first = [sketch for sketch in splits.training.sketches if sketch.key.endswith("#first")]
    assert len(first) == sum(sketch.strokes is not None for sketch in whole.values()) - len(first) > 10
    for sketch in first:
        full = whole[sketch.key.removesuffix("#first")]
        assert sketch.category == full.category == "cat"
        assert sketch.strokes
        assert full.strokes
        (x, y), (all_x, all_y) = sketch.strokes[0], full.strokes[0]
        assert (x, y) == (all_x[: len(x)], all_y[: len(y)])
        assert 2 <= len(x) < len(all_x)


def test_a_share_of_the_drawn_photos_trains_and_validation_stays(tmp_path: Path) -> None:
    write_sketchy(tmp_path / "sketchy", photos=12)
    splits = {
        share: load_sources([SourceConfig("sketchy", "sketchy", fraction=share)], tmp_path, 0.2, 0)
        for share in (0.25, 0.5, 1.0)
    }
    assert splits[0.25].validation == splits[0.5].validation == splits[1.0].validation
    keys = {share: {photo.key for photo in part.training.photos} for share, part in splits.items()}
    assert keys[0.25] < keys[0.5] < keys[1.0]
    assert len(keys[0.5]) == len(keys[1.0]) / 2 == 2 * len(keys[0.25])
    assert all({d.photo for d in part.training.sketches} == keys[share] for share, part in splits.items())


@pytest.mark.parametrize("name", ["testset.txt", "official-testset.txt"])
def test_photos_on_a_test_list_are_refused_by_name(tmp_path: Path, name: str) -> None:
    root = write_sketchy(tmp_path / "sketchy")
    listed = root / "info" / name
    if name == "official-testset.txt":
        listed.write_text("cat/n03_103.jpg\n")
        source = SourceConfig("sketchy", "sketchy")
    else:  # the release read as plain folders of photos, which know of no split
        listed.write_text("cat/n03_103.jpg\ncat/n99_1.jpg\n")
        source = SourceConfig("photos", f"sketchy/256x256/photo/{VARIANT}")
    with pytest.raises(
        DatasetError, match=rf"{name} lists 1 of the training photos for testing: cat/n03_103\."
    ) as error:
        load_sources([source], tmp_path, 0.0, 0)
    assert error.value.remedy


def test_both_variants_train_and_a_photo_held_out_of_one_is_in_neither(tmp_path: Path) -> None:
    root = write_sketchy(tmp_path / "sketchy", photos=12)
    for kind in ("photo", "sketch"):
        shutil.copytree(root / f"256x256/{kind}/{VARIANT}/cat", root / f"256x256/{kind}/{CROPPED_VARIANT}/cat")
    sources = [SourceConfig("sketchy", "sketchy"), SourceConfig("sketchy", "sketchy", variant=CROPPED_VARIANT)]
    splits = load_sources(sources, tmp_path, 0.3, 0)
    training, validation = ({p.key.split("/", 1)[1] for p in s.photos} for s in (splits.training, splits.validation))
    assert {photo.key[0] for photo in splits.training.photos} == {"0", "1"}
    assert validation
    assert not training & validation
    assert not {sketch.photo.split("/", 1)[1] for sketch in splits.training.sketches if sketch.photo} & validation


def test_a_release_s_own_lists_are_excluded_by_name(tmp_path: Path) -> None:
    root = write_sketchy(tmp_path / "sketchy")
    (root / "info/invalid-error.txt").write_text("cat/n03_103-1.png\ncat/n00_100-1.png\n")
    (root / "info/invalid-pose.txt").write_text("cat/n00_100-1.png\n")  # a test photo's sketch: nothing to exclude
    whole = load_sources([SourceConfig("sketchy", "sketchy")], tmp_path, 0.0, 0).training
    rest = load_sources([SourceConfig("sketchy", "sketchy", exclude=["error", "pose"])], tmp_path, 0.0, 0).training
    assert set(whole.sketches) - set(rest.sketches) == {s for s in whole.sketches if s.key == "0/cat/n03_103-1"}
    assert rest.photos == whole.photos
    with pytest.raises(DatasetError, match=r"invalid-context\.txt: no such file"):
        load_sources([SourceConfig("sketchy", "sketchy", exclude=["context"])], tmp_path, 0.0, 0)


def test_every_data_set_for_evaluation_can_be_trained_on(tmp_path: Path) -> None:
    write_qmul(tmp_path / "shoes")
    write_qmul(tmp_path / "chairs", "A and B")
    write_tuberlin(tmp_path / "tuberlin", categories=("shoe", "ant"))
    sources = [
        SourceConfig("shoev2", "shoes"),
        SourceConfig("chairv2", "chairs"),
        SourceConfig("tuberlin", "tuberlin"),
    ]
    training = load_sources(sources, tmp_path, 0.0, 0).training
    assert {photo.key for photo in training.photos} == {
        f"{n}/{c}/{i}" for n, c in ((0, "shoe"), (1, "chair")) for i in (102, 103)
    }
    assert sum(sketch.key.startswith("2/shoe/") for sketch in training.sketches) == 2
    assert all(spec.supports("train") for spec in dataset_specs("evaluate"))
    with pytest.raises(ConfigError, match=r"Unknown data set 'sketchi'") as error:
        load_sources([SourceConfig("sketchi", "sketchy")], tmp_path, 0.0, 0)
    assert "sketchy" in error.value.remedy
