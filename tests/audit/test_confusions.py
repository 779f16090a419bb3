from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sketchseek.audit.confusions import confusion_matrix, confusions, false_negatives
from sketchseek.audit.near_duplicates import NearDuplicates
from sketchseek.datasets.records import Photo


def test_confusions_are_shares_of_what_was_drawn() -> None:
    matrix = confusion_matrix(np.array([0, 0, 0, 1]), np.array([0, 1, 1, 2]), 3)
    assert matrix.tolist() == [[1, 2, 0], [0, 0, 1], [0, 0, 0]]
    found = confusions(matrix, ("cat", "dog", "fox"))
    assert [(c.category, c.taken_for, c.sketches, c.fraction) for c in found] == [
        ("dog", "fox", 1, 1.0),
        ("cat", "dog", 2, pytest.approx(2 / 3)),
    ]


def test_false_negatives_are_those_of_counting_pairs() -> None:
    photos = [Photo(Path("x.jpg"), c, str(i)) for i, c in enumerate("aaaabb")]
    duplicates = [
        NearDuplicates(0, 1, "near", 1.0, 0.0),
        NearDuplicates(1, 2, "same", 1.0, 1.0),
        NearDuplicates(3, 4, "near", 1.0, 0.0),
    ]
    found = {entry.category: entry for entry in false_negatives(photos, duplicates)}
    linked = {frozenset((t.first, t.second)) for t in duplicates}
    for category in "ab":
        members = [i for i, photo in enumerate(photos) if photo.category == category]
        inside = [frozenset((i, j)) in linked for i in members for j in members if i != j]
        everywhere = [frozenset((i, j)) in linked for i in members for j in range(6) if i != j]
        assert found[category].in_category == pytest.approx(np.mean(inside))
        assert found[category].in_gallery == pytest.approx(np.mean(everywhere))
    assert (found["a"].duplicate_pairs, found["b"].duplicate_pairs) == (2, 0)
