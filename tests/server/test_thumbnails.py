from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from hostile_requests import blank_animation
from sketchseek.errors import ImageError, ImageTooLargeError
from sketchseek.images import quick
from sketchseek.images.worker_pool import WorkerPool, WorkerStartError
from sketchseek.server.thumbnails import ThumbnailCache, make_thumbnail


@pytest.fixture
def original(tmp_path: Path) -> Path:
    path = tmp_path / "original.png"
    Image.new("RGBA", (800, 400), (255, 0, 0, 128)).save(path)
    return path


def test_the_longest_side_is_bounded_and_transparency_is_kept(original: Path) -> None:
    image = Image.open(io.BytesIO(make_thumbnail(original, 320)))
    assert (image.format, image.size, image.mode) == ("WEBP", (320, 160), "RGBA")


def test_very_long_pictures_keep_a_pixel_of_width(tmp_path: Path) -> None:
    Image.new("L", (5000, 2)).save(tmp_path / "long.png")
    image = Image.open(io.BytesIO(make_thumbnail(tmp_path / "long.png", 160)))
    assert image.size == (160, 1)


def test_a_thumbnail_is_made_once(original: Path, tmp_path: Path) -> None:
    cache = ThumbnailCache(tmp_path / "cache")
    first = cache.get(original, 160)
    (file,) = (tmp_path / "cache").rglob("*.webp")
    file.write_bytes(b"from the folder")
    assert cache.get(original, 160).data == b"from the folder"
    assert cache.get(original, 320).data != b"from the folder"
    os.utime(original, ns=(1, 1))
    again = cache.get(original, 160)
    assert again.data == first.data
    assert again.tag != first.tag
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_a_folder_that_cannot_be_written_to_is_survived(original: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file is in the way")
    assert Image.open(io.BytesIO(ThumbnailCache(tmp_path / "cache").get(original, 160).data)).size == (160, 80)


def test_an_empty_file_in_the_folder_is_not_believed(original: Path, tmp_path: Path) -> None:
    cache = ThumbnailCache(tmp_path / "cache")
    data = cache.get(original, 160).data
    (file,) = (tmp_path / "cache").rglob("*.webp")
    file.write_bytes(b"")
    assert cache.get(original, 160).data == data


def test_gone_and_unreadable_originals_are_told_apart(tmp_path: Path) -> None:
    cache = ThumbnailCache(tmp_path / "cache")
    with pytest.raises(FileNotFoundError):
        cache.get(tmp_path / "nothing.png", 160)
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(ImageError, match=r"text\.png"):
        cache.get(tmp_path / "text.png", 160)


def test_pruning_takes_the_oldest(original: Path, tmp_path: Path) -> None:
    cache = ThumbnailCache(tmp_path / "cache")
    sizes = {}
    for age, size in enumerate((160, 320, 640)):
        thumbnail = cache.get(original, size)
        os.utime(cache.folder / thumbnail.tag[:2] / f"{thumbnail.tag}.webp", (1000 + age, 1000 + age))
        sizes[size] = thumbnail
    cache.max_bytes = len(sizes[640].data) + len(sizes[320].data)
    assert cache.prune() == 1
    left = {file.stem for file in cache.folder.rglob("*.webp")}
    assert left == {sizes[320].tag, sizes[640].tag}
    assert cache.prune() == 0


def test_costly_photos_are_decoded_in_a_process_with_a_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ThumbnailCache(tmp_path / "cache")
    image = Image.linear_gradient("L").convert("RGB")
    image.save(tmp_path / "photo.png")
    (tmp_path / "slow.gif").write_bytes(blank_animation(3000))
    try:
        here = cache.get(tmp_path / "photo.png", 160).data
        shutil.rmtree(tmp_path / "cache")
        monkeypatch.setattr(quick, "QUICK_WORK", 0)
        assert cache.get(tmp_path / "photo.png", 160).data == here
        shutil.rmtree(tmp_path / "cache")
        monkeypatch.setattr("sketchseek.server.thumbnails.LARGE_FILE", 10)
        assert cache.get(tmp_path / "photo.png", 160).data == here  # by its path
        cache._pool._seconds = 0.1
        with pytest.raises(ImageTooLargeError, match=r"slow\.gif: decoding it takes longer"):
            cache.get(tmp_path / "slow.gif", 160)
    finally:
        cache.close()
    with pytest.raises(ImageError, match=r"slow\.gif: not decoded: the server is ending"):
        cache.get(tmp_path / "slow.gif", 160)


def test_where_no_process_can_be_started_thumbnails_are_made_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(self: WorkerPool, *request: bytes, subject: str) -> bytes:
        raise WorkerStartError("no")

    Image.linear_gradient("L").save(tmp_path / "photo.png")
    monkeypatch.setattr(WorkerPool, "ask", ask)
    monkeypatch.setattr(quick, "QUICK_WORK", 0)
    assert ThumbnailCache(tmp_path / "cache").get(tmp_path / "photo.png", 160).data
