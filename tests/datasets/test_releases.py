from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from mini_sets import write_chairv2, write_pairs, write_tuberlin
from sketchseek.datasets import releases
from sketchseek.datasets.chairv2 import load_chairv2
from sketchseek.datasets.image_folders import load_pairs
from sketchseek.datasets.quickdraw import load_quickdraw
from sketchseek.datasets.releases import Release, coverage
from sketchseek.datasets.sketchy import load_sketchy
from sketchseek.datasets.tuberlin import load_tuberlin


@pytest.mark.parametrize(
    ("release", "kind", "says"),
    [
        (Release(1, photos=4, sketches=8), "whole", "The whole release chairv2: 1 of 1 categories, 4 of 4 photos"),
        (Release(1, photos=400, sketches=1275), "subset", "A subset of the release chairv2: .*8 of 1,275 sketches"),
        (Release(1, photos=3, sketches=8), "more", "More than the release chairv2 holds: .*4 of 3 photos"),
    ],
)
def test_counts_are_compared_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: Release, kind: str, says: str
) -> None:
    monkeypatch.setitem(releases.RELEASES, "chairv2", release)
    found = coverage(load_chairv2(write_chairv2(tmp_path)))
    assert found.kind == kind
    assert re.search(says, found.notes[0])
    assert found.to_dict()["release"] == "chairv2"


def test_a_copy_that_lacks_files_of_one_category_is_said_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(releases.RELEASES, "tuberlin", Release(4, sketches=8, sketches_each=2))
    write_tuberlin(tmp_path)
    (tmp_path / "png/filelist.txt").unlink()
    assert coverage(load_tuberlin(tmp_path)).kind == "whole"
    (tmp_path / "png/ant/1.png").unlink()
    found = coverage(load_tuberlin(tmp_path))
    assert (found.kind, found.notes[1]) == ("subset", "Not as in the release: ant: 1 sketches instead of 2.")


def test_other_names_of_as_many_categories_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = hashlib.sha256(b"alarm clock\nant\nwindmill\nzebra").hexdigest()
    write_tuberlin(tmp_path)
    for digest, notes in ((names, 1), ("0" * 64, 2)):
        monkeypatch.setitem(releases.RELEASES, "tuberlin", Release(4, sketches=8, names=digest))
        assert len(coverage(load_tuberlin(tmp_path)).notes) == notes


@pytest.mark.real_data
def test_the_real_sets_have_the_releases_names(real_data: Path) -> None:
    for dataset in (load_sketchy(real_data / "sketchy"), load_quickdraw(real_data / "quickdraw", limit=1)):
        found = coverage(dataset)
        assert (found.kind, len(found.notes)) == ("subset", 1)
    assert coverage(load_chairv2(real_data / "chairv2")).kind == "whole"


def test_a_folder_of_one_s_own_has_no_release(tmp_path: Path) -> None:
    assert coverage(load_pairs(write_pairs(tmp_path))).notes == ()
