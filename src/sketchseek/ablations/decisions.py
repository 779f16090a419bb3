"""From an estimate and its standard error to a verdict on a hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from sketchseek.evaluation.intervals import Interval

ALPHA = 0.05
POWER = 0.8
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Decision:
    """The test of one hypothesis among several.

    Attributes:
        difference: Estimated difference, better minus than.
        error: Its standard error.
        tolerance: How much worse the better side may be.
        margin: Differences within this are equivalent.
        p: Two-sided p-value of "the difference is −tolerance", adjusted for all hypotheses of the file.
    """

    difference: float
    error: float
    tolerance: float
    margin: float
    p: float

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the difference, for this hypothesis alone."""
        return normal_interval(self.difference, self.error, 1 - ALPHA)

    @property
    def equivalent(self) -> bool:
        """Whether two one-sided tests (TOST) at 5 % show a difference within the margin."""
        low, high = normal_interval(self.difference, self.error, 1 - 2 * ALPHA)
        return -self.margin < low and high < self.margin

    @property
    def detectable(self) -> float:
        """The minimum detectable effect."""
        return minimum_detectable_effect(self.error)

    @property
    def word(self) -> str:
        """``supported``, ``rejected``, ``equivalent`` or ``undecided``, in this order of precedence.

        The first two need an adjusted p-value below 5 %. A hypothesis of non-inferiority (with a tolerance) is never
        ``equivalent``: it is ``supported`` then.
        """
        if self.p < ALPHA:
            return "supported" if self.difference > -self.tolerance else "rejected"
        return "equivalent" if self.equivalent and not self.tolerance else "undecided"


def decide(estimates: Sequence[tuple[float, float, float]], margin: float, tests: int = 1) -> list[Decision]:
    """Test several hypotheses together.

    Args:
        estimates: Difference, standard error and tolerance of each hypothesis.
        margin: Differences within this are equivalent.
        tests: How often the hypotheses have been tested with other runs, this time included (Bonferroni).
    """
    adjusted = holm([tests * two_sided_p(difference + tolerance, error) for difference, error, tolerance in estimates])
    return [
        Decision(difference, error, tolerance, margin, p)
        for (difference, error, tolerance), p in zip(estimates, adjusted, strict=True)
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm 1979): the chance of any false rejection among all hypotheses stays below the level."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for place, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def two_sided_p(difference: float, error: float) -> float:
    """p-value of a normal test of "the difference is 0"."""
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    return 2 * _NORMAL.cdf(-abs(difference) / error)


def minimum_detectable_effect(error: float) -> float:
    """The true difference that a single two-sided test at 5 % finds with a chance of 80 %."""
    return error * (_NORMAL.inv_cdf(1 - ALPHA / 2) + _NORMAL.inv_cdf(POWER))


def normal_interval(difference: float, error: float, level: float) -> Interval:
    """Interval of a normal estimate."""
    half = error * _NORMAL.inv_cdf((1 + level) / 2)
    return Interval(difference - half, difference + half)
