from __future__ import annotations

import os
from pathlib import Path

import pytest

from sketchseek.errors import InputError
from sketchseek.search.scan import (
    LEADS_OUT,
    Found,
    SkippedLink,
    Unread,
    Unreadable,
    absolute,
    file_time,
    lies_in,
    scan,
    without_nested,
)
from sketchseek.search.scan_rules import ScanRules


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def found(*folders: Path, excluded: tuple[Path, ...] = (), rules: ScanRules | None = None) -> list[str]:
    """Paths that a scan finds, relative to the first folder."""
    items = scan([absolute(folder) for folder in folders], {absolute(path) for path in excluded}, rules=rules)
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
    assert found(photos, rules=ScanRules(follow_symlinks=True)) == ["file.jpg", "z/a.jpg", "out/b.jpg"]


def test_links_to_folders_are_counted_not_followed_unless_asked(tmp_path: Path) -> None:
    photos, outside = tmp_path / "photos", tmp_path / "outside"
    touch(photos / "a.jpg", outside / "b.jpg")
    (photos / "out").symlink_to(outside)
    (photos / ".hidden").symlink_to(outside)
    assert found(photos) == ["a.jpg"]
    skipped = [item.path for item in scan([absolute(photos)]) if isinstance(item, SkippedLink)]
    assert skipped == [absolute(photos / "out")]


def test_files_in_formats_that_are_not_read_are_counted(tmp_path: Path) -> None:
    touch(
        tmp_path / "a.jpg", tmp_path / "b.avif", tmp_path / "c.PSD", tmp_path / "x" / "d.xcf", tmp_path / "x" / "e.xcf"
    )
    touch(tmp_path / "notes.txt", tmp_path / ".hidden.xcf", tmp_path / "node_modules" / "f.xcf")
    (tmp_path / "folder.xcf").mkdir()
    items = [item for item in scan([absolute(tmp_path)]) if isinstance(item, Unread)]
    assert items == [
        Unread(absolute(tmp_path), "psd"),
        *[Unread(absolute(tmp_path / "x"), "xcf")] * 2,
    ]
    assert found(tmp_path) == ["a.jpg", "b.avif"]


@pytest.mark.parametrize("name", ["@eaDir", "node_modules", "#recycle", "Thumbnails", "catalog.lrdata", "lost+found"])
def test_folders_that_programs_fill_are_passed_over_unless_named(name: str, tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "x" / name / "b.jpg", tmp_path / "x" / "c.jpg")
    assert found(tmp_path) == ["a.jpg", "x/c.jpg"]
    assert found(tmp_path / "x" / name) == ["b.jpg"]


def test_a_file_with_the_name_of_such_a_folder_is_found(tmp_path: Path) -> None:
    touch(tmp_path / "thumbnails.jpg", tmp_path / "node_modules.png")
    assert found(tmp_path) == ["node_modules.png", "thumbnails.jpg"]


def test_patterns_of_the_library(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "screen-1.png", tmp_path / "x" / "screen-2.png", tmp_path / "x" / "b.jpg")
    touch(tmp_path / "node_modules" / "c.jpg", tmp_path / "raw" / "d.jpg", tmp_path / "x" / "raw" / "e.jpg")
    rules = ScanRules(("screen-*", "/raw/", "!node_modules/", "*.xcf"))
    assert found(tmp_path, rules=rules) == ["a.jpg", "node_modules/c.jpg", "x/b.jpg", "x/raw/e.jpg"]


def test_ignore_files_apply_below_their_folder_and_the_innermost_decides(tmp_path: Path) -> None:
    touch(*(tmp_path / folder / name for folder in (".", "x", "x/y") for name in ("a.jpg", "b.jpg", "c.png")))
    (tmp_path / ".sketchseekignore").write_text("# comment\n*.png\nx/b.jpg\n")
    (tmp_path / "x" / ".sketchseekignore").write_text("!c.png\n/y/a.jpg\n")
    assert found(tmp_path) == ["a.jpg", "b.jpg", "x/a.jpg", "x/c.png", "x/y/b.jpg", "x/y/c.png"]
    assert found(tmp_path / "x" / "y") == ["a.jpg", "b.jpg", "c.png"]  # nothing above an indexed folder counts


def test_a_folder_whose_ignore_file_cannot_be_used_is_unreadable(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "x" / "b.jpg", tmp_path / "y" / "c.jpg")
    (tmp_path / "x" / ".sketchseekignore").write_text("!\n")
    (tmp_path / "y" / ".sketchseekignore").write_bytes(b"x" * (1 << 21))
    assert found(tmp_path) == ["a.jpg"]
    assert unreadable(tmp_path) == [str(tmp_path / "x"), str(tmp_path / "y")]


def test_an_ignore_file_that_is_a_pipe_does_not_block(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    os.mkfifo(tmp_path / ".sketchseekignore")
    assert found(tmp_path) == ["a.jpg"]


def test_names_that_are_not_text_meet_patterns(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"b\xff.jpg")).write_bytes(b"x")
    (tmp_path / os.fsdecode(b"a\xff.png")).write_bytes(b"x")
    assert found(tmp_path, rules=ScanRules(("*.png",))) == [os.fsdecode(b"b\xff.jpg")]


def test_an_invalid_pattern_is_named() -> None:
    with pytest.raises(InputError, match="not a valid pattern"):
        ScanRules(("!",))


def test_links_may_be_kept_within_folders(tmp_path: Path) -> None:
    photos, other, outside = tmp_path / "photos", tmp_path / "other", tmp_path / "photos secret"
    touch(photos / "z" / "a.jpg", other / "c.jpg", outside / "b.jpg")
    (photos / "again.jpg").symlink_to(photos / "z" / "a.jpg")
    (photos / "other").symlink_to(other)
    (photos / "out").symlink_to(outside)
    (photos / "file.jpg").symlink_to(outside / "b.jpg")
    (photos / "two").symlink_to(photos / "out")
    (other / "out").symlink_to(tmp_path)
    (other / "up.jpg").symlink_to("../photos/out/b.jpg")
    rules = ScanRules(follow_symlinks=True)
    items = list(scan([absolute(photos)], rules=rules, within=[absolute(photos), absolute(other)]))
    paths = {os.path.relpath(os.fsdecode(item.path), photos): item for item in items if not isinstance(item, Unread)}
    assert {name for name, item in paths.items() if isinstance(item, Found)} == {"z/a.jpg", "again.jpg", "other/c.jpg"}
    assert {name for name, item in paths.items() if item == Unreadable(item.path, LEADS_OUT)} == {
        "out",
        "two",
        "file.jpg",
        "other/out",
        "other/up.jpg",
    }


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
