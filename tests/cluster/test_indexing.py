from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from object_store import need_cluster
from served import picture
from sketchseek.errors import MissingExtraError
from sketchseek.models.package import ModelPackage
from sketchseek.search.results import IndexProgress

need_cluster()

from sketchseek.cluster import embedding, indexing, maintenance, storage
from sketchseek.cluster.embedding import Job, Written, embed_block
from sketchseek.cluster.extra import require_extra
from sketchseek.cluster.indexing import Indexer
from sketchseek.cluster.library import LanceLibrary
from sketchseek.cluster.runners import Block, Runner, run_here
from sketchseek.cluster.storage import Found
from sketchseek.cluster.table import IS_PHOTO
from sketchseek.errors import StorageError

pytestmark = pytest.mark.slow

COUNT = 36


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(COUNT):
        picture(number).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several blocks, each committed at once."""
    monkeypatch.setattr(indexing, "SMALLEST", 6)
    monkeypatch.setattr(indexing, "LARGEST", 6)
    monkeypatch.setattr(indexing, "COMMIT_EVERY", 0.0)


def create(tmp_path: Path, model: ModelPackage, runner: Runner = run_here) -> LanceLibrary:
    return LanceLibrary.open(tmp_path / "library", model.path, create=True, runner=runner)


def check(library: LanceLibrary) -> None:
    """Every photo is there once."""
    snapshot = library._table.latest()
    paths = snapshot.rows(["path"], IS_PHOTO)["path"].to_pylist()
    assert len(paths) == len(set(paths)) == COUNT
    assert library.verify(sample=3).problems == []


def test_a_run_that_ends_early_is_continued(tmp_path: Path, photos: Path, tiny_model: ModelPackage) -> None:
    done: list[str] = []

    def runner(job: Job, blocks: Iterable[Block]) -> Iterator[Written]:
        for block in blocks:
            written = embed_block(job, block)
            if len(done) >= 12:
                raise KeyboardInterrupt
            done.extend(written.ids)
            yield written

    library = create(tmp_path, tiny_model, runner)
    with pytest.raises(KeyboardInterrupt):
        library.add([photos])
    kept = len(library)
    assert kept == len(done) < COUNT
    again: list[str] = []

    def counting(job: Job, blocks: Iterable[Block]) -> Iterator[Written]:
        for block in (listed := list(blocks)):
            again.extend(task.path for task in block)
        yield from run_here(job, listed)

    library.runner = counting
    report = library.sync()
    assert (report.indexed, report.unchanged) == (COUNT - kept, kept)
    assert len(again) == COUNT - kept
    check(library)


def test_two_runs_at_once_lose_nothing_and_add_nothing_twice(
    tmp_path: Path, photos: Path, tiny_model: ModelPackage
) -> None:
    library = create(tmp_path, tiny_model)
    reports, failed = [], []

    def work() -> None:
        try:
            with LanceLibrary.open(tmp_path / "library", runner=run_here) as mine:
                reports.append(mine.add([photos]))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sum(report.indexed for report in reports) == COUNT
    assert all(report.indexed + report.unchanged == COUNT for report in reports)
    library._engine.refresh()
    check(library)


def test_a_run_that_another_one_overtakes(tmp_path: Path, photos: Path, tiny_model: ModelPackage) -> None:
    """The other run adds some photos of a block; the block's remaining photos are embedded again."""
    overtaken = False

    def runner(job: Job, blocks: Iterable[Block]) -> Iterator[Written]:
        nonlocal overtaken
        for block in blocks:
            written = embed_block(job, block)
            if not overtaken and len(block) >= 3:
                overtaken = True
                with LanceLibrary.open(tmp_path / "library", runner=run_here) as other:
                    other.add([block[0].path, block[1].path])
                    other.remove([block[2].path])
            yield written

    library = create(tmp_path, tiny_model, runner)
    report = library.add([photos])
    assert (report.indexed, report.unchanged) == (COUNT - 3, 2)
    assert len(library) == COUNT - 1
    assert library.verify(sample=3).problems == []


def test_a_photo_that_vanishes_or_changes_while_it_is_indexed(
    tmp_path: Path, photos: Path, tiny_model: ModelPackage
) -> None:
    def runner(job: Job, blocks: Iterable[Block]) -> Iterator[Written]:
        (photos / "07.png").unlink(missing_ok=True)
        picture(99).save(photos / "08.png")
        yield from run_here(job, blocks)

    library = create(tmp_path, tiny_model, runner)
    report = library.add([photos])
    assert (report.indexed, report.failed, len(library)) == (COUNT - 1, 0, COUNT - 1)
    library.runner = run_here
    again = library.sync()
    assert (again.indexed, again.unchanged, again.removed) == (0, COUNT - 1, 0)
    assert library.verify(sample=COUNT).problems == []


def test_storage_that_fails_for_a_moment(
    tmp_path: Path, photos: Path, tiny_model: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: str) -> tuple[bytes, Found]:
        if path.endswith("5.png"):
            raise StorageError("the storage cannot be used", subject=path)
        return storage.read(path)

    monkeypatch.setattr(embedding, "read", failing)
    library = create(tmp_path, tiny_model)
    assert (library.add([photos]).failed, len(library)) == (4, COUNT - 4)
    assert {one.reason for one in library.failures()} == {"the storage cannot be used"}
    monkeypatch.undo()
    assert (library.sync().indexed, library.failures()) == (4, [])
    check(library)


def test_a_folder_that_is_missing_keeps_its_photos(tmp_path: Path, photos: Path, tiny_model: ModelPackage) -> None:
    library = create(tmp_path, tiny_model)
    library.add([photos])
    photos.rename(tmp_path / "elsewhere")
    report = library.sync()
    assert (report.missing, report.failed, report.removed, len(library)) == ([photos], 1, 0, COUNT)
    assert [one.path for one in library.failures()] == [photos]
    (tmp_path / "elsewhere").rename(photos)
    assert (library.sync().unchanged, library.failures()) == (COUNT, [])


def test_the_time_of_a_file_tells_a_change(tmp_path: Path, photos: Path, tiny_model: ModelPackage) -> None:
    library = create(tmp_path, tiny_model)
    library.add([photos])
    os.utime(photos / "03.png", (1e9, 1e9))
    assert (library.sync().indexed, library.sync().indexed) == (1, 0)
    check(library)


def test_many_fragments_are_merged(
    tmp_path: Path, photos: Path, tiny_model: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = create(tmp_path, tiny_model)._table
    Indexer(table, run_here).run([str(photos)])
    assert len(table.latest().dataset.get_fragments()) > 5
    monkeypatch.setattr(maintenance, "FRAGMENTS", 5)
    assert len(maintenance.optimize(table).dataset.get_fragments()) == 1
    with LanceLibrary.open(tmp_path / "library", runner=run_here) as library:
        assert library.add([photos]).unchanged == COUNT
        check(library)


def test_progress(tmp_path: Path, photos: Path, tiny_model: ModelPackage) -> None:
    seen: list[IndexProgress] = []
    create(tmp_path, tiny_model).add([photos], seen.append)
    assert [one.stage for one in seen][:2] == ["scan", "embed"]
    assert seen[-1] == replace(seen[-1], stage="embed", done=COUNT, total=COUNT, indexed=COUNT)


def test_an_extra_that_is_missing() -> None:
    with pytest.raises(MissingExtraError, match=r"no_such_module.*\n.*sketchseek\[cluster\]"):
        require_extra("json", "no_such_module")
