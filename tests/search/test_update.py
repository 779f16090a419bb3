"""Indexing and syncing: new, changed, moved, copied, deleted and unreadable files."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from raw_files import dng
from search.painted import TRIANGLE, Paint, names
from sketchseek.encoder import Encoder
from sketchseek.images import open_image
from sketchseek.models.package import ModelPackage
from sketchseek.search import pipeline
from sketchseek.search.catalog import Catalog, Row
from sketchseek.search.library import Library
from sketchseek.search.results import IndexProgress
from video_files import video


def test_indexing_again_changes_nothing(library: Library, tmp_path: Path) -> None:
    before = library.search(TRIANGLE, k=10)
    report = library.add([tmp_path / "photos"])
    assert (report.indexed, report.unchanged, report.removed, report.failed) == (0, 6, 0, 0)
    assert library.search(TRIANGLE, k=10) == before


def test_sync_notices_new_changed_moved_copied_and_deleted_files(
    library: Library, tmp_path: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    ids = {result.path.name: result.id for result in library.search(TRIANGLE, k=10)}
    paint("new.jpg", 100)
    paint("even/0.jpg", 200)
    (photos / "odd" / "1.jpg").rename(photos / "renamed.jpg")
    (photos / "even" / "2.jpg").unlink()
    (photos / "copy.jpg").write_bytes((photos / "even" / "4.jpg").read_bytes())
    embedded: list[int] = []
    embed = type(library.encoder).encode_photo_pixels
    monkeypatch.setattr(
        type(library.encoder),
        "encode_photo_pixels",
        lambda self, pixels: embedded.append(len(pixels)) or embed(self, pixels),  # type: ignore[func-returns-value]
    )
    report = library.sync()
    assert (report.indexed, report.unchanged, report.moved, report.removed) == (3, 3, 1, 1)
    assert sum(embedded) == 2  # neither the moved nor the copied one
    now = {result.path.name: result.id for result in library.search(TRIANGLE, k=10)}
    assert sorted(now) == ["0.jpg", "3.jpg", "4.jpg", "5.jpg", "copy.jpg", "new.jpg", "renamed.jpg"]
    assert now["renamed.jpg"] == ids["1.jpg"]
    assert now["0.jpg"] not in ids.values()
    assert library.verify().ok


def test_a_touched_file_is_not_embedded_again(library: Library, tmp_path: Path) -> None:
    os.utime(tmp_path / "photos" / "odd" / "1.jpg", ns=(1, 1))
    before = library.search(TRIANGLE, k=10)
    assert (library.sync().unchanged, library.search(TRIANGLE, k=10)) == (6, before)


def test_files_that_swap_names_swap_embeddings(library: Library, tmp_path: Path) -> None:
    one, two = tmp_path / "photos" / "odd" / "1.jpg", tmp_path / "photos" / "even" / "2.jpg"
    scores = {result.path: result.score for result in library.search(TRIANGLE, k=10)}
    one.rename(tmp_path / "aside")
    two.rename(one)
    (tmp_path / "aside").rename(two)
    library.sync()
    swapped = {result.path: result.score for result in library.search(TRIANGLE, k=10)}
    assert len(swapped) == 6
    assert (swapped[one], swapped[two]) == pytest.approx((scores[two], scores[one]))


def test_a_chain_of_renames_keeps_the_photos(library: Library, tmp_path: Path) -> None:
    odd = tmp_path / "photos" / "odd"
    (odd / "5.jpg").unlink()
    (odd / "3.jpg").rename(odd / "5.jpg")
    (odd / "1.jpg").rename(odd / "3.jpg")
    library.sync()
    assert names(library) == ["0.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"]
    assert library.verify().ok


def test_a_moved_folder_keeps_every_id(library: Library, tmp_path: Path) -> None:
    before = {result.id for result in library.search(TRIANGLE, k=10)}
    (tmp_path / "photos" / "odd").rename(tmp_path / "photos" / "strange")
    report = library.sync()
    assert (report.moved, report.indexed, report.removed) == (3, 0, 0)
    assert {result.id for result in library.search(TRIANGLE, k=10)} == before


def test_a_folder_that_is_not_there_keeps_its_photos(library: Library, tmp_path: Path) -> None:
    (tmp_path / "photos").rename(tmp_path / "unplugged")
    report = library.sync()
    assert (report.removed, report.failed, len(library)) == (0, 1, 6)
    assert [failure.path for failure in library.failures()] == [tmp_path / "photos"]
    (tmp_path / "unplugged").rename(tmp_path / "photos")
    assert library.sync().unchanged == 6
    assert library.failures() == []


def test_bad_pictures_stop_nothing_and_are_retried_when_they_change(
    library: Library, tmp_path: Path, paint: Paint
) -> None:
    bad = tmp_path / "photos" / "bad.jpg"
    bad.write_bytes(b"no picture")
    (tmp_path / "photos" / "empty.png").touch()
    paint("good.jpg", 50)
    report = library.sync()
    assert (report.indexed, report.failed) == (1, 2)
    assert {failure.path.name for failure in library.failures()} == {"bad.jpg", "empty.png"}
    assert all(str(tmp_path) not in failure.reason for failure in library.failures())
    again = library.sync()
    assert (again.failed, again.skipped) == (0, 2)
    paint("bad.jpg", 51)
    assert library.sync().indexed == 1
    assert [failure.path.name for failure in library.failures()] == ["empty.png"]


def test_a_photo_that_became_unreadable_is_found_no_more(library: Library, tmp_path: Path) -> None:
    (tmp_path / "photos" / "odd" / "3.jpg").write_bytes(b"\xff\xd8\xff")
    assert library.sync().failed == 1
    assert "3.jpg" not in names(library)


def test_remove_takes_out_photos_and_folders_for_good(library: Library, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    assert library.remove([photos / "odd", photos / "even" / "0.jpg"]) == 4
    assert names(library) == ["2.jpg", "4.jpg"]
    assert library.sync().indexed == 0
    library.add([photos])
    assert names(library) == ["2.jpg", "4.jpg"]
    assert library.status().excluded == [photos / "even" / "0.jpg", photos / "odd"]
    library.add([photos / "odd"])
    assert names(library) == ["1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"]
    assert library.remove(photos) == 5
    assert library.search(TRIANGLE) == []
    assert library.status().folders == []


def test_an_interrupt_keeps_what_was_done(
    tmp_path: Path, tiny_model: ModelPackage, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(40):
        paint(f"{seed}.jpg", seed)
    monkeypatch.setattr("sketchseek.search.pipeline.BATCH", 2)
    monkeypatch.setattr("sketchseek.search.update.COMMIT_EVERY", 0.0)
    reported: list[int] = []

    def stop(now: IndexProgress) -> None:
        reported.append(now.indexed)
        if now.indexed >= 10:
            raise KeyboardInterrupt

    with Library.create(tmp_path / "library", tiny_model.path) as library:
        with pytest.raises(KeyboardInterrupt):
            library.add([tmp_path / "photos"], progress=stop)
        kept = len(library)
        assert 10 <= max(reported) <= kept < 40
        assert library.verify().ok
        report = library.sync()
        assert (report.indexed, report.unchanged) == (40 - kept, kept)
        assert len(names(library)) == 40


def test_what_was_rolled_back_is_not_reported(
    tmp_path: Path, tiny_model: ModelPackage, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(8):
        paint(f"{seed}.jpg", seed)
    add, calls = Catalog.add, [0]

    def interrupted(self: Catalog, row: Row) -> int:
        calls[0] += 1
        if calls[0] == 5:
            raise KeyboardInterrupt
        return add(self, row)

    monkeypatch.setattr(Catalog, "add", interrupted)
    monkeypatch.setattr("sketchseek.search.update.COMMIT_EVERY", 0.0)
    reported: list[int] = []
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        with pytest.raises(KeyboardInterrupt):
            library.add([tmp_path / "photos"], progress=lambda now: reported.append(now.indexed))
        assert reported[-1] == len(library) == 8  # the second try, on the way out, went through
        assert library.verify().ok


def test_names_that_are_no_text(tmp_path: Path, tiny_model: ModelPackage, paint: Paint) -> None:
    good = paint("plain.jpg", 1)
    odd = os.fsencode(good.parent) + b"/\xff\xfe ' \" \n.jpg"
    try:
        good.rename(os.fsdecode(odd))
    except OSError:
        pytest.skip("this file system takes no such names")
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        assert library.add([tmp_path / "photos"]).indexed == 1
        (result,) = library.search(TRIANGLE)
        assert os.fsencode(result.path) == odd
        assert library.search_photo(result.path) == []
        assert library.remove([result.path]) == 1


def test_a_faulty_embedding_is_reported_not_stored(
    library: Library, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Encoder, "encode_photo_pixels", lambda self, pixels: np.full((len(pixels), 16), np.nan, np.float32)
    )
    paint("new.jpg", 77)
    assert library.sync().failed == 1
    assert "finite" in library.failures()[0].reason


@pytest.mark.parametrize("seconds", [10**10, -(10**10)])
def test_a_file_of_a_time_that_sqlite_has_no_number_for(library: Library, paint: Paint, seconds: int) -> None:
    path = paint("new.jpg", 77)
    os.utime(path, (seconds, seconds))
    if abs(path.stat().st_mtime_ns) < 2**63:
        pytest.skip("this file system has no such times")
    assert library.sync().indexed == 1
    assert library.sync().unchanged == 7


@pytest.mark.slow
def test_copies_of_one_file_are_looked_for_once_each(
    tmp_path: Path, tiny_model: ModelPackage, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 300
    data = paint("0.jpg", 0).read_bytes()
    for i in range(count):
        (tmp_path / "photos" / f"{i}.jpg").write_bytes(data)
    looked: list[bytes] = []
    lexists = os.path.lexists
    monkeypatch.setattr("os.path.lexists", lambda path: looked.append(path) or lexists(path))  # type: ignore[func-returns-value]
    with Library.create(tmp_path / "library", tiny_model.path) as library:
        assert library.add([tmp_path / "photos"]).indexed == count
        before = {result.id for result in library.search(TRIANGLE, k=count)}
        (tmp_path / "photos").rename(tmp_path / "moved")
        looked.clear()
        report = library.add([tmp_path / "moved"])
        assert (report.moved, report.indexed) == (count, 0)
        assert len(looked) <= 2 * count
        assert {result.id for result in library.search(TRIANGLE, k=count)} == before
        (tmp_path / "moved" / "copy.jpg").write_bytes(data)
        assert library.sync().indexed == 1
        assert len(library) == count + 1


def test_a_disk_that_failed_is_tried_again(library: Library, paint: Paint, monkeypatch: pytest.MonkeyPatch) -> None:
    paint("new.jpg", 77)

    def failing(data: bytes) -> object:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(pipeline, "hashlib", SimpleNamespace(sha256=failing))
    assert library.sync().failed == 1
    assert library.failures()[0].reason == "Input/output error"
    monkeypatch.undo()
    report = library.sync()
    assert (report.indexed, report.skipped, library.failures()) == (1, 0, [])


@pytest.mark.slow
def test_videos_raw_files_and_jpeg_xl_are_photos_too(tmp_path: Path, tiny_model: ModelPackage, paint: Paint) -> None:
    for module in ("av", "rawpy"):
        pytest.importorskip(module)
    encoder = pytest.importorskip("pillow_jxl").Encoder
    files = [paint(f"{name}.png", seed) for seed, name in enumerate("abc")]
    pictures = [open_image(file).resize((480, 384)) for file in files]
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "film.mp4").write_bytes(video([pictures[0]]))
    (folder / "photo.dng").write_bytes(dng(pictures[1]))
    pictures[2].save(folder / "photo.jxl")
    assert encoder  # importing it lets Pillow write JPEG XL
    with Library.open(tmp_path / "mixed.library", tiny_model.path, create=True) as library:
        report = library.add(folder)
        assert (report.indexed, report.failed, report.unread) == (3, 0, {})
        found = [library.search_photo(file, 1)[0].path.name for file in files]
        assert found == ["film.mp4", "photo.dng", "photo.jxl"]
