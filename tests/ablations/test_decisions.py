from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from sketchseek.ablations.decisions import Decision, decide, holm, minimum_detectable_effect, two_sided_p


def slow_holm(p_values: list[float]) -> list[float]:
    """By closed testing: a hypothesis is rejected if every set that contains it is, by Bonferroni's test."""
    everything = range(len(p_values))
    sets = [one for size in range(1, len(p_values) + 1) for one in itertools.combinations(everything, size)]
    return [max(min(1.0, len(one) * min(p_values[i] for i in one)) for one in sets if i in one) for i in everything]


@pytest.mark.parametrize("seed", range(20))
def test_holm_is_closed_testing_with_bonferroni(seed: int) -> None:
    p_values = (np.random.default_rng(seed).random(6) ** 3).tolist()
    assert holm(p_values) == pytest.approx(slow_holm(p_values))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def phi(z: float) -> float:
    return (1 + math.erf(z / math.sqrt(2))) / 2


@pytest.mark.parametrize("difference", [-0.02, -0.006, 0.0, 0.004, 0.009])
@pytest.mark.parametrize("error", [0.001, 0.003, 0.007])
def test_equivalence_is_two_one_sided_tests(difference: float, error: float) -> None:
    above = 1 - phi((difference + 0.01) / error)  # of "the difference is −1 point"
    below = phi((difference - 0.01) / error)  # of "the difference is +1 point"
    decision = Decision(difference, error, 0.0, 0.01, 1.0)
    assert decision.equivalent == (max(above, below) < 0.05)
    assert two_sided_p(difference, error) == pytest.approx(2 * (1 - phi(abs(difference) / error)))
    assert decision.interval == pytest.approx((difference - 1.959964 * error, difference + 1.959964 * error))


def test_the_detectable_effect_is_found_four_times_of_five() -> None:
    effect = minimum_detectable_effect(0.004)
    found = np.random.default_rng(0).normal(effect, 0.004, 40_000)
    share = np.mean([two_sided_p(difference, 0.004) < 0.05 for difference in found])
    assert share == pytest.approx(0.8, abs=0.01)


def test_verdicts() -> None:
    estimates = [(0.03, 0.005, 0.0), (-0.03, 0.005, 0.0), (0.002, 0.003, 0.0), (0.012, 0.008, 0.0), (0.0, 0.02, 0.0)]
    words = [decision.word for decision in decide(estimates, 0.01)]
    assert words == ["supported", "rejected", "equivalent", "undecided", "undecided"]
    assert decide([(0.012, 0.005, 0.0)], 0.01)[0].word == "supported"
    assert decide([(0.012, 0.005, 0.0)] * 5, 0.01)[0].word == "undecided"  # p 0.016, five times
    assert decide([(0.012, 0.005, 0.0)], 0.01, tests=3)[0].word == "supported"
    assert decide([(0.012, 0.005, 0.0)], 0.01, tests=4)[0].word == "undecided"


def test_a_tolerance_makes_a_test_for_non_inferiority() -> None:
    words = [decide([(difference, 0.005, 0.02)], 0.01)[0].word for difference in (-0.005, -0.05, -0.018)]
    assert words == ["supported", "rejected", "undecided"]


def test_without_any_error_a_difference_is_certain() -> None:
    assert (two_sided_p(0.1, 0.0), two_sided_p(0.0, 0.0)) == (0.0, 1.0)
