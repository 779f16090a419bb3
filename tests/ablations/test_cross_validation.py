from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sketchseek.ablations.cross_validation import CrossValidation, between_trainings
from sketchseek.ablations.fold_tables import fold_sentence, fold_table, fold_verdict_table, shown_p
from sketchseek.ablations.macro import macro_mean

FOLDS, CATEGORIES, PHOTOS, SKETCHES = 5, 20, 2, 3
"""Each fold has 2 photos of each of 20 categories, with 3 sketches each."""


def settings(*hypotheses: dict[str, Any], seeds: tuple[int, ...] = (0,), runs: int = 0) -> dict[str, Any]:
    return {
        "name": "s",
        "title": "",
        "text": "",
        "configurations": ["a", "b", "c", "d"],
        "seeds": list(seeds),
        "folds": {"count": FOLDS, "runs": runs, "seed": 0, "margin": 0.01, "stopping": "10 steps."},
        "hypotheses": [{"metric": "recall@1", "tolerance": 0.0, "total": False} | one for one in hypotheses],
    }


def run(hits: np.ndarray, seed: int, fold: int) -> dict[str, Any]:
    """A run whose queries are found (rank 1) or not (rank 100)."""
    return {
        "seed": seed,
        "fold": fold,
        "choice": {"learning_rate": 0.1},
        "cpu_seconds": 30.0,
        "test": {
            "queries": len(hits),
            "gallery": 200,
            "ranks": " ".join("1" if hit else "100" for hit in hits),
            "sketches_of": " ".join([str(SKETCHES)] * CATEGORIES * PHOTOS),
            "photos_of": " ".join([str(PHOTOS)] * CATEGORIES),
            "categories": [f"c{i}" for i in range(CATEGORIES)],
            "norms": {"sketch": [1.0, 0.0], "photo": [2.0, 0.1]},
            "active": 0.25,
        },
    }


def draw(rate: float, noise: float, random: np.random.Generator) -> np.ndarray:
    chance = np.clip(rate + noise * random.normal(size=CATEGORIES * PHOTOS), 0, 1)
    return random.random(CATEGORIES * PHOTOS * SKETCHES) < np.repeat(chance, SKETCHES)


def final(
    rates: dict[str, float], seeds: tuple[int, ...] = (0,), folds: int = FOLDS
) -> dict[str, list[dict[str, Any]]]:
    random = np.random.default_rng(0)
    return {
        name: [run(draw(rate, 0.1, random), seed, fold) for seed in seeds for fold in range(folds)]
        for name, rate in rates.items()
    }


def hits_of(runs: list[dict[str, Any]]) -> np.ndarray:
    return np.concatenate([np.array(one["test"]["ranks"].split()) == "1" for one in runs]).astype(float)


def test_a_difference_is_paired_and_averaged_over_categories() -> None:
    found = final({"a": 0.3, "b": 0.5, "c": 0.3, "d": 0.3})
    result = CrossValidation(settings(), found)
    categories = np.tile(np.repeat(np.arange(CATEGORIES), PHOTOS * SKETCHES), FOLDS)
    expected = macro_mean(hits_of(found["b"]) - hits_of(found["a"]), categories)
    difference, error = result.difference([("b", "a")], "recall@1")
    assert difference == pytest.approx(expected)
    assert 0.01 < error < 0.06
    both = result.difference([("b", "a"), ("c", "d")], "recall@1")[0]
    total = result.difference([("b", "a"), ("c", "d")], "recall@1", total=True)[0]
    assert total == pytest.approx(2 * both)
    assert result.mean("b", "recall@1")[0] == pytest.approx(macro_mean(hits_of(found["b"]), categories))  # type: ignore[index]
    assert result.difference([("a", "a")], "log-rank") == (0.0, 0.0)


