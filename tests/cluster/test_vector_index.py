"""The index of embeddings of a library in Lance, at the size that needs one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from object_store import need_cluster

need_cluster()

from sketchseek.cluster import gallery, vector_index
from sketchseek.cluster.conditions import Condition
from sketchseek.cluster.gallery import LanceGallery
from sketchseek.cluster.maintenance import optimize
from sketchseek.cluster.state import State
from sketchseek.cluster.table import Change, Table, schema
from sketchseek.cluster.vector_index import NAME, SegmentJob, measured_probes, update_index

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from engines import vectors

pytestmark = pytest.mark.slow

DIMENSION, K, FOLDERS = 32, 10, 10


def create(folder: Path, dimension: int = DIMENSION) -> Table:
    made = Table(str(folder / "library"))
    made.create(State("small", "small", "fingerprint", dimension, "cosine"))
    return made


def add(table: Table, embeddings: np.ndarray, first: int, part: int = 10_000) -> None:
    """Add photos with ids from ``first``, with one commit for each part."""
    import pyarrow as pa

    for start in range(0, len(embeddings), part):
        values = embeddings[start : start + part].astype(np.float16)
        ids = range(first + start, first + start + len(values))
        columns = {
            "id": pa.array(ids, pa.int64()),
            "path": [f"/p/{photo % FOLDERS}/{photo}.jpg" for photo in ids],
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1]),
        }
        rows = pa.table(
            [columns.get(field.name, pa.nulls(len(values), field.type)) for field in schema(values.shape[1])],
            schema=schema(values.shape[1]),
        )
        fragments = table.write_rows(rows)

        def change(one: Any, new: list[str] = fragments) -> Change:
            return Change(one.state, new)

        table.commit(change)


def segments(table: Table) -> dict[str, set[int]]:
    """Return the fragments of each part of the index."""
    (index,) = [one for one in table.latest().dataset.describe_indices() if one.name == NAME]
    return {str(one.uuid): set(one.fragment_ids) for one in index.segments}


def recall(table: Table, embeddings: np.ndarray, queries: np.ndarray, folder: int | None = None) -> float:
    """Return the fraction of the true nearest, in a folder, that are found; ids are rows of the embeddings, from 1."""
    condition = None if folder is None else Condition(folder=f"/p/{folder}")
    allowed = np.arange(1, len(embeddings) + 1)
    allowed = allowed if folder is None else allowed[allowed % FOLDERS == folder]
    searched = LanceGallery(table.latest())
    true = embeddings[allowed - 1].astype(np.float16).astype(np.float32)
    hits = 0
    for query in queries:
        best = allowed[np.argpartition(-(true @ query), K)[:K]]
        hits += len({*best.tolist()} & {*searched.nearest(query, K, condition)[0].tolist()})
    return hits / (K * len(queries))


def in_this_process(
    jobs_seen: list[SegmentJob],
) -> Callable[[Callable[[SegmentJob], Any], Sequence[SegmentJob]], Iterator[Any]]:
    def mapper(function: Callable[[SegmentJob], Any], jobs: Sequence[SegmentJob]) -> Iterator[Any]:
        jobs_seen.extend(jobs)
        return map(function, jobs)

    return mapper


@pytest.fixture(scope="module")
def made() -> tuple[np.ndarray, np.ndarray]:
    return vectors(20_000, DIMENSION, np.random.default_rng(0))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Use the index for few photos, and make clusters small, except at full size."""
    if "full_size" not in request.node.name:
        monkeypatch.setattr(gallery, "PARTITION", 100)
        monkeypatch.setattr(gallery, "FLAT_BELOW", 0)


