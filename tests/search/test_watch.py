"""Keeping a library current while its folders change."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image
from watchfiles import Change

from sketchseek.errors import LibraryError
from sketchseek.models.package import ModelPackage
from sketchseek.search import watch as watching
from sketchseek.search.library import Library
from sketchseek.search.lock import WriterLock
from sketchseek.search.results import IndexReport
from sketchseek.search.watch import _Filter

DEADLINE = 120


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    paint(folder / "first.png", 1)
    return folder


@pytest.fixture
def library(
    photos: Path, tmp_path: Path, tiny_model: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Library]:
    """A library inside of the folder that it watches."""
    monkeypatch.setattr(watching, "RETRY", 0.2)
    with Library.open(photos / "my.library", tiny_model.path, create=True) as library:
        library.add(photos)
        yield library


def paint(path: Path, seed: int) -> None:
    """Write a picture so that no one sees half of it."""
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (32, 24), (seed * 40, 90, 200 - seed * 20)).save(path.with_suffix(".part"), "PNG")
    path.with_suffix(".part").rename(path)


class Watch:
    """A watch in a thread. It is stopped when the test leaves it or takes too long."""

    def __init__(self, library: Library, **options: object) -> None:
        self.stop = threading.Event()
        self._news = threading.Condition()
        self.reports: list[IndexReport] = []
        self._library, self._options = library, options
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        for report in self._library.watch(stop=self.stop, settle=0.05, **self._options):  # type: ignore[arg-type]
            with self._news:
                self.reports.append(report)
                self._news.notify_all()

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()

    def until(self, indexed: int = 0, removed: int = 0, moved: int = 0) -> None:
        """Wait until this many photos were indexed, removed and moved, all in all."""

        def reached() -> bool:
            totals = [sum(getattr(one, name) for one in self.reports) for name in ("indexed", "removed", "moved")]
            return totals == [indexed, removed, moved]

        with self._news:
            assert self._news.wait_for(lambda: bool(self.reports) and reached(), DEADLINE)


@pytest.mark.parametrize("polling", [False, True])
def test_new_moved_and_deleted_photos_are_noticed(library: Library, photos: Path, polling: bool) -> None:
    with Watch(library, polling=polling) as watch:
        watch.until()
        paint(photos / "second.png", 2)
        watch.until(indexed=1)
        paint(photos / "folder" / "third.png", 3)
        watch.until(indexed=2)
        (photos / "second.png").rename(photos / "moved.png")
        watch.until(indexed=2, moved=1)
        shutil.rmtree(photos / "folder")
        watch.until(indexed=2, moved=1, removed=1)
    assert len(library) == 2


def test_a_folder_that_is_added_or_comes_back_is_watched(library: Library, photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    paint(other / "a.png", 4)
    with Watch(library) as watch:
        watch.until()
        library.add(other)
        other.rename(tmp_path / "unplugged")
        paint(tmp_path / "unplugged" / "b.png", 5)
        (tmp_path / "unplugged").rename(other)
        watch.until(indexed=1)
        paint(other / "c.png", 6)
        watch.until(indexed=2)
    assert len(library) == 4


def test_a_locked_library_is_tried_again(library: Library, photos: Path) -> None:
    with ExitStack() as lock:
        lock.enter_context(WriterLock(Path(library.path)))
        paint(photos / "second.png", 2)
        with Watch(library) as watch:
            watch.stop.wait(0.5)
            assert watch.reports == []
            lock.close()
            watch.until(indexed=1)


def test_a_library_without_folders_waits(
    tmp_path: Path, tiny_model: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "RETRY", 0.1)
    paint(tmp_path / "later" / "a.png", 1)
    with Library.open(tmp_path / "empty.library", tiny_model.path, create=True) as library, Watch(library) as watch:
        watch.until()
        library.add(tmp_path / "later")
        paint(tmp_path / "later" / "b.png", 2)
        watch.until(indexed=1)


def test_a_library_for_reading_only_is_refused(library: Library) -> None:
    with Library.open(library.path, readonly=True) as reader, pytest.raises(LibraryError, match="reading only"):
        next(reader.watch())


@pytest.mark.parametrize(
    ("change", "name", "matters"),
    [
        (Change.added, "a.jpg", True),
        (Change.modified, "A.JPG", True),
        (Change.deleted, "folder.2019", True),
        (Change.added, "notes.txt", False),
        (Change.modified, "a.jpg.xmp", True),
        (Change.modified, "my.library/catalog.db-wal", False),
        (Change.added, "my.library/picture.jpg", False),
        (Change.deleted, "my.library", False),
        (Change.modified, ".sketchseekignore", True),
        (Change.deleted, ".hidden", False),
        (Change.added, "", True),  # a folder
        (Change.modified, "", False),
    ],
)
def test_only_changes_that_may_matter_count(tmp_path: Path, change: Change, name: str, matters: bool) -> None:
    assert _Filter(tmp_path / "my.library")(change, str(tmp_path / name)) is matters