def test_some_categories_can_be_counted_alone() -> None:
    found = final({"a": 0.3, "b": 0.5})
    result = CrossValidation(settings(), found)
    of_two = np.tile(np.repeat(np.arange(CATEGORIES), PHOTOS * SKETCHES), FOLDS)
    counted = np.isin(of_two, (3, 7))
    difference, error = result.difference([("b", "a")], "recall@1", categories=["c3", "c7"])
    assert difference == pytest.approx(
        macro_mean((hits_of(found["b"]) - hits_of(found["a"]))[counted], of_two[counted])
    )
    assert error > result.difference([("b", "a")], "recall@1")[1]


def test_seeds_are_averaged() -> None:
    found = final({"a": 0.3, "b": 0.5}, seeds=(0, 7))
    by_seed = [
        CrossValidation(settings(seeds=(seed,)), found).difference([("b", "a")], "recall@1")[0] for seed in (0, 7)
    ]
    both = CrossValidation(settings(seeds=(0, 7)), found).difference([("b", "a")], "recall@1")[0]
    assert both == pytest.approx(np.mean(by_seed))


def test_the_error_covers_photos_and_trainings() -> None:
    """Many experiments, in which every training adds its own part to a fold's difference."""
    random = np.random.default_rng(1)
    estimates, errors = [], []
    for _ in range(80):
        runs: dict[str, list[dict[str, Any]]] = {"a": [], "b": []}
        for fold in range(FOLDS):
            for name in runs:
                runs[name].append(run(draw(0.4 + 0.1 * random.normal(), 0.1, random), 0, fold))
        difference, error = CrossValidation(settings(), runs).difference([("b", "a")], "recall@1")
        estimates.append(difference)
        errors.append(error)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(estimates), rel=0.2)


def test_the_part_of_trainings_is_what_photos_do_not_explain() -> None:
    assert between_trainings([0.0, 0.2, 0.1], [0.004, 0.002, 0.003]) == pytest.approx(0.01 - 0.003)
    assert between_trainings([0.0, 0.01], [0.5, 0.5]) == 0.0
    assert between_trainings([0.3], [0.1]) == 0.0


def test_verdicts_and_tables() -> None:
    better = {"hypothesis": "b beats a", "better": ["b"], "than": ["a"]}
    missing = {"hypothesis": "d beats a", "better": ["d"], "than": ["a"]}
    found = final({"a": 0.1, "b": 0.9, "c": 0.1})
    result = CrossValidation(settings(better, missing), found)
    (verdict,) = result.verdicts
    alone = CrossValidation(settings(better), found).verdicts[0]
    assert verdict.decision.word == "supported"
    assert verdict.decision.p == pytest.approx(min(1, 2 * alone.decision.p))  # what has not run counts, too
    assert set(verdict.by_metric) == {"log-rank", "recall@1", "recall@10"}
    assert (result.core_minutes(), verdict.core_minutes) == (7.5, 5.0)
    assert "**Not complete: 15 of 20 runs.**" in fold_sentence(result)
    assert "600 sketches" in fold_sentence(result)
    rows = {row[0]: row for row in fold_table(result).rows}
    assert rows["d"][2:5] == ("0", "–", "–")
    assert rows["a"][1] == "learning_rate 0.1"
    assert rows["a"][-3:] == ("1.00, 2.00", "0 %, 10 %", "25 %")
    (row,) = fold_verdict_table(result).rows
    assert row[0] == "b beats a"
    assert "**supported**" in row


def test_p_values_are_never_shown_as_0() -> None:
    assert [shown_p(p) for p in (0.0, 1e-30, 0.0123456, 1.0)] == ["< 1e-10", "< 1e-10", "0.012", "1"]


def test_fewer_folds_may_be_run() -> None:
    hypothesis = {"hypothesis": "b beats a", "better": ["b"], "than": ["a"]}
    found = final({"a": 0.1, "b": 0.9}, folds=3)
    assert CrossValidation(settings(hypothesis), found).verdicts == []
    assert len(CrossValidation(settings(hypothesis, runs=3), found).verdicts) == 1
