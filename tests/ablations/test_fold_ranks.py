from __future__ import annotations

import numpy as np
import pytest

from sketchseek.ablations.fold_ranks import _run_lengths, _triplet_facts, ranks_of_own


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_ranks_leave_out_the_own_photo_in_another_rendition(distance: str) -> None:
    random = np.random.default_rng(0)
    queries, gallery = random.normal(size=(30, 4)).astype(np.float32), random.normal(size=(12, 4)).astype(np.float32)
    gallery[3] = gallery[2]  # another photo that looks the same ranks before the own one
    names = np.array([f"p{i}" for i in range(10)] + ["p0", "p1"])
    own = random.integers(0, 12, 30)
    expected = []
    for query, place in zip(queries, own, strict=True):
        if distance == "cosine":
            far = [1 - query @ row / np.linalg.norm(query) / np.linalg.norm(row) for row in gallery]
        else:
            far = [np.linalg.norm(query - row) for row in gallery]
        others = [i for i in range(12) if names[i] != names[place]]
        expected.append(1 + sum(far[i] <= far[place] + 1e-7 for i in others))
    assert ranks_of_own(queries, gallery, own, names, distance).tolist() == expected  # type: ignore[arg-type]


def test_lengths_and_the_share_of_active_triplets() -> None:
    queries = np.array([[3.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    gallery = np.array([[3.0, 0.0], [0.0, 2.0], [0.0, 4.0]], dtype=np.float32)
    own, names = np.array([0, 1]), np.array(["a", "b", "c"])
    facts = _triplet_facts(queries, gallery, own, names, "euclidean", 3.5)
    assert facts["norms"] == {"sketch": [2.0, 0.5], "photo": [3.0, round(np.sqrt(2 / 3) / 3, 4)]}
    # Distances of the first sketch: 0, 3.61, 5; of the second: 3.16, 1, 3. Only the first has no violation.
    places = np.random.default_rng(0).integers(0, 3, (2, 50))
    active = [2 if place != 1 else 0 for place in places[1]].count(2)
    counted = int((places[0] != 0).sum() + (places[1] != 1).sum())
    assert facts["active"] == pytest.approx(active / counted, abs=1e-4)
    assert "active" not in _triplet_facts(queries, gallery, own, names, "euclidean", None)


def test_run_lengths() -> None:
    assert _run_lengths(np.array([4, 4, 1, 4, 4, 4])) == [2, 1, 3]
