from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sketchseek import atomic_write as module
from sketchseek.atomic_write import atomic_path, atomic_write


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_created_and_replaced(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "a.txt"
    atomic_write(path, "größer", durable=durable)
    assert path.read_bytes() == "größer".encode()
    atomic_write(path, b"\0\n", durable=durable)
    assert path.read_bytes() == b"\0\n"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    atomic_write(path, "old")

    def interrupted() -> None:
        with atomic_path(path) as aside:
            aside.write_bytes(b"half")
            assert path.read_text() == "old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_before_anything_is_written_is_raised(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.txt"):
        pass
    with pytest.raises(FileNotFoundError):
        atomic_write(tmp_path / "none" / "a.txt", "text")
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_on_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npy"
    synced: list[tuple[str, bool]] = []
    monkeypatch.setattr(module, "_sync", lambda synced_path: synced.append((synced_path.suffix, path.exists())))
    with atomic_path(path) as aside, aside.open("wb") as file:
        np.save(file, np.arange(3))
    assert synced == [(module.SUFFIX, False), ("", True)]
    assert np.load(path).tolist() == [0, 1, 2]
    synced.clear()
    atomic_write(path, "text", durable=False)
    assert synced == []


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    atomic_write(path, "old")

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_sync", full)
    with pytest.raises(OSError, match="No space left"):
        atomic_write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
