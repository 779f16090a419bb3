from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sketchseek.errors import InputError
from sketchseek.training import pixel_cache
from sketchseek.training.pixel_cache import read_with_cache
from sketchseek.training.pixel_rows import PixelRows

SHAPE = (2, 3)


class Reader:
    """Reads made-up pictures and remembers which."""

    def __init__(self, broken: str = "") -> None:
        self.broken = broken
        self.read: list[str] = []

    def __call__(self, name: str) -> np.ndarray:
        self.read.append(name)
        if name == self.broken:
            raise InputError(f"{name} is broken.")
        return np.full(SHAPE, ord(name), dtype=np.uint8)


def check(folder: Path | None, names: list[str], read: list[str], broken: str = "") -> None:
    reader = Reader(broken)
    good, source, failed = read_with_cache(folder, names, names, SHAPE, reader)
    pixels = source[:]
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


def test_large_sets_stay_in_files_and_give_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_cache, "IN_MEMORY", 10)
    names = ["c", "x", "a", "b", "c"]
    check(tmp_path, ["a", "b"], ["a", "b"])
    check(tmp_path, names, ["c", "x", "c"], broken="x")  # in two files now
    good, rows, _ = read_with_cache(tmp_path, names, names, SHAPE, Reader("x"))
    assert isinstance(rows, PixelRows)
    expected = np.array([ord(names[place]) for place in good], dtype=np.uint8)
    assert (rows.shape, rows.ndim, len(rows), rows.nbytes) == ((4, *SHAPE), 3, 4, 24)
    assert rows[np.array([3, 1, 1])][:, 0, 0].tolist() == expected[[3, 1, 1]].tolist()
    assert rows[1::2][:, 1, 2].tolist() == expected[1::2].tolist()
    assert [int(row[0, 0]) for row in rows] == expected.tolist()
    assert rows[[]].shape == (0, *SHAPE)


def double(number: int) -> np.ndarray:
    if number == 7:
        raise InputError("seven.")
    return np.full(SHAPE, number * 2 % 256, dtype=np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("cached", [True, False])
def test_processes_read_what_one_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: bool) -> None:
    monkeypatch.setattr(pixel_cache, "LEAST_FOR_PROCESSES", 20)
    items = list(range(40))
    seen: list[tuple[int, int]] = []
    good, pixels, failed = read_with_cache(
        tmp_path / "cache" if cached else None,
        items,
        [str(item) for item in items],
        SHAPE,
        double,
        progress=lambda done, total: seen.append((done, total)),
        processes=2,
    )
    assert good == [item for item in items if item != 7]
    assert failed == {7: "seven."}
    assert pixels[:][:, 0, 0].tolist() == [item * 2 for item in good]
    assert seen[-1] == (40, 40)


def test_an_interruption_leaves_no_file(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_with_cache(tmp_path, ["a", "b", "c"], ["a", "b", "c"], SHAPE, Reader(), progress=interrupt)
    assert list(tmp_path.iterdir()) == []