def test_new_photos_extend_the_index(tmp_path: Path, made: tuple[np.ndarray, np.ndarray]) -> None:
    embeddings, queries = made
    table = create(tmp_path)
    add(table, embeddings[:12_000], 1)
    update_index(table)
    (base,) = segments(table)
    state = table.latest().state
    assert state.trained == 12_000
    update_index(table)
    assert set(segments(table)) == {base}  # nothing was added but the state
    counts = []
    for number in range(11):
        start = 12_000 + 500 * number
        add(table, embeddings[start : start + 500], start + 1)
        update_index(table)
        counts.append(len(segments(table)))
        assert base in segments(table)  # it is not built again
    assert counts == [2, 3, 4, 5, 6, 7, 8, 2, 3, 4, 5]  # the new parts are merged
    assert (table.latest().state.trained, table.latest().state.probes) == (12_000, state.probes)
    assert recall(table, embeddings[:17_500], queries) >= 0.99
    # All of the new photos are in the index: each finds itself without a scan.
    searched = LanceGallery(table.latest())
    for photo in (12_001, 15_000, 17_500):
        assert searched.nearest(embeddings[photo - 1], 1, None)[0].tolist() == [photo]


def test_a_library_that_has_doubled_is_indexed_anew(tmp_path: Path, made: tuple[np.ndarray, np.ndarray]) -> None:
    embeddings, queries = made
    table = create(tmp_path)
    add(table, embeddings[:3000], 1)
    update_index(table)
    before = segments(table)
    add(table, embeddings[3000:8000], 3001)
    update_index(table)
    assert not before.keys() & segments(table).keys()
    assert len(segments(table)) == 1
    assert table.latest().state.trained == 8000
    assert recall(table, embeddings[:8000], queries) >= 0.99


def test_jobs_build_parts_of_the_index(tmp_path: Path, made: tuple[np.ndarray, np.ndarray]) -> None:
    embeddings, queries = made
    table = create(tmp_path)
    add(table, embeddings[:8000], 1, part=2000)
    jobs: list[SegmentJob] = []
    update_index(table, in_this_process(jobs))
    assert len(jobs) >= 4
    listed = [one for job in jobs for one in job.fragments]
    assert len(listed) == len(set(listed)) >= 4
    assert len(segments(table)) == table.latest().state.parts == 4  # the first fragment has no photos
    assert recall(table, embeddings[:8000], queries) >= 0.99
    # Again, for a library that has doubled: the old index is replaced.
    before = segments(table)
    add(table, embeddings[8000:], 8001)
    jobs.clear()
    update_index(table, in_this_process(jobs))
    assert 4 < len(segments(table)) == table.latest().state.parts <= len(jobs) <= vector_index.JOBS
    assert not before.keys() & segments(table).keys()
    assert recall(table, embeddings, queries) >= 0.99


def test_the_number_of_clusters_to_visit_is_measured(
    tmp_path: Path, made: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = create(tmp_path)
    add(table, made[0], 1)
    update_index(table)
    snapshot = table.latest()
    monkeypatch.setattr(vector_index, "LEAST", 1)
    enough = measured_probes(snapshot, 20_000)
    monkeypatch.setattr(vector_index, "RECALL", 0.5)
    few = measured_probes(snapshot, 20_000)
    monkeypatch.setattr(vector_index, "RECALL", 1.01)  # cannot be reached: all are visited
    assert few < enough < measured_probes(snapshot, 20_000) == 200


@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
def test_ray_builds_the_index(tmp_path: Path, made: tuple[np.ndarray, np.ndarray]) -> None:
    if find_spec("ray") is None:
        pytest.skip("ray is not installed: pip install 'sketchseek[cluster]'")
    from sketchseek.cluster.ray_runner import RayRunner

    embeddings, queries = made
    table = create(tmp_path)
    add(table, embeddings[:8000], 1, part=2000)
    optimize(table, exact_below=0, mapper=RayRunner().map)
    assert len(segments(table)) == table.latest().state.parts > 1
    assert recall(table, embeddings[:8000], queries) >= 0.99


def test_recall_at_full_size(tmp_path: Path) -> None:
    """100,000 photos with the dimensions and settings of real libraries, filters included."""
    embeddings, queries = vectors(100_000, 256, np.random.default_rng(1))
    table = create(tmp_path, 256)
    add(table, embeddings, 1, part=25_000)
    optimize(table)
    assert table.latest().state.trained == 100_000
    probes = table.latest().state.probes
    assert probes < 100  # not all of the clusters
    assert recall(table, embeddings, queries[:100]) >= 0.99
    assert recall(table, embeddings, queries[:100], folder=3) >= 0.99
