"""What a process keeps of an index has a limit, and is shared by the versions of a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from object_store import need_cluster

need_cluster()

from sketchseek.cluster import gallery, index_cache
from sketchseek.cluster.gallery import LanceGallery
from sketchseek.cluster.maintenance import optimize
from sketchseek.cluster.state import State
from sketchseek.cluster.table import Change, Table, schema
from sketchseek.errors import ConfigError

COUNT, DIMENSION = 8000, 256


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    """A table whose index has 2 MB."""
    import pyarrow as pa

    monkeypatch.setattr(index_cache, "LEAST_MB", 1)
    monkeypatch.setattr(gallery, "PARTITION", 100)
    made = Table(str(tmp_path / "library"))
    made.create(State("small", "small", "fingerprint", DIMENSION, "cosine"))
    embeddings = np.random.default_rng(0).standard_normal((COUNT, DIMENSION))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    columns = {
        "id": pa.array(range(1, COUNT + 1), pa.int64()),
        "path": [f"/p/{photo}.jpg" for photo in range(COUNT)],
        "embedding": pa.FixedSizeListArray.from_arrays(pa.array(embeddings.astype(np.float16).reshape(-1)), DIMENSION),
    }
    kinds = schema(DIMENSION)
    rows = pa.table([columns.get(one.name, pa.nulls(COUNT, one.type)) for one in kinds], schema=kinds)
    fragments = made.write_rows(rows)
    made.commit(lambda one: Change(one.state, fragments))
    optimize(made, exact_below=0)
    return made


def search(table: Table) -> None:
    """Visit every cluster of the index."""
    found = LanceGallery(table.latest())
    for query in np.random.default_rng(1).standard_normal((60, DIMENSION)).astype(np.float32):
        found.nearest(query / np.linalg.norm(query), 10, None)


@pytest.mark.slow
def test_the_cache_has_a_limit_and_outlives_commits(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {}
    for megabytes in (1, 64):
        monkeypatch.setenv(index_cache.VARIABLE, str(megabytes))
        search(table)
        sizes[megabytes] = index_cache.session().size_bytes()
    assert sizes[1] <= 1 << 20
    assert sizes[64] > 2 * sizes[1]
    table.commit(lambda one: Change(one.state))
    assert table.latest().dataset.session().is_same_as(index_cache.session())
    assert index_cache.session().size_bytes() >= 0.9 * sizes[64]


@pytest.mark.parametrize("text", ["much", "-1", "1.5", "3"])
def test_a_limit_that_is_none_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(index_cache.VARIABLE, text)
    with pytest.raises(ConfigError, match="SKETCHSEEK_INDEX_CACHE_MB is"):
        index_cache.session()
    monkeypatch.setenv(index_cache.VARIABLE, "")
    assert index_cache.limit_mb() == index_cache.DEFAULT_MB
