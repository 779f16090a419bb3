"""The area under the ROC curve against a loop over all pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.evaluation.roc import roc_area


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=40))
def test_it_is_the_share_of_pairs_in_the_right_order(pairs: list[tuple[int, bool]]) -> None:
    positives = [value for value, positive in pairs if positive]
    negatives = [value for value, positive in pairs if not positive]
    found = roc_area([value for value, _ in pairs], [positive for _, positive in pairs])
    if not positives or not negatives:
        assert math.isnan(found)
        return
    won = sum((p > n) + 0.5 * (p == n) for p in positives for n in negatives)
    assert found == pytest.approx(won / (len(positives) * len(negatives)))


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="two arrays of one length"):
        roc_area([1.0, 2.0], [True])
    with pytest.raises(ValueError, match="two arrays of one length"):
        roc_area(np.zeros((2, 2)), np.zeros((2, 2), bool))
