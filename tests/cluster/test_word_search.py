"""Words of a large library, searched with Lance's indexes, against the same words in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from object_store import need_cluster
from sketchseek.photo_metadata import PhotoMetadata
from sketchseek.search.catalog import Description
from sketchseek.search.catalog.memory_words import MemoryWords

need_cluster()

from sketchseek.cluster import maintenance, word_search
from sketchseek.cluster.descriptions import columns_of, description_columns, update_words
from sketchseek.cluster.state import State
from sketchseek.cluster.table import IS_PHOTO, Change, Snapshot, Table, schema
from sketchseek.cluster.word_search import LanceWords
from sketchseek.search.text_ranking import matched_ids

pytestmark = pytest.mark.slow

COUNT = 600
NAMES = ("sunset beach", "kitten", "Füße", "東京の夜", "IMG", "harbour boats", "old mill", "red barn")
TEXTS = ("beach", "bea", "beahc", "kit 12", "東京", "fusse", "img 59", "arbou", "barn mill", "qqqqqq", "mil kittenn")


def rows(start: int, stop: int) -> list[dict[str, object]]:
    made = []
    for number in range(start, stop):
        path = f"s3://bucket/photos/{number % 5}/{NAMES[number % len(NAMES)]} {number}.jpg"
        caption = "old barn" if number % 50 == 0 else ""
        columns = description_columns(path, ["s3://bucket/photos"], Description(PhotoMetadata(caption), b"x" * 64))
        made.append({"id": number, "path": path, "folder": "f", "embedding": np.ones(4, np.float16)} | columns)
    return made


def write(table: Table, start: int, stop: int) -> None:
    import pyarrow as pa

    fragments = table.write_rows(pa.Table.from_pylist(rows(start, stop), schema=schema(4)))
    table.commit(lambda one: Change(one.state, fragments))


@pytest.fixture(scope="module", params=["no index", "index", "index and new rows"])
def snapshot(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    table = Table(str(tmp_path_factory.mktemp("words") / "library"))
    table.create(State("small", "small", "fingerprint", 4, "cosine", next_id=COUNT))
    end = COUNT - 100 if request.param == "index and new rows" else COUNT
    write(table, 1, end)
    if request.param != "no index":
        maintenance._index_columns(table.latest())
    if end < COUNT:
        write(table, end, COUNT)
    return table.latest()


@pytest.fixture(scope="module")
def expected() -> Iterator[MemoryWords]:
    with closing(MemoryWords()) as words:
        words.update((row["id"], columns_of(str(row["words"]))) for row in rows(1, COUNT))  # type: ignore[misc]
        yield words


@pytest.mark.parametrize("text", TEXTS)
def test_it_finds_what_memory_finds(
    snapshot: Snapshot, expected: MemoryWords, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed = bool(snapshot.dataset.describe_indices())
    if text in ("beahc", "mil kittenn") and not indexed:
        pytest.skip("typos are found by the index")
    found = LanceWords(snapshot)
    needed = snapshot.dataset.count_rows(filter=f"{IS_PHOTO} AND {found.every(text)}")
    assert needed == len(expected.ids_with_words(text))
    every = matched_ids(expected.match_text(text))
    assert found.count_some(text, IS_PHOTO) == len(every)
    matches = found.matches(text, 1000, IS_PHOTO)
    assert [one.ids.tolist() for one in matches if len(one.ids)] == [
        one.ids.tolist() for one in expected.match_text(text)
    ]
    # With few candidates, only the best kinds are complete, but nothing else is found.
    monkeypatch.setattr(word_search, "CANDIDATES", 5)
    few = LanceWords(snapshot).matches(text, 3, IS_PHOTO)
    assert set(matched_ids(few).tolist()) <= set(every.tolist())
    assert bool(len(matched_ids(few))) == bool(len(every))
    if few and len(few[0].ids):
        best = expected.match_text(text)[0].ids.tolist()
        assert set(few[0].ids.tolist()[:3]) <= set(best)


def test_a_filter_counts(snapshot: Snapshot) -> None:
    found = LanceWords(snapshot).matches("beach", 10, f"{IS_PHOTO} AND id < 100")
    assert set(matched_ids(found).tolist()) == {number for number in range(1, 100) if number % len(NAMES) == 0}


def test_words_in_memory_follow_the_versions(tmp_path: Path) -> None:
    table = Table(str(tmp_path / "library"))
    table.create(State("small", "small", "fingerprint", 4, "cosine", next_id=COUNT))
    known = MemoryWords()
    write(table, 1, 20)
    update_words(known, table.latest())
    assert known.photos == frozenset(range(1, 20))
    write(table, 20, 30)
    table.commit(lambda one: Change(one.state, (), [3, 8]))
    update_words(known, table.latest())
    assert known.photos == frozenset(range(1, 30)) - {3, 8}
    assert set(matched_ids(known.match_text("beach")).tolist()) == {16, 24}
    known.close()
    assert known.photos == frozenset()
