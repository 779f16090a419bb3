"""Libraries of earlier versions gain words and colors by ``sync``, without embedding anything again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from object_store import ObjectStore, need_cluster
from served import picture
from sketchseek.errors import SketchseekError
from sketchseek.models.package import ModelPackage
from sketchseek.search.colors import PaletteColor
from sketchseek.search.combined_query import Query
from sketchseek.search.results import IndexProgress

need_cluster()

from sketchseek.cluster import embedding
from sketchseek.cluster.embedding import Job, Written
from sketchseek.cluster.library import LanceLibrary
from sketchseek.cluster.runners import Block, run_here
from sketchseek.cluster.table import DESCRIPTION, IS_PHOTO, Table

pytestmark = pytest.mark.slow

COUNT = 9
RED = Query(colors=(PaletteColor("red"),))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(COUNT):
        picture(number).save(folder / f"zebra {number}.png")
    (folder / "bad.png").write_bytes(b"no picture")
    return folder


def make_old(address: str) -> np.ndarray:
    """Make the table one of a version without descriptions; return its embeddings by id."""
    table = Table(address)
    table.latest().dataset.drop_columns(DESCRIPTION)
    assert not table.latest().has_descriptions
    return embeddings(table)


def embeddings(table: Table) -> np.ndarray:
    rows = table.latest().rows(["id", "embedding"], IS_PHOTO).sort_by("id")
    return np.array(rows["embedding"].to_pylist(), np.float16)


@pytest.mark.parametrize("where", ["folder", "object storage"])
def test_sync_describes_without_embedding(
    where: str,
    photos: Path,
    tmp_path: Path,
    tiny_model: ModelPackage,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root, address = str(photos), str(tmp_path / "library")
    if where == "object storage":
        store: ObjectStore = request.getfixturevalue("object_store")
        bucket = store.bucket()
        root, address = f"{bucket}/photos", f"{bucket}/library"
        store.upload(photos, root)
    with LanceLibrary.open(address, tiny_model.path, create=True, runner=run_here) as library:
        library.add([root])
        ids = [one.id for one in library.browse("path")]
    old = make_old(address)
    with LanceLibrary.open(address, runner=run_here) as library:
        # An old library is searched as before; it has no words yet.
        assert len(library.search_embedding(np.ones(16), k=99)) == COUNT
        assert library.search_query(Query(text="zebra")) == []
        assert library.search_query(RED) == []
        assert library.count_query(Query(text="zebra", text_mode="require")) == 0
        monkeypatch.setattr(embedding, "_encoder", lambda job: pytest.fail("nothing is to be embedded"))
        seen: list[IndexProgress] = []
        report = library.sync(seen.append)
        assert (report.indexed, report.unchanged, report.removed, report.skipped) == (0, COUNT, 0, 1)
        assert ("describe", COUNT, COUNT) in [(one.stage, one.done, one.total) for one in seen]
        assert len(library.search_query(Query(text="zebras 4"), k=99)) == COUNT
        assert library.search_query(Query(text="zebra 4"))[0].path.name == "zebra 4.png"
        assert len(library.search_query(RED, k=99)) == COUNT
        assert [one.id for one in library.browse("path")] == ids
        again: list[IndexProgress] = []
        library.sync(again.append)
        assert "describe" not in {one.stage for one in again}
        monkeypatch.undo()
        assert library.verify(sample=3).problems == []
        library.remove([f"{root}/zebra 1.png"])
        assert len(library.search_query(Query(text="zebra"), k=99)) == COUNT - 1
    np.testing.assert_array_equal(embeddings(Table(address)), np.delete(old, 1, axis=0))


def test_photos_that_changed_or_are_gone_are_not_described_wrongly(
    photos: Path, tmp_path: Path, tiny_model: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = str(tmp_path / "library")
    with LanceLibrary.open(address, tiny_model.path, create=True, runner=run_here) as library:
        library.add([photos])
    make_old(address)

    def late(change: Callable[[], None]) -> Callable[[Job, Iterable[Block]], Iterator[Written]]:
        def runner(job: Job, blocks: Iterable[Block]) -> Iterator[Written]:
            if job.describes:
                change()
            yield from run_here(job, blocks)

        return runner

    def change() -> None:  # after the scan
        (photos / "zebra 2.png").unlink()
        (photos / "zebra 3.png").write_bytes((photos / "zebra 4.png").read_bytes())

    with LanceLibrary.open(address, runner=late(change)) as library:
        library.sync()
        assert len(library.search_query(Query(text="zebra"), k=99)) == COUNT - 2
        report = library.sync()
        assert (report.indexed, report.removed) == (1, 1)
        assert len(library.search_query(Query(text="zebra"), k=99)) == COUNT - 1


def test_another_process_that_removes_photos_meanwhile(photos: Path, tmp_path: Path, tiny_model: ModelPackage) -> None:
    address = str(tmp_path / "library")
    with LanceLibrary.open(address, tiny_model.path, create=True, runner=run_here) as library:
        library.add([photos])
    make_old(address)

    def runner(job: Job, blocks: Iterable[Block]) -> Iterator[Written]:
        for written in run_here(job, blocks):
            if job.describes:
                with LanceLibrary.open(address) as other:
                    other.remove([photos / "zebra 5.png"])
            yield written

    with LanceLibrary.open(address, runner=runner) as library:
        library.sync()
        assert len(library) == COUNT - 1
        assert library.verify().problems == []
    with LanceLibrary.open(address, runner=run_here) as library:
        library.sync()
        assert len(library.search_query(Query(text="zebra"), k=99)) == COUNT - 1
        assert library.verify().problems == []


def test_a_reader_of_an_old_library_refuses_nothing(photos: Path, tmp_path: Path, tiny_model: ModelPackage) -> None:
    address = str(tmp_path / "library")
    with LanceLibrary.open(address, tiny_model.path, create=True, runner=run_here, exact_below=0) as library:
        library.add([photos])
    make_old(address)
    with LanceLibrary.open(address, readonly=True, exact_below=0) as library:
        assert library.search_query(Query(text="zebra")) == []
        assert library.search_query(Query(text="zebra", text_mode="require")) == []
        assert library.search_query(RED) == []
        with pytest.raises(SketchseekError):
            library.sync()
