from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sketchseek.audit import ranking
from sketchseek.audit.ranking import FIRST, rank


def slow(query: Any, photos: Any, own: Any, category: Any, categories: Any, distance: str) -> Any:
    """From the definitions, for one sketch."""
    raw = [float(query @ p) if distance == "cosine" else -float(((query - p) ** 2).sum()) for p in photos]
    z = (np.array(raw) - np.mean(raw)) / np.std(raw)
    best = {c: max(z[i] for i in range(len(photos)) if categories[i] == c) for c in set(categories)}
    rivals = {c: b for c, b in best.items() if c != category}
    rival = max(rivals, key=lambda c: rivals[c])
    others = sorted((i for i in range(len(photos)) if i != own), key=lambda i: -z[i])[:FIRST]
    return {
        "rank": sum(score >= z[own] for score in z) if own >= 0 else 0,
        "own": z[own] if own >= 0 else np.nan,
        "first": others,
        "scores": [z[i] for i in others],
        "category_margin": rivals[rival] - best.get(category, -np.inf),
        "rival": rival,
        "category_best": best.get(category, np.nan),
        "category_mean": np.mean([z[i] for i in range(len(photos)) if categories[i] == category] or [np.nan]),
    }


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("held", [1, 60, 10_000])
def test_rankings_are_those_of_the_slow_twin(monkeypatch: pytest.MonkeyPatch, distance: Any, held: int) -> None:
    rng = np.random.default_rng(0)
    sketches, photos = rng.normal(size=(17, 5)).astype(np.float32), rng.normal(size=(30, 5)).astype(np.float32)
    own = rng.integers(-1, 30, 17)
    sketch_category, photo_category = rng.integers(0, 5, 17), rng.integers(0, 4, 30)  # nobody photographed 4
    monkeypatch.setattr(ranking, "HELD", held)
    found = rank(sketches, photos, own, sketch_category, photo_category, distance=distance)
    for i in range(17):
        duplicate = slow(sketches[i], photos, own[i], sketch_category[i], photo_category.tolist(), distance)
        for name, value in duplicate.items():
            np.testing.assert_allclose(getattr(found, name)[i], value, rtol=1e-3, atol=1e-4, err_msg=name)


def test_one_category_has_no_rival_and_one_photo_no_other() -> None:
    photos, zeros = np.eye(3, dtype=np.float32), np.zeros(3, dtype=np.int64)
    found = rank(photos, photos, np.arange(3), zeros, zeros)
    assert np.isneginf(found.category_margin).all()
    assert found.rank.tolist() == [1, 1, 1]
    alone = rank(photos[:1], photos[:1], zeros[:1], zeros[:1], zeros[:1])
    assert alone.first.shape == (1, 0)
    assert alone.rank.tolist() == [1]
