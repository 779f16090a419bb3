from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.search.fusion import K, Ranking, credit, fuse, ranks_of


def slow_fuse(rankings: list[Ranking]) -> dict[int, float]:
    """The formula, photo by photo."""
    scores: dict[int, float] = {}
    total = sum(ranking.weight for ranking in rankings)
    for ranking in rankings:
        for photo, rank in zip(ranking.ids.tolist(), ranking.ranks.tolist(), strict=True):
            scores[photo] = scores.get(photo, 0.0) + ranking.weight / total * (K + 1) / (K + rank)
    return scores


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(st.lists(st.integers(1, 30), unique=True, max_size=20), st.floats(0.1, 5)), min_size=1, max_size=3
    )
)
def test_fusion_is_that_of_a_slow_loop(lists: list[tuple[list[int], float]]) -> None:
    rankings = [Ranking(np.array(ids, np.int64), np.arange(1.0, len(ids) + 1), weight) for ids, weight in lists]
    ids, parts = fuse(rankings)
    expected = slow_fuse(rankings)
    assert set(ids.tolist()) == set(expected)
    assert parts.shape == (len(expected), len(rankings))
    scores = parts.sum(axis=1)
    np.testing.assert_allclose(scores, [expected[photo] for photo in ids.tolist()])
    assert (np.diff(scores) <= 1e-12).all()


def test_the_first_of_every_ranking_scores_1() -> None:
    ids = np.array([7, 3])
    found, parts = fuse([Ranking(ids, np.array([1.0, 2.0]), 3.0), Ranking(ids, np.array([1.0, 2.0]), 1.0)])
    assert found.tolist() == [7, 3]
    np.testing.assert_allclose(parts[0], [0.75, 0.25])


def test_equal_scores_share_a_rank() -> None:
    assert ranks_of(np.array([9.0, 5.0, 5.0, 5.0, 1.0])).tolist() == [1, 2, 2, 2, 5]
    assert ranks_of(np.zeros(0)).tolist() == []
    np.testing.assert_allclose(credit(np.array([1.0, K + 2.0])), [1.0, 0.5])
