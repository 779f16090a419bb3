"""The index on disk: written when it should be, and built again whatever happens to its files."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketchseek import atomic_write
from sketchseek.search import index_mirror
from sketchseek.search.catalog import Catalog, LibraryMetadata, Row
from sketchseek.search.index import snapshots
from sketchseek.search.index.exact import ExactIndex
from sketchseek.search.index.snapshot_loader import SnapshotLoader
from sketchseek.search.index_mirror import IndexMirror
from sketchseek.search.index_search import nearest

DIMENSION = 8
METADATA = LibraryMetadata("tiny", "tiny", "0123", DIMENSION, "cosine")


def add(catalog: Catalog, count: int, seed: int = 0) -> None:
    embeddings = np.random.default_rng(seed).standard_normal((count, DIMENSION))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    with catalog.transaction():
        for i, embedding in enumerate(embeddings.astype(np.float16)):
            catalog.add(Row(f"/{seed}/{i}".encode(), 1, 1, b"", 1, 1, embedding.tobytes()))


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """A catalog of 50 photos whose index is on disk."""
    with closing(Catalog(tmp_path, create=METADATA)) as catalog:
        add(catalog, 50)
        assert IndexMirror(tmp_path, DIMENSION, "cosine").save(catalog)
        yield catalog


def faiss_file(folder: Path) -> Path:
    (file,) = (folder / snapshots.FOLDER).glob("*.faiss")
    return file


def json_file(folder: Path) -> Path:
    (file,) = (folder / snapshots.FOLDER).glob("*.json")
    return file


def assert_congruent(folder: Path, catalog: Catalog) -> IndexMirror:
    """A fresh mirror holds exactly the catalog's photos, each under its own embedding."""
    fresh = IndexMirror(folder, DIMENSION, "cosine")
    with catalog.snapshot():
        index = fresh.current(catalog, catalog.metadata())
        ids = catalog.ids()
        assert len(index) == len(ids)
        for ids_, embeddings in catalog.embeddings(DIMENSION):
            found, scores = index.search(embeddings.astype(np.float32), 1)
            assert found[:, 0].tolist() == ids_.tolist()
            np.testing.assert_allclose(scores, 1.0, atol=5e-3)
    return fresh


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x40]) + data[middle + 1 :]


