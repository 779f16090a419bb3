from __future__ import annotations

from pathlib import Path

import numpy as np

from mini_sets import write_sketchy
from sketchseek.images import read_photo
from sketchseek.training.config import FoldConfig, SourceConfig
from sketchseek.training.data import load_sources, read_pixels
from sketchseek.training.photo_copies import KEPT, SUFFIX, places_of_copies, read_training_photo


def test_a_copy_takes_half_of_the_sketches_and_only_training_photos_have_one(tmp_path: Path) -> None:
    write_sketchy(tmp_path / "sketchy", photos=12, sketches=3)
    some, every = (
        load_sources([SourceConfig("sketchy", "sketchy", copies=share)], tmp_path, 0.2, 0, fold=FoldConfig(4))
        for share in (0.5, 1.0)
    )
    plain = load_sources([SourceConfig("sketchy", "sketchy")], tmp_path, 0.2, 0, fold=FoldConfig(4))
    assert (every.fold, every.validation) == (plain.fold, plain.validation)
    originals = {photo.key for photo in plain.training.photos}
    assert {photo.key for photo in every.training.photos} == originals | {key + SUFFIX for key in originals}
    sketched = [sketch.photo for sketch in every.training.sketches]
    assert all(sketched.count(key) == 2 and sketched.count(key + SUFFIX) == 1 for key in originals)
    assert len(sketched) == len(plain.training.sketches)
    copies = {photo.key for photo in some.training.photos if photo.copy}
    assert 0 < len(copies) < len(originals)
    assert {photo.key for photo in every.training.photos if photo.copy} > copies


def test_a_copy_is_the_same_picture_cropped_and_lighter_or_darker(tmp_path: Path) -> None:
    write_sketchy(tmp_path / "sketchy")
    training = load_sources([SourceConfig("sketchy", "sketchy", copies=1.0)], tmp_path, 0.0, 0).training
    data = read_pixels(training, 40, 40, tmp_path / "cache")
    partner = places_of_copies([photo.key for photo in data.photos])
    assert (partner >= 0).all()
    assert (partner[partner] == np.arange(len(partner))).all()
    for place, photo in enumerate(data.photos):
        if photo.copy:
            original = data.photo_pixels[partner[place]].astype(float)
            copy = data.photo_pixels[:][place].astype(float)
            assert 0 < np.abs(copy - original).mean() < 40
            assert np.corrcoef(copy.ravel(), original.ravel())[0, 1] > 0.7
            np.testing.assert_array_equal(read_training_photo(photo, 40), data.photo_pixels[:][place])
    large = read_photo(data.photos[0].path, round(40 / KEPT))
    assert large.shape == (42, 42, 3)


def test_a_photo_without_a_copy_has_no_partner() -> None:
    assert places_of_copies(["0/a", "0/b", f"0/a{SUFFIX}"]).tolist() == [2, -1, 0]
