"""Every distance against a slow duplicate that is written from its formula, one query and one photo at a time."""

from __future__ import annotations

import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketchseek.evaluation import metrics
from sketchseek.evaluation.metrics import TIE, QueryScores, nearest, score_queries

KS = (1, 3, 10, 100)


def similarity(query: np.ndarray, photo: np.ndarray, distance: Any) -> float:
    if distance == "cosine":
        return math.fsum(float(a) * float(b) for a, b in zip(query, photo, strict=True))
    return -math.fsum((float(a) - float(b)) ** 2 for a, b in zip(query, photo, strict=True))


def slow_twin(
    queries: Any, gallery: Any, query_labels: Any, gallery_labels: Any, distance: Any, ks: tuple[int, ...] = KS
) -> list[dict[str, float]]:
    """Sort the gallery, ties against the query, and read the metrics off the sorted list."""
    out = []
    for query, label in zip(queries, query_labels, strict=True):
        scored = [
            (round(similarity(query, photo, distance), 5), bool(kind == label))
            for photo, kind in zip(gallery, gallery_labels, strict=True)
        ]
        scored.sort(key=lambda pair: (-pair[0], pair[1]))
        hits = [relevant for _, relevant in scored]
        total = sum(hits)
        found: dict[str, float] = {"rank": hits.index(True) + 1 if total else math.inf}
        running, precisions = 0, []
        for place, hit in enumerate(hits, 1):
            running += hit
            if hit:
                precisions.append((place, running / place))
        found["ap"] = sum(p for _, p in precisions) / total if total else 0.0
        for k in ks:
            inside = [p for place, p in precisions if place <= k]
            found[f"p@{k}"] = sum(hits[:k]) / k
            found[f"ap@{k}"] = sum(inside) / min(total, k) if total else 0.0
            found[f"found@{k}"] = sum(inside) / len(inside) if inside else 0.0
        out.append(found)
    return out


def fast(scores: QueryScores, ks: tuple[int, ...] = KS) -> list[dict[str, float]]:
    return [
        {
            "rank": scores.rank[i],
            "ap": scores.average_precision[i],
            **{f"p@{k}": scores.precision[k][i] for k in ks},
            **{f"ap@{k}": scores.average_precision_at[k][i] for k in ks},
            **{f"found@{k}": scores.average_precision_found[k][i] for k in ks},
        }
        for i in range(len(scores.rank))
    ]


def assert_same(a: list[dict[str, float]], b: list[dict[str, float]]) -> None:
    assert len(a) == len(b)
    for first, second in zip(a, b, strict=True):
        assert first == pytest.approx(second)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("blocks", [(256, 16_384), (3, 7), (1, 1)])