def write_another_index(folder: Path) -> None:
    embeddings = np.eye(DIMENSION, dtype=np.float16)
    index = ExactIndex.create(DIMENSION, "cosine", sample=embeddings, count=len(embeddings))
    index.add(np.arange(DIMENSION, dtype=np.int64), embeddings)
    index.save(faiss_file(folder))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "index missing": lambda folder: faiss_file(folder).unlink(),
    "index empty": lambda folder: faiss_file(folder).write_bytes(b""),
    "index cut short": lambda folder: rewrite(faiss_file(folder), lambda data: data[:-10]),
    "index grown": lambda folder: rewrite(faiss_file(folder), lambda data: data + b"x"),
    "index with one bit changed": lambda folder: rewrite(faiss_file(folder), flip),
    "index of zeros": lambda folder: rewrite(faiss_file(folder), lambda data: bytes(len(data))),
    "index of another library": lambda folder: write_another_index(folder),
    "JSON missing": lambda folder: json_file(folder).unlink(),
    "JSON empty": lambda folder: json_file(folder).write_bytes(b""),
    "JSON cut short": lambda folder: rewrite(json_file(folder), lambda data: data[:-10]),
    "JSON with another checksum": lambda folder: rewrite(
        json_file(folder), lambda data: json.dumps(json.loads(data) | {"sha256": "0" * 64}).encode()
    ),
    "JSON with another count": lambda folder: rewrite(
        json_file(folder), lambda data: json.dumps(json.loads(data) | {"count": 7}).encode()
    ),
    "JSON with another history": lambda folder: rewrite(
        json_file(folder), lambda data: json.dumps(json.loads(data) | {"built": 1}).encode()
    ),
    "JSON no object": lambda folder: json_file(folder).write_bytes(b"[1, 2]"),
    "folder missing": lambda folder: shutil.rmtree(folder / snapshots.FOLDER),
    "folder a file": lambda folder: (
        shutil.rmtree(folder / snapshots.FOLDER),  # type: ignore[func-returns-value]
        (folder / snapshots.FOLDER).write_bytes(b""),
    ),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_index_is_built_again(
    tmp_path: Path, catalog: Catalog, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    damage(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert assert_congruent(tmp_path, catalog).stale
    assert "rebuilding it" in caplog.text
    if (tmp_path / snapshots.FOLDER).is_file():
        assert not IndexMirror(tmp_path, DIMENSION, "cosine").save(
            catalog
        )  # it cannot; the photos are safe all the same
        return
    assert IndexMirror(tmp_path, DIMENSION, "cosine").save(catalog)
    assert not assert_congruent(tmp_path, catalog).stale


@pytest.mark.parametrize("change", [{"dimension": 9}, {"distance": "euclidean"}, {"engine": "none"}, {"count": 49}])
def test_a_record_that_does_not_fit_is_not_used(tmp_path: Path, catalog: Catalog, change: dict[str, Any]) -> None:
    """As above, but with a checksum that agrees: nothing is believed because it is consistent with itself."""
    text = json.dumps(json.loads(json_file(tmp_path).read_text()) | change).encode()
    json_file(tmp_path).write_bytes(text)
    with catalog.transaction():
        catalog.set_snapshot(f"{json_file(tmp_path).stem} {hashlib.sha256(text).hexdigest()}")
    assert assert_congruent(tmp_path, catalog).stale


def test_an_index_that_lacks_a_photo_is_not_used(tmp_path: Path, catalog: Catalog) -> None:
    with catalog.snapshot():
        index = IndexMirror(tmp_path, DIMENSION, "cosine").current(catalog, catalog.metadata())
        state = catalog.state()
    index.remove(catalog.ids()[7:8])
    record = snapshots.save(
        tmp_path, index, built=50, revision=0, last_id=state.last_id, last_removal=state.last_removal
    )
    with catalog.transaction():
        catalog.set_snapshot(record)
    assert assert_congruent(tmp_path, catalog).stale


def test_an_older_catalog_does_not_take_a_newer_index(tmp_path: Path, catalog: Catalog) -> None:
    (tmp_path / "backup").mkdir()
    catalog._rows(f"VACUUM INTO '{tmp_path / 'backup' / 'catalog.db'}'")
    add(catalog, 20, seed=1)
    IndexMirror(tmp_path, DIMENSION, "cosine").save(catalog, force=True)
    shutil.copytree(tmp_path / snapshots.FOLDER, tmp_path / "backup" / snapshots.FOLDER)
    with closing(Catalog(tmp_path / "backup", write=True)) as restored:
        add(restored, 30, seed=2)  # under ids that the newer index gives to other photos
        assert_congruent(tmp_path / "backup", restored)


def test_photos_that_came_and_went_since_are_caught_up_with(tmp_path: Path, catalog: Catalog) -> None:
    for step in range(5):
        add(catalog, 7, seed=step + 1)
        with catalog.transaction():
            catalog.drop(f"/{step}/3".encode())
            catalog.drop_below(f"/{step}/1".encode())
        assert not assert_congruent(tmp_path, catalog).stale


def test_forgotten_removals_make_a_generation_stale(tmp_path: Path, catalog: Catalog) -> None:
    live = IndexMirror(tmp_path, DIMENSION, "cosine")
    with catalog.snapshot():
        live.current(catalog, catalog.metadata())
    with catalog.transaction():
        catalog.drop(b"/0/3")
        catalog.forget_removals(catalog.state().last_removal)
    with catalog.snapshot():
        assert len(live.current(catalog, catalog.metadata())) == 49
    assert_congruent(tmp_path, catalog)


def test_a_generation_is_written_when_enough_has_changed(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_mirror, "SAVE_CHANGES", 10)
    first = faiss_file(tmp_path)
    add(catalog, 5, seed=1)
    assert not IndexMirror(tmp_path, DIMENSION, "cosine").save(catalog)
    add(catalog, 6, seed=2)
    assert IndexMirror(tmp_path, DIMENSION, "cosine").save(catalog)
    assert faiss_file(tmp_path) != first  # and there is only one
    assert len(assert_congruent(tmp_path, catalog)._index or ()) == 61


def test_left_overs_of_a_crash_are_cleared(tmp_path: Path, catalog: Catalog) -> None:
    (tmp_path / snapshots.FOLDER / "0000-0000000099-dead.faiss.part").write_bytes(b"half")
    add(catalog, 5, seed=1)
    IndexMirror(tmp_path, DIMENSION, "cosine").save(catalog, force=True)
    assert sorted(path.suffix for path in (tmp_path / snapshots.FOLDER).iterdir()) == [".faiss", ".json"]


def test_a_full_disk_costs_the_index_only(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    add(catalog, 5, seed=1)

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_write, "_sync", full)
    with caplog.at_level(logging.WARNING):
        assert not IndexMirror(tmp_path, DIMENSION, "cosine").save(catalog, force=True)
    assert "No space left" in caplog.text
    assert len(list((tmp_path / snapshots.FOLDER).iterdir())) == 2  # the snapshot before, and nothing half
    assert not assert_congruent(tmp_path, catalog).stale


def test_a_large_library_gets_the_approximate_engine_and_readers_take_it_up(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = IndexMirror(tmp_path, DIMENSION, "cosine")
    with catalog.snapshot():
        assert reader.current(catalog, catalog.metadata()).name == "exact"
    monkeypatch.setattr("sketchseek.search.index.EXACT_UP_TO", 100)
    add(catalog, 200, seed=1)
    assert IndexMirror(tmp_path, DIMENSION, "cosine").save(catalog)
    with catalog.snapshot():
        index = reader.current(catalog, catalog.metadata())
        assert (index.name, len(index)) == ("exact", 250)  # the other is read in a thread
        reader._newer._thread.join()  # type: ignore[union-attr]
        index = reader.current(catalog, catalog.metadata())
        assert (index.name, len(index)) == ("approximate", 250)
    add(catalog, 400, seed=2)
    writer = IndexMirror(tmp_path, DIMENSION, "cosine")
    assert writer.save(catalog)  # more than twice what its partition was learned from
    assert writer._built == 650


def test_a_reader_with_many_recent_photos_takes_up_a_snapshot_that_holds_them(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sketchseek.search.index.EXACT_UP_TO", 100)
    monkeypatch.setattr(index_mirror, "TAKE_UP", 100)
    add(catalog, 200, seed=1)
    IndexMirror(tmp_path, DIMENSION, "cosine").save(catalog)
    reader = IndexMirror(tmp_path, DIMENSION, "cosine")
    with catalog.snapshot():
        first = reader.current(catalog, catalog.metadata())
    for step, (count, taken) in enumerate([(60, False), (60, True)]):
        add(catalog, count, seed=2 + step)
        assert IndexMirror(tmp_path, DIMENSION, "cosine").save(catalog, force=True)
        with catalog.transaction():
            catalog.drop(f"/{2 + step}/5".encode())
        with catalog.snapshot():
            assert reader.current(catalog, catalog.metadata()) is first
            assert reader._newer.is_busy() == taken
    add(catalog, 3, seed=4)  # neither the snapshot nor the index has these yet
    reader._newer._thread.join()  # type: ignore[union-attr]
    with catalog.snapshot():
        index = reader.current(catalog, catalog.metadata())
        assert index is not first
        ids = catalog.ids()
        assert len(index) == len(ids) == catalog.count()
        found, _ = index.search(np.ones((1, DIMENSION), np.float32), len(ids))
        assert sorted(found[0].tolist()) == ids.tolist()


def test_a_snapshot_that_vanishes_while_it_is_read_is_not_taken_up(tmp_path: Path, catalog: Catalog) -> None:
    loader = SnapshotLoader(tmp_path)
    loader.start(catalog.metadata().snapshot)
    assert loader.take(wait=True) is not None
    faiss_file(tmp_path).unlink()
    loader.start(catalog.metadata().snapshot)
    assert loader.take(wait=True) is None
    assert not loader.is_busy()


def test_few_changes_are_saved_without_reading_the_index(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "load", lambda *_: pytest.fail("the index was read"))
    add(catalog, 5, seed=1)
    with catalog.transaction():
        catalog.drop(b"/1/3")
        catalog.drop(b"/0/3")
    assert not IndexMirror(tmp_path, DIMENSION, "cosine").save(catalog)


def test_scores_of_the_approximate_engine_are_the_true_ones(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sketchseek.search.index.EXACT_UP_TO", 100)
    add(catalog, 500, seed=1)
    writer = IndexMirror(tmp_path, DIMENSION, "cosine")
    writer.save(catalog)
    query = np.ones(DIMENSION, np.float32) / np.sqrt(np.float32(DIMENSION))
    with catalog.snapshot():
        ids, scores = nearest(writer.current(catalog, catalog.metadata()), catalog, query, 10)
        everything = np.concatenate([embeddings for _, embeddings in catalog.embeddings(DIMENSION)]).astype(np.float32)
    np.testing.assert_allclose(scores, np.sort(everything @ query)[::-1][:10], atol=1e-5)
    assert len(set(ids.tolist())) == 10
