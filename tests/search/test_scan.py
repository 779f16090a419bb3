from __future__ import annotations

import os
from pathlib import Path

import pytest

from sketchseek.search.scan import Found, Unreadable, absolute, file_time, lies_in, scan, without_nested


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def found(*folders: Path, excluded: tuple[Path, ...] = ()) -> list[str]:
    """Paths that a scan finds, relative to the first folder."""
    items = scan([absolute(folder) for folder in folders], {absolute(path) for path in excluded})
    return [os.path.relpath(os.fsdecode(item.path), folders[0]) for item in items if isinstance(item, Found)]


def unreadable(*folders: Path) -> list[str]:
    items = scan([absolute(folder) for folder in folders])
    return [os.fsdecode(item.path) for item in items if isinstance(item, Unreadable)]


def test_pictures_are_found_in_all_folders_in_a_stable_order(tmp_path: Path) -> None:
    touch(tmp_path / "b.jpg", tmp_path / "a.PNG", tmp_path / "x" / "y" / "z.webp", tmp_path / "x" / "c.tiff")
    touch(tmp_path / "notes.txt", tmp_path / "jpg", tmp_path / "archive.jpg.zip", tmp_path / "c.JFIF")
    assert found(tmp_path) == ["a.PNG", "b.jpg", "c.JFIF", "x/c.tiff", "x/y/z.webp"]


def test_hidden_files_and_folders_are_passed_over_unless_named(tmp_path: Path) -> None:
    touch(tmp_path / ".hidden.jpg", tmp_path / ".folder" / "a.jpg", tmp_path / "b.jpg")
    assert found(tmp_path) == ["b.jpg"]
    assert found(tmp_path / ".folder") == ["a.jpg"]


def test_links_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    photos, outside = tmp_path / "photos", tmp_path / "outside"
    touch(photos / "z" / "a.jpg", outside / "b.jpg")
    (photos / "loop").symlink_to(photos)
    (photos / "again").symlink_to(photos / "z")
    (photos / "out").symlink_to(outside)
    (outside / "back").symlink_to(photos)
    (photos / "file.jpg").symlink_to(outside / "b.jpg")
    (photos / "broken.jpg").symlink_to(tmp_path / "nothing.jpg")
    assert found(photos) == ["file.jpg", "z/a.jpg", "out/b.jpg"]


def test_a_link_named_as_a_folder_is_followed(tmp_path: Path) -> None:
    touch(tmp_path / "real" / "a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert found(tmp_path / "link") == ["a.jpg"]


def test_nested_and_repeated_folders_are_visited_once(tmp_path: Path) -> None:
    touch(tmp_path / "x" / "a.jpg")
    assert found(tmp_path, tmp_path / "x", tmp_path) == ["x/a.jpg"]


def test_single_files_and_other_things(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    touch(tmp_path / "folder.jpg" / "b.jpg")
    assert found(tmp_path) == ["a.jpg", "folder.jpg/b.jpg"]
    assert found(tmp_path / "a.jpg") == ["."]
    assert unreadable(tmp_path / "pipe.jpg", tmp_path / "none") == [
        str(tmp_path / "none"),
        str(tmp_path / "pipe.jpg"),
    ]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_reported(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "closed" / "b.jpg")
    (tmp_path / "closed").chmod(0)
    assert found(tmp_path) == ["a.jpg"]
    assert unreadable(tmp_path) == [str(tmp_path / "closed")]
    (tmp_path / "closed").chmod(0o700)


def test_a_folder_that_fails_is_reported_and_the_rest_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "bad" / "b.jpg", tmp_path / "good" / "c.jpg")
    scandir = os.scandir

    def failing(path: bytes) -> object:
        if path.endswith(b"bad"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    assert found(tmp_path) == ["a.jpg", "good/c.jpg"]
    (item,) = (item for item in scan([absolute(tmp_path)]) if isinstance(item, Unreadable))
    assert (item.path, item.reason) == (absolute(tmp_path / "bad"), "Permission denied")


def test_excluded_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "b.jpg", tmp_path / "x" / "c.jpg", tmp_path / "xy" / "d.jpg")
    assert found(tmp_path, excluded=(tmp_path / "b.jpg", tmp_path / "x")) == ["a.jpg", "xy/d.jpg"]


def test_a_very_deep_folder(tmp_path: Path) -> None:
    here = tmp_path
    for _ in range(300):
        here = here / "d"
    touch(here / "a.jpg")
    assert len(found(tmp_path)) == 1


def test_file_times_are_numbers_that_sqlite_has() -> None:
    for seconds, expected in ((0, 0), (10**10, 2**63 - 1), (-(10**10), -(2**63))):
        status = os.stat_result((0,) * 7 + (seconds,) * 3 + (0.0,) * 3 + (seconds * 10**9,) * 3)
        assert file_time(status) == expected


def test_paths() -> None:
    assert absolute("/a/b/../c/./d//e") == b"/a/c/d/e"
    assert lies_in(b"/a/b", b"/a")
    assert lies_in(b"/a", b"/a")
    assert lies_in(b"/a", b"/")
    assert not lies_in(b"/ab", b"/a")
    assert without_nested([b"/b", b"/a/x", b"/a", b"/ab", b"/a"]) == [b"/a", b"/ab", b"/b"]