def test_scores_are_those_of_the_slow_twin(distance: Any, ties: bool, blocks: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    # Small whole numbers give many equal scores and, in floating point, exact ones.
    draw = (lambda n: rng.integers(-1, 2, (n, 3)).astype(np.float32)) if ties else (lambda n: rng.normal(size=(n, 8)))
    queries, gallery = draw(23), draw(40)
    query_labels = rng.integers(0, 6, 23)  # label 5 has no photo
    gallery_labels = rng.integers(0, 5, 40)
    scores = score_queries(
        queries,
        gallery,
        query_labels,
        gallery_labels,
        ks=KS,
        distance=distance,
        query_block=blocks[0],
        gallery_block=blocks[1],
    )
    duplicate = slow_twin(queries, gallery, query_labels, gallery_labels, distance)
    assert any(math.isinf(row["rank"]) for row in duplicate)
    assert_same(fast(scores), duplicate)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_exact_photo_scores_are_those_of_the_slow_twin(distance: Any) -> None:
    rng = np.random.default_rng(5)
    gallery = rng.normal(size=(30, 4))
    gallery[10:20] = gallery[:10]  # every one of these has a double
    params = rng.integers(0, 30, 50)
    queries = gallery[params] + rng.normal(size=(50, 4)) * 0.5
    scores = score_queries(queries, gallery, params, np.arange(30), ks=KS, distance=distance, gallery_block=8)
    assert_same(fast(scores), slow_twin(queries, gallery, params, np.arange(30), distance))


def test_a_double_of_the_right_photo_stands_before_it() -> None:
    gallery = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    scores = score_queries(np.array([[1.0, 0.0]]), gallery, [0], [0, 1, 2])
    assert scores.rank.tolist() == [2.0]


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_an_encoder_that_maps_everything_to_one_point_finds_nothing(distance: Any) -> None:
    point = np.random.default_rng(0).normal(size=256)
    point /= np.linalg.norm(point)
    noise = np.random.default_rng(1).normal(size=(500, 256)) * 1e-9
    scores = score_queries(point + noise[:20], point + noise, np.arange(20), np.arange(500), distance=distance)
    assert (scores.rank == 500).all()


def test_an_embedding_of_zeros_finds_nothing() -> None:
    scores = score_queries(np.zeros((1, 3)), np.eye(3), [0], [0, 1, 2])
    assert scores.rank.tolist() == [3.0]


def test_scores_that_differ_by_more_than_a_tie_are_told_apart() -> None:
    angle = math.sqrt(8 * TIE)  # cosines of 1 and 1 − 4 TIE
    gallery = np.array([[1.0, 0.0], [math.cos(angle), math.sin(angle)]], dtype=np.float32)
    scores = score_queries(np.array([[1.0, 0.0]]), gallery, [0], [0, 1])
    assert scores.rank.tolist() == [1.0]


def test_cut_offs_beyond_the_gallery_find_no_more_than_it_holds() -> None:
    scores = score_queries(np.eye(2), np.eye(2), [0, 7], [0, 1], ks=(100,))
    assert scores.precision[100].tolist() == [0.01, 0.0]
    assert scores.average_precision_at[100].tolist() == [1.0, 0.0]
    assert scores.rank.tolist() == [1.0, math.inf]
    assert (scores.rank <= 100).tolist() == [True, False]


def test_empty_queries_and_an_empty_gallery_are_no_error() -> None:
    nothing = np.zeros((0, 2))
    assert score_queries(nothing, np.eye(2), [], [0, 1], ks=(1,)).rank.shape == (0,)
    scores = score_queries(np.eye(2), nothing, [0, 1], [], ks=(1,))
    assert np.isinf(scores.rank).all()
    assert nearest(np.eye(2), nothing, 5).shape == (2, 0)


def test_a_gallery_on_disk_in_half_precision_is_read_in_blocks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    stored = np.memmap(tmp_path / "gallery", dtype=np.float16, mode="w+", shape=(1000, 16))
    stored[:] = rng.normal(size=(1000, 16))
    queries = np.asarray(stored[:50], dtype=np.float32)
    whole = score_queries(queries, np.asarray(stored), np.arange(50), np.arange(1000))
    parts = score_queries(queries, stored, np.arange(50), np.arange(1000), query_block=7, gallery_block=90)
    np.testing.assert_array_equal(whole.rank, parts.rank)


def test_memory_does_not_grow_with_the_gallery(tmp_path: Path) -> None:
    """A gallery on disk is never held whole, nor are its scores; all its photos relevant is the worst that can be."""

    def peak(size: int, labels: np.ndarray) -> int:
        stored = np.memmap(tmp_path / f"{size}", dtype=np.float16, mode="w+", shape=(size, 32))
        stored[:] = np.random.default_rng(0).normal(size=(size, 32))
        queries = np.random.default_rng(1).normal(size=(64, 32))
        tracemalloc.start()
        score_queries(queries, stored, np.arange(64), labels, ks=(10,), gallery_block=500)
        nearest(queries, stored, 10, gallery_block=500)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    small, large = peak(1_000, np.arange(1_000)), peak(24_000, np.arange(24_000))
    labels_and_their_order = 6 * 8 * 23_000  # the labels themselves are in memory: a few whole numbers a photo
    assert large < small + labels_and_their_order
    assert large < 64 * 24_000 * 4 / 2  # half of the full matrix of scores


def test_many_relevant_photos_are_ranked_a_few_queries_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    queries, gallery = rng.normal(size=(20, 4)), rng.normal(size=(50, 4))
    query_labels, gallery_labels = rng.integers(0, 2, 20), rng.integers(0, 2, 50)
    whole = score_queries(queries, gallery, query_labels, gallery_labels, ks=KS)
    held: list[int] = []
    ranks = metrics._Ranker.ranks
    monkeypatch.setattr(
        metrics._Ranker,
        "ranks",
        lambda self, q, n: held.append(len(q)) or ranks(self, q, n),  # type: ignore[func-returns-value]
    )
    monkeypatch.setattr(metrics, "RELEVANT", 70)
    parts = score_queries(queries, gallery, query_labels, gallery_labels, ks=KS)
    assert_same(fast(parts), fast(whole))
    assert max(held) * max(np.bincount(gallery_labels)) <= 70


@pytest.mark.parametrize("side", ["queries", "gallery"])
def test_embeddings_that_are_not_finite_are_refused(side: str) -> None:
    embeddings: dict[str, Any] = {"queries": np.eye(3), "gallery": np.eye(3)}
    embeddings[side][1, 1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        score_queries(**embeddings, query_labels=[0, 1, 2], gallery_labels=[0, 1, 2])


@pytest.mark.parametrize(
    "change",
    [{"queries": np.eye(3)}, {"query_labels": [0]}, {"gallery_labels": [0]}, {"ks": (0,)}, {"gallery": np.ones(2)}],
)
def test_shapes_and_cut_offs_are_checked(change: dict[str, Any]) -> None:
    arguments = {"queries": np.eye(2), "gallery": np.eye(2), "query_labels": [0, 1], "gallery_labels": [0, 1]}
    with pytest.raises(ValueError, match="must"):
        score_queries(**{**arguments, **change})


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_nearest_is_the_sorted_list_s_head(distance: Any) -> None:
    rng = np.random.default_rng(0)
    queries, gallery = rng.normal(size=(9, 5)), rng.normal(size=(33, 5))
    found = nearest(queries, gallery, 7, distance=distance, query_block=4, gallery_block=10)
    for query, line in zip(queries, found, strict=True):
        order = sorted(range(33), key=lambda i: -similarity(query, gallery[i], distance))
        assert line.tolist() == order[:7]
    assert nearest(queries, gallery, 100).shape == (9, 33)


def test_spread_gives_the_others_nothing() -> None:
    scores = score_queries(np.eye(2), np.eye(2), [0, 1], [0, 1], ks=(1,)).spread(np.array([0, 3]), 4)
    assert scores.rank.tolist() == [1.0, math.inf, math.inf, 1.0]
    assert scores.precision[1].tolist() == scores.average_precision.tolist() == [1.0, 0.0, 0.0, 1.0]
