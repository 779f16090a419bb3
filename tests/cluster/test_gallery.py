from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from object_store import need_cluster
from sketchseek.errors import LibraryCorruptError

need_cluster()

from sketchseek.cluster import gallery, maintenance
from sketchseek.cluster.conditions import Condition
from sketchseek.cluster.embedding import folder_of
from sketchseek.cluster.gallery import Gallery, LanceGallery, MemoryGallery
from sketchseek.cluster.state import State
from sketchseek.cluster.table import Change, Snapshot, Table, schema
from sketchseek.search.params import Filter

DIMENSION, COUNT, QUERIES, K = 32, 4000, 60, 10
FOLDERS = ("s3://b/p", "s3://b/p/it's", "s3://b/p/Ärger", "s3://b/p2", "/q")


def embeddings(rng: np.random.Generator, count: int) -> np.ndarray:
    """Unit vectors around some centers, as those of real photos are."""
    centers = rng.standard_normal((80, DIMENSION))
    found = centers[rng.integers(0, 80, count)] + 0.7 * rng.standard_normal((count, DIMENSION))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float16)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return embeddings(np.random.default_rng(0), COUNT)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory, vectors: np.ndarray) -> Table:
    """Photos n with mtime n, every tenth a failure, in several fragments, with indexes."""
    import pyarrow as pa

    made = Table(str(tmp_path_factory.mktemp("gallery") / "library"))
    made.create(State("small", "small", "fingerprint", DIMENSION, "cosine", next_id=COUNT))
    for start in range(0, COUNT, COUNT // 40):
        rows: list[dict[str, Any]] = []
        for photo in range(max(1, start), start + COUNT // 40):
            folder = FOLDERS[photo % len(FOLDERS)]
            row = {"id": photo, "path": f"{folder}/{photo}.jpg", "folder": folder, "mtime_ns": photo}
            rows.append(row | ({"reason": "broken"} if photo % 10 == 9 else {"embedding": vectors[photo]}))
        fragments = made.write_rows(pa.Table.from_pylist(rows, schema=schema(DIMENSION)))

        def change(one: Snapshot, new: list[str] = fragments) -> Change:
            return Change(one.state, new)

        made.commit(change)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gallery, "PARTITION", 60)  # twice as many partitions as a search visits
        maintenance.optimize(made, exact_below=0)
    return made


@pytest.fixture(scope="module")
def snapshot(table: Table) -> Snapshot:
    return table.latest()


@pytest.fixture(params=[MemoryGallery, LanceGallery])
def one(request: pytest.FixtureRequest, snapshot: Snapshot) -> Gallery:
    made: Gallery = request.param(snapshot)
    return made


def is_photo(photo: int) -> bool:
    return photo % 10 != 9


def photos() -> list[int]:
    return [photo for photo in range(1, COUNT) if is_photo(photo)]


CONDITIONS: dict[str, tuple[Condition, Callable[[int], bool]]] = {
    "folder": (Condition(folder="s3://b/p"), lambda n: n % 5 < 3),
    "quote": (Condition(folder="s3://b/p/it's"), lambda n: n % 5 == 1),
    "photo": (Condition(folder="/q/4.jpg"), lambda n: n == 4),
    "times": (Condition(after=100, before=200), lambda n: 100 <= n < 200),
    "name": (Condition(contains="ÄRGER"), lambda n: n % 5 == 2),
    "no name": (Condition(contains="nowhere"), lambda n: False),
    "all": (Condition("s3://b/p", 10, 3000, "/p/"), lambda n: 10 <= n < 3000 and n % 5 in (1, 2)),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_conditions_are_the_same_in_memory_and_in_sql(one: Gallery, name: str, vectors: np.ndarray) -> None:
    condition, allows = CONDITIONS[name]
    expected = [photo for photo in photos() if allows(photo)]
    assert one.count(condition) == len(expected)
    ids, scores = one.nearest(vectors[5].astype(np.float32), COUNT, condition)
    assert sorted(ids.tolist()) == expected
    true = vectors[ids].astype(np.float32) @ vectors[5].astype(np.float32)
    np.testing.assert_allclose(scores, true, atol=2e-3)
    assert (np.diff(scores) <= 1e-3).all()


def test_a_filter_as_a_condition() -> None:
    when = datetime(2020, 1, 1, tzinfo=UTC)
    found = Condition.of(Filter(folder="s3://b/p/", after=when, folder_contains="x"))
    assert found == Condition("s3://b/p", int(when.timestamp()) * 10**9, None, "x")


def test_rows(one: Gallery, vectors: np.ndarray) -> None:
    assert one.count() == len(photos())
    facts = one.facts([5, 9, 6, 10**6])
    assert sorted(facts) == [5, 6]
    assert facts[6]["path"] == "s3://b/p/it's/6.jpg"
    assert one.facts([]) == {}
    assert one.id_of("s3://b/p/it's/6.jpg") == 6
    assert one.id_of("s3://b/p/it's/9.jpg") is None
    found = one.embedding(6)
    assert found is not None
    np.testing.assert_array_equal(found, vectors[6].astype(np.float32))
    assert one.embedding(9) is None
    assert one.folders() == {
        folder: sum(folder_of(f"{FOLDERS[n % 5]}/x") == folder for n in photos()) for folder in FOLDERS
    }


@pytest.mark.slow
def test_recall_with_the_index(snapshot: Snapshot, vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """At least 0.99 of the ten nearest by exhaustive search are found."""
    monkeypatch.setattr(gallery, "FLAT_BELOW", 0)
    assert "embedding_idx" in {index.name for index in snapshot.dataset.describe_indices()}
    found = LanceGallery(snapshot)
    rng = np.random.default_rng(1)
    queries = vectors[rng.integers(0, COUNT, QUERIES)].astype(np.float32)
    queries += 0.1 * rng.standard_normal(queries.shape).astype(np.float32)
    known = np.array(photos())
    recalls = []
    for query in queries / np.linalg.norm(queries, axis=1, keepdims=True):
        ids, scores = found.nearest(query, K, None)
        true = vectors[known].astype(np.float32) @ query
        recalls.append(len({*ids.tolist()} & {*known[np.argsort(-true)[:K]].tolist()}) / K)
        np.testing.assert_allclose(scores, vectors[ids].astype(np.float32) @ query, atol=2e-3)
    assert np.mean(recalls) >= 0.99
    narrow = Condition(folder="s3://b/p/it's", before=2000)
    ids, _ = found.nearest(queries[0], K, narrow)
    assert len(ids) == K
    assert all(photo % 5 == 1 and photo < 2000 for photo in ids.tolist())


def test_new_photos_are_found_before_and_after_they_are_indexed(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa

    monkeypatch.setattr(gallery, "FLAT_BELOW", 0)
    vector = -np.ones(DIMENSION, np.float16) / np.float16(np.sqrt(DIMENSION))
    row = {"id": COUNT + 1, "path": "/q/new.jpg", "folder": "/q", "mtime_ns": 1, "embedding": vector}
    fragments = table.write_rows(pa.Table.from_pylist([row], schema=schema(DIMENSION)))
    added = table.commit(lambda one: Change(one.state, fragments, drop=[4]))
    for snapshot in (added, maintenance.optimize(table, exact_below=0)):
        found = LanceGallery(snapshot)
        assert found.nearest(vector.astype(np.float32), 1, None)[0].tolist() == [COUNT + 1]
        assert found.facts([4]) == {}
        assert (found.id_of("/q/new.jpg"), found.id_of("/q/4.jpg")) == (COUNT + 1, None)


def test_a_photo_without_an_embedding(tmp_path: Path) -> None:
    import pyarrow as pa

    table = Table(str(tmp_path / "library"))
    table.create(State("small", "small", "fingerprint", DIMENSION, "cosine"))
    fragments = table.write_rows(pa.Table.from_pylist([{"id": 1, "path": "/x"}], schema=schema(DIMENSION)))
    with pytest.raises(LibraryCorruptError, match="no embedding"):
        MemoryGallery(table.commit(lambda one: Change(one.state, fragments)))
