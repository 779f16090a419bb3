from __future__ import annotations

import unicodedata
from pathlib import Path

from served import picture
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library
from sketchseek.search.photo_folders import count_folders
from sketchseek.search.results import PhotoFolder


def test_folders_are_found_by_a_part_of_their_paths(tmp_path: Path, tiny_model: ModelPackage) -> None:
    root = tmp_path / "gallery"
    names = ("2019/Été à la mer", "2020/meran", "winter", "winter/sea of ice")
    for number, name in enumerate(names):
        (root / name).mkdir(parents=True, exist_ok=True)
        picture(number).save(root / name / f"{number}.png")
    picture(9).save(root / "winter" / "9.png")
    with Library.open(tmp_path / "library", tiny_model.path, create=True) as library:
        library.add([root])
        everything = library.folders()
        assert [one.path for one in everything] == sorted(root / name for name in names)
        assert {one.path.name: one.photos for one in everything}["winter"] == 2  # without those below it
        assert [one.path.name for one in library.folders("MER")] == ["Été à la mer", "meran"]
        assert [one.path.name for one in library.folders("winter")] == ["winter", "sea of ice"]  # own names first
        assert [one.path.name for one in library.folders(unicodedata.normalize("NFD", "été"))] == ["Été à la mer"]
        assert library.folders("winter", limit=1) == [PhotoFolder(root / "winter", 2)]
        assert library.folders("spring") == []
        (root / "spring").mkdir()
        picture(5).save(root / "spring" / "5.png")
        library.sync()
        assert library.folders("spring") == [PhotoFolder(root / "spring", 1)]


def test_paths_that_are_not_text_have_folders_too() -> None:
    folders = count_folders([b"/\xff/a.jpg", b"/\xff/b.jpg", b"/c.jpg"])
    assert [(str(one.path), one.photos) for one in folders] == [("/\udcff", 2), ("/", 1)]
