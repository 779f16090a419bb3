from __future__ import annotations

import os
from pathlib import Path

import pytest

from served import picture
from sketchseek.errors import InputError
from sketchseek.models.package import ModelPackage
from sketchseek.search.browse import Order
from sketchseek.search.library import Library
from sketchseek.search.params import Filter


def names(library: Library, order: Order = "newest", **options: object) -> list[str]:
    return [photo.path.name for photo in library.browse(order, **options)]  # type: ignore[arg-type]


def test_photos_are_listed_by_time_and_path_a_page_at_a_time(tmp_path: Path, tiny_model: ModelPackage) -> None:
    folder = tmp_path / "photos"
    (folder / "a").mkdir(parents=True)
    times = {"b.png": 300, "a/z.png": 100, "c.png": 200, "a/y.png": 200}
    for number, (name, time) in enumerate(times.items()):
        picture(number).save(folder / name)
        os.utime(folder / name, (time, time))
    with Library.open(tmp_path / "library", tiny_model.path, create=True) as library:
        assert library.browse() == []
        library.add([folder])
        newest = names(library)
        assert (newest[0], set(newest[1:3]), newest[3]) == ("b.png", {"c.png", "y.png"}, "z.png")
        assert names(library, "oldest") == newest[::-1]
        assert names(library, "path") == ["y.png", "z.png", "b.png", "c.png"]
        assert [*names(library, k=3), *names(library, k=3, offset=3)] == newest
        assert names(library, k=3, offset=9) == []
        inside = Filter(folder=folder / "a")
        assert names(library, filter=inside) == ["y.png", "z.png"]
        assert names(library, k=1, offset=1, filter=inside) == ["z.png"]
        picture(9).save(folder / "new.png")
        library.sync()
        assert names(library)[0] == "new.png"  # the order is read again
        library.remove([folder / "b.png"])
        assert "b.png" not in names(library)
        with pytest.raises(InputError, match="no order"):
            names(library, "best")  # type: ignore[arg-type]
