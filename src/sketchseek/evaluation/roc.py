"""Area under the ROC curve: how well one number tells two groups of queries apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def roc_area(values: npt.ArrayLike, positive: npt.ArrayLike) -> float:
    """Probability that a random positive has a larger value than a random negative; ties count half.

    Args:
        values: (n,) numbers.
        positive: (n,) booleans.

    Returns:
        0.5 if the values say nothing; NaN if there are no positives or no negatives.

    Raises:
        ValueError: The shapes differ.
    """
    numbers, is_positive = np.asarray(values, dtype=np.float64), np.asarray(positive, dtype=bool)
    if numbers.ndim != 1 or numbers.shape != is_positive.shape:
        raise ValueError(f"values {numbers.shape} and positive {is_positive.shape} must be two arrays of one length")
    negatives = np.sort(numbers[~is_positive])
    found = numbers[is_positive]
    if not len(found) or not len(negatives):
        return float("nan")
    below = np.searchsorted(negatives, found, side="left")
    up_to = np.searchsorted(negatives, found, side="right")
    return float((below + up_to).mean() / (2 * len(negatives)))
