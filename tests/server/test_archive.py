from __future__ import annotations

import io
import zipfile
from pathlib import Path, PurePath

from sketchseek.server.archive import entry_names, zip_stream


def opened(chunks: list[bytes]) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join(chunks)))


def test_an_archive_holds_every_file_as_it_is_and_is_sent_in_pieces(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    contents = {"a.jpg": b"x" * 3_000_000, "below/a.jpg": b"second", "größe.png": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    chunks = list(zip_stream([tmp_path / name for name in contents]))
    assert max(map(len, chunks)) < 1_100_000
    with opened(chunks) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a.jpg", "a (2).jpg", "größe.png"]
        assert [archive.read(name) for name in archive.namelist()] == list(contents.values())


def test_files_that_are_missing_are_listed(tmp_path: Path) -> None:
    (tmp_path / "here.png").write_bytes(b"here")
    with opened(list(zip_stream([tmp_path / "gone.png", tmp_path / "here.png"], ["other.png"]))) as archive:
        assert archive.namelist() == ["here.png", "missing.txt"]
        assert archive.read("missing.txt").decode().split() == ["other.png", str(tmp_path / "gone.png")]
    with opened(list(zip_stream([]))) as archive:
        assert archive.namelist() == []


def test_names_differ_also_where_case_does_not_count() -> None:
    paths = [PurePath(name) for name in ("a/x.jpg", "b/X.JPG", "c/x.jpg", "x (2).jpg", "missing.txt", "d/.x", "e/.x")]
    names = entry_names(paths)
    assert len({name.casefold() for name in names}) == len(paths)
    assert names[0] == "x.jpg"
    assert names[2] in ("x (2).jpg", "x (3).jpg")
    assert "missing.txt" not in names
