from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from object_store import ObjectStore, need_cluster
from sketchseek.errors import LibraryCorruptError, LibraryNotFoundError

need_cluster()

from sketchseek.cluster.state import State
from sketchseek.cluster.table import DESCRIPTION, FACTS, IS_PHOTO, Change, Snapshot, Table, schema

STATE = State("small", "small", "fingerprint", 16, "cosine", folders=("s3://b/photos",))


def rows(start: int, end: int) -> Any:
    """Rows of photos with random embeddings."""
    import pyarrow as pa

    rng = np.random.default_rng(start)
    found = [
        {"id": photo, "path": f"/p/{photo}.jpg", "embedding": rng.standard_normal(16).astype(np.float16)}
        for photo in range(start, end)
    ]
    return pa.Table.from_pylist(found, schema=schema(16))


@pytest.fixture
def table(tmp_path: Path) -> Table:
    made = Table(str(tmp_path / "library"))
    made.create(STATE)
    return made


def photos(snapshot: Snapshot) -> list[int]:
    return sorted(snapshot.rows(["id"], IS_PHOTO)["id"].to_pylist())


def add(table: Table, start: int, end: int) -> Snapshot:
    fragments = table.write_rows(rows(start, end))
    return table.commit(lambda snapshot: Change(replace(snapshot.state, next_id=end), fragments))


def test_a_commit_adds_and_drops_rows_and_replaces_the_state(table: Table) -> None:
    assert table.latest().state == STATE
    snapshot = add(table, 1, 40)
    assert (photos(snapshot), snapshot.state.next_id) == (list(range(1, 40)), 40)
    snapshot = table.commit(lambda one: Change(one.state, table.write_rows(rows(50, 52)), drop=[3, 4, 39, 999]))
    assert photos(snapshot) == [1, 2, *range(5, 39), 50, 51]
    assert snapshot.rows(["id"], "id = 0").num_rows == 1
    snapshot = table.commit(lambda one: Change(one.state, drop=range(1, 60)))
    assert (photos(snapshot), snapshot.state.next_id) == ([], 40)


def test_nothing_to_change_makes_no_version(table: Table) -> None:
    before = table.latest()
    assert table.commit(lambda _: None).version == before.version
    assert table.refreshed(before) is before
    add(table, 1, 3)
    assert table.refreshed(before).version == before.version + 1


def test_rows_that_were_never_committed_do_not_count(table: Table) -> None:
    table.write_rows(rows(1, 10))
    assert photos(table.latest()) == []


def test_a_conflict_is_tried_again_on_top_of_the_other_commit(table: Table) -> None:
    seen = []

    def change(snapshot: Snapshot) -> Change:
        seen.append(snapshot.version)
        if len(seen) == 1:
            add(table, 1, 5)
        return Change(replace(snapshot.state, next_id=snapshot.state.next_id + 100))

    snapshot = table.commit(change)
    assert (len(seen), snapshot.state.next_id, photos(snapshot)) == (2, 105, [1, 2, 3, 4])


def test_commits_after_a_compaction_and_with_an_index(table: Table) -> None:
    for start in range(1, 31, 10):
        add(table, start, start + 10)
    dataset = table.latest().dataset
    dataset.optimize.compact_files()
    table.latest().dataset.create_scalar_index("id", "BTREE")
    snapshot = table.commit(lambda one: Change(one.state, table.write_rows(rows(40, 42)), drop=[7]))
    assert photos(snapshot) == [*range(1, 7), *range(8, 31), 40, 41]
    assert snapshot.rows(["id"], "id IN (0, 7, 8, 40)")["id"].to_pylist() == [8, 40, 0]


@pytest.mark.slow
@pytest.mark.parametrize("where", ["folder", "object storage"])
def test_threads_lose_no_commit(where: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    store: ObjectStore | None = request.getfixturevalue("object_store") if where == "object storage" else None
    table = Table(f"{store.bucket() if store else tmp_path}/library")
    table.create(STATE)
    table.create(replace(STATE, model="other"))  # a second process that creates it changes nothing
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(4):
                first = 1 + number * 100 + turn * 10
                fragments = table.write_rows(rows(first, first + 10))

                def change(one: Snapshot, new: list[str] = fragments) -> Change:
                    return Change(replace(one.state, next_id=one.state.next_id + 1), new)

                table.commit(change)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    snapshot = table.latest()
    assert snapshot.state.model == "small"
    assert snapshot.state.next_id == STATE.next_id + 12
    assert photos(snapshot) == [1 + 100 * number + row for number in range(3) for row in range(40)]


def test_what_is_no_library(tmp_path: Path, object_store: ObjectStore) -> None:
    for folder in (str(tmp_path), object_store.bucket()):
        with pytest.raises(LibraryNotFoundError, match="no library"):
            Table(folder).latest()
        assert not Table(folder).exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}', STATE.to_json().replace("cosine", "cosy")])
def test_a_damaged_state(text: str) -> None:
    with pytest.raises(LibraryCorruptError, match="state cannot be read"):
        State.parse(text, "/library")


def test_a_newer_format() -> None:
    with pytest.raises(LibraryCorruptError, match="newer"):
        State.parse(replace(STATE, format=2).to_json(), "/library")
    assert State.parse(STATE.to_json(), "/library") == STATE


def test_the_columns_of_a_photo() -> None:
    assert {*FACTS, *DESCRIPTION, "embedding", "reason", "state"} == set(schema(8).names)
