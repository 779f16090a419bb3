"""Every operation on every engine, compared with the slow reference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from sketchseek.models.package import Distance
from sketchseek.search.index import ENGINES, EXACT_UP_TO, VectorIndex, build, engine_for, sample_size
from sketchseek.search.index.reference import ReferenceIndex

COUNT, DIMENSION = 600, 24
# Half precision rounds in the eleventh bit, INT8 in the ninth; distances are square roots of that.
TOLERANCE = {"exact": 4e-3, "approximate": 0.2, "reference": 1e-6}


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> str:
    """Every engine's name."""
    name: str = request.param
    return name


@pytest.fixture(params=get_args(Distance))
def distance(request: pytest.FixtureRequest) -> Distance:
    """Every distance."""
    name: Distance = request.param
    return name


def clustered(count: int, distance: Distance, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(99).standard_normal((12, DIMENSION))
    vectors = centers[rng.integers(0, 12, count)] + 0.6 * rng.standard_normal((count, DIMENSION))
    if distance == "cosine":
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float16)


@pytest.fixture
def pair(engine: str, distance: Distance) -> tuple[VectorIndex, ReferenceIndex]:
    """An engine and the reference, holding the same vectors under scattered ids."""
    vectors = clustered(COUNT, distance)
    ids = np.random.default_rng(1).permutation(10 * COUNT)[:COUNT].astype(np.int64) + 1
    made = build(engine, DIMENSION, distance, [(ids, vectors)], sample=vectors, count=COUNT)
    reference = ReferenceIndex(DIMENSION, distance)
    reference.add(ids, vectors)
    return made, reference


def assert_agree(
    index: VectorIndex, reference: ReferenceIndex, k: int, allowed: np.ndarray | None = None, seed: int = 5
) -> None:
    """Same number of answers, no id twice, every score its id's true score, and as good as the reference's scores."""
    queries = clustered(8, index.distance, seed).astype(np.float32)
    ids, scores = index.search(queries, k, allowed)
    _, expected = reference.search(queries, k, allowed)
    tolerance = TOLERANCE[index.name]
    assert ids.shape == scores.shape == expected.shape
    assert ids.dtype == np.int64
    assert (np.diff(scores, axis=1) <= 0).all()
    every, true = reference.search(queries, max(1, len(reference)))
    for row in range(len(queries)):
        assert len(set(ids[row])) == ids.shape[1]
        score_of = dict(zip(every[row].tolist(), true[row].tolist(), strict=True))
        np.testing.assert_allclose(scores[row], [score_of[i] for i in ids[row].tolist()], atol=tolerance)
    if index.name == "approximate":
        assert (scores >= expected - tolerance).mean() >= 0.9
    else:
        np.testing.assert_allclose(scores, expected, atol=tolerance)


@pytest.mark.parametrize("k", [1, 10, COUNT, 3 * COUNT])
def test_search(pair: tuple[VectorIndex, ReferenceIndex], k: int) -> None:
    assert_agree(*pair, k)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("k", [1, 10, 3 * COUNT])
def test_search_among_allowed_ids(pair: tuple[VectorIndex, ReferenceIndex], share: float, k: int) -> None:
    index, reference = pair
    rng = np.random.default_rng(3)
    allowed = rng.choice(reference._ids, max(1, int(share * COUNT)), replace=False)
    assert_agree(index, reference, k, np.sort(allowed))
    found, _ = index.search(clustered(4, index.distance, 6).astype(np.float32), k, allowed)
    assert np.isin(found, allowed).all()
    assert found.shape[1] == min(k, len(allowed))


def test_search_among_nothing_and_among_strangers(pair: tuple[VectorIndex, ReferenceIndex]) -> None:
    index, _ = pair
    queries = clustered(3, index.distance).astype(np.float32)
    ids, scores = index.search(queries, 5, np.empty(0, np.int64))
    assert ids.shape == scores.shape == (3, 0)
    strangers = np.array([999_999, 1_000_000], np.int64)
    assert index.search(queries, 5, strangers)[0].shape == (3, 0)


def test_allowed_ids_that_are_not_held_leave_no_gaps(pair: tuple[VectorIndex, ReferenceIndex]) -> None:
    index, reference = pair
    allowed = np.concatenate([reference._ids[:3], [999_999, 1_000_000]])
    ids, _ = index.search(clustered(3, index.distance).astype(np.float32), 5, allowed)
    assert ids.shape == (3, 3)
    assert (np.sort(ids, axis=1) == np.sort(reference._ids[:3])).all()


def test_add_and_remove(pair: tuple[VectorIndex, ReferenceIndex]) -> None:
    index, reference = pair
    rng = np.random.default_rng(8)
    next_id = 10 * COUNT + 1
    for step in range(6):
        gone = rng.choice(reference._ids, 70, replace=False)
        with_strangers = np.concatenate([gone, [10**6 + step]])
        assert index.remove(with_strangers) == reference.remove(with_strangers) == 70
        added = np.arange(next_id, next_id + 50, dtype=np.int64)
        next_id += 50
        vectors = clustered(50, index.distance, seed=100 + step)
        index.add(added, vectors)
        reference.add(added, vectors)
        assert len(index) == len(reference)
        assert_agree(index, reference, 10, seed=step)


