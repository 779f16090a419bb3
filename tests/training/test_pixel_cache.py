from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sketchseek.errors import InputError
from sketchseek.training.pixel_cache import read_with_cache

SHAPE = (2, 3)


class Reader:
    """Reads made-up pictures and remembers which."""

    def __init__(self, names: list[str], broken: str = "") -> None:
        self.names = names
        self.broken = broken
        self.read: list[str] = []

    def __call__(self, place: int) -> np.ndarray:
        name = self.names[place]
        self.read.append(name)
        if name == self.broken:
            raise InputError(f"{name} is broken.")
        return np.full(SHAPE, ord(name), dtype=np.uint8)


def check(folder: Path | None, names: list[str], read: list[str], broken: str = "") -> None:
    reader = Reader(names, broken)
    good, pixels, failed = read_with_cache(folder, names, SHAPE, reader)
    assert reader.read == read
    assert [names[place] for place in good] == [name for name in names if name != broken]
    assert pixels.shape == (len(good), *SHAPE)
    assert pixels[:, 0, 0].tolist() == [ord(names[place]) for place in good]
    assert list(failed.values()) == [f"{broken} is broken."] * (broken in names)


def test_pictures_are_read_once_whatever_set_they_are_in(tmp_path: Path) -> None:
    check(tmp_path, ["a", "b", "c"], ["a", "b", "c"])
    check(tmp_path, ["c", "d", "a"], ["d"])
    check(tmp_path, ["d", "c", "b", "a", "c"], [])
    check(None, ["a"], ["a"])


def test_unreadable_pictures_are_left_out_and_tried_again(tmp_path: Path) -> None:
    check(tmp_path, ["a", "b", "c"], ["a", "b", "c"], broken="b")
    check(tmp_path, ["a", "b", "d", "c"], ["b", "d"], broken="b")
    check(tmp_path, ["b"], ["b"], broken="b")


def test_damaged_files_are_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    check(tmp_path, ["a", "b"], ["a", "b"])
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    check(tmp_path, ["a", "b"], ["a", "b"])
    assert "is damaged" in caplog.text
    check(tmp_path, ["b", "a"], [])