def test_a_filter_is_searched_again_after_changes(pair: tuple[VectorIndex, ReferenceIndex]) -> None:
    """Engines keep what they prepared for an array of allowed ids; it must not answer for what was there before."""
    index, reference = pair
    allowed = np.sort(np.concatenate([reference._ids[: COUNT // 2], np.arange(8000, 8040)]))
    small = np.sort(np.concatenate([reference._ids[:20], np.arange(8020, 8040)]))
    for step in range(3):
        for some in (allowed, small):
            assert_agree(index, reference, 10, some)
            assert_agree(index, reference, COUNT, some)
        gone = reference._ids[step:30:7]
        assert index.remove(gone) == reference.remove(gone)
        added = np.arange(8010 + 10 * step, 8020 + 10 * step)
        index.add(added, vectors := clustered(10, index.distance, seed=step))
        reference.add(added, vectors)


def test_remove_everything(pair: tuple[VectorIndex, ReferenceIndex]) -> None:
    index, reference = pair
    assert index.remove(reference._ids) == COUNT
    assert len(index) == 0
    assert index.search(clustered(3, index.distance).astype(np.float32), 5)[0].shape == (3, 0)
    assert index.remove(np.array([1], np.int64)) == 0


def test_save_and_load(pair: tuple[VectorIndex, ReferenceIndex], tmp_path: Path) -> None:
    index, reference = pair
    index.remove(reference._ids[:10])
    reference.remove(reference._ids[:10])
    index.save(tmp_path / "index")
    loaded = type(index).load(tmp_path / "index", DIMENSION, index.distance)
    assert len(loaded) == len(reference)
    assert_agree(loaded, reference, 10)
    loaded.add(np.array([7_000_000]), clustered(1, index.distance))  # a loaded index can be changed
    assert loaded.remove(np.array([7_000_000])) == 1


def test_loading_another_metric_or_dimension_is_refused(
    pair: tuple[VectorIndex, ReferenceIndex], tmp_path: Path
) -> None:
    index, _ = pair
    index.save(tmp_path / "index")
    other: Distance = "euclidean" if index.distance == "cosine" else "cosine"
    with pytest.raises(ValueError, match="distance"):
        type(index).load(tmp_path / "index", DIMENSION, other)
    with pytest.raises(ValueError, match="dimension"):
        type(index).load(tmp_path / "index", DIMENSION + 1, index.distance)


@pytest.mark.parametrize("engine_name", ["exact", "approximate"])
def test_loading_what_is_no_index_is_refused(engine_name: str, tmp_path: Path) -> None:
    (tmp_path / "index").write_bytes(b"no index" * 100)
    with pytest.raises(ValueError, match="cannot read"):
        ENGINES[engine_name].load(tmp_path / "index", DIMENSION, "cosine")


def test_loading_another_engine_s_file_is_refused(tmp_path: Path) -> None:
    vectors = clustered(100, "cosine")
    ids = np.arange(100, dtype=np.int64)
    for name, other in (("exact", "approximate"), ("approximate", "exact")):
        build(name, DIMENSION, "cosine", [(ids, vectors)], sample=vectors, count=100).save(tmp_path / name)
        with pytest.raises(ValueError, match=other):
            ENGINES[other].load(tmp_path / name, DIMENSION, "cosine")


def test_an_empty_index(engine: str, distance: Distance) -> None:
    empty = np.empty((0, DIMENSION), np.float16)

    def nothing() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield from ()

    if engine == "approximate":
        pytest.skip("chosen for large libraries only")
    index = build(engine, DIMENSION, distance, nothing(), sample=empty, count=0)
    assert len(index) == 0
    assert index.search(np.ones((2, DIMENSION), np.float32), 3)[0].shape == (2, 0)


def test_the_choice_of_engine() -> None:
    assert engine_for(0) == engine_for(EXACT_UP_TO) == "exact"
    assert engine_for(EXACT_UP_TO + 1) == "approximate"
    assert sample_size("exact", 10**6) == 0
    assert 0 < sample_size("approximate", 10**6) <= 10**6


def test_a_filter_costs_the_approximate_engine_no_recall() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((4000, DIMENSION)).astype(np.float16)
    ids = np.arange(4000, dtype=np.int64)
    index = build("approximate", DIMENSION, "euclidean", [(ids, vectors)], sample=vectors, count=4000)
    reference = ReferenceIndex(DIMENSION, "euclidean")
    reference.add(ids, vectors)
    queries = rng.standard_normal((50, DIMENSION)).astype(np.float32)
    allowed = np.sort(rng.choice(ids, 80, replace=False))
    found, expected = index.search(queries, 1, allowed)[0], reference.search(queries, 1, allowed)[0]
    assert (found == expected).mean() >= 0.9
