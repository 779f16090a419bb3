from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketchseek.ablations.macro import LOG_RANK
from sketchseek.ablations.plots import plot_courses, plot_grid, plot_spread
from sketchseek.ablations.results import METRICS, Spread, load_results, markdown
from sketchseek.ablations.table import AblationTable
from sketchseek.errors import DatasetError

SETTINGS: dict[str, Any] = {
    "name": "s",
    "title": "An ablation",
    "text": "Of nothing.",
    "configurations": ["a", "b"],
    "seeds": [3, 4],
    "hypotheses": [{"hypothesis": "b beats a", "better": ["b"], "than": ["a"], "metric": "recall@1"}],
}


def run(configuration: str, seed: int, ranks: list[int], clusters: list[int] | None = None) -> dict[str, Any]:
    metrics = {f"recall@{k}": float(np.mean([rank <= k for rank in ranks])) for k in (1, 5, 10)}
    return {
        "configuration": configuration,
        "purpose": "final",
        "seed": seed,
        "choice": {},
        "fingerprint": f"{configuration}-{seed}",
        "validation": dict.fromkeys(METRICS, 0.5),
        "history": [{"step": 1.0, "recall@1": 0.25}, {"step": 2.0, "recall@1": 0.5}],
        "test": {
            "queries": len(ranks),
            "gallery": 20,
            "split": "split",
            "metrics": metrics,
            "ranks": " ".join(map(str, ranks)),
            "clusters": " ".join(map(str, clusters or range(len(ranks)))),
        },
    }


def store(folder: Path, runs: list[dict[str, Any]], settings: dict[str, Any] | None = None) -> Path:
    table = AblationTable(folder.with_suffix(".jsonl"), SETTINGS | (settings or {}), runs)
    table.write()
    return table.path


def test_a_spread_is_of_seeds() -> None:
    assert str(Spread((0.1, 0.3))) == "20.0 ± 14.1"
    assert str(Spread((0.1,))) == "10.0 ± 0.0"


def test_differences_pair_seeds_and_queries(tmp_path: Path) -> None:
    """b finds one query more than a with seed 3, and one less with seed 4."""
    runs = [run("a", 3, [1, 9, 9, 9]), run("b", 3, [1, 1, 9, 9]), run("a", 4, [1, 1, 9, 9]), run("b", 4, [1, 9, 9, 9])]
    difference, interval = load_results(store(tmp_path / "s", runs)).difference([("b", "a")], "recall@1") or (9, None)
    assert difference == 0
    assert interval is not None
    assert interval.low < 0 < interval.high


@pytest.mark.slow
def test_an_interval_covers_the_truth_about_as_often_as_it_says(tmp_path: Path) -> None:
    """Photos have several sketches each, and a configuration's effect on them is shared: the true difference is 0.1."""
    random = np.random.default_rng(0)
    covered = 0
    for trial in range(20):
        clusters = np.repeat(np.arange(60), 4).tolist()
        runs = []
        by_photo = np.repeat(random.random(60), 4)
        for seed in (3, 4):
            found_a = by_photo < 0.4
            found_b = (by_photo < 0.4) | (np.repeat(random.random(60), 4) < 1 / 6)
            runs += [run("a", seed, np.where(found_a, 1, 9).tolist(), clusters)]
            runs += [run("b", seed, np.where(found_b, 1, 9).tolist(), clusters)]
        _, interval = load_results(store(tmp_path / f"s{trial}", runs)).difference([("b", "a")], "recall@1") or (
            0,
            None,
        )
        assert interval is not None
        covered += interval.low <= 0.1 <= interval.high
    assert covered >= 17


@pytest.mark.parametrize(
    ("ranks", "word"), [([1] * 30, "supported"), ([9] * 30, "undecided"), ([9] * 15 + [1] * 15, "supported")]
)
def test_verdicts(tmp_path: Path, ranks: list[int], word: str) -> None:
    runs = [run(v, seed, ranks if v == "b" else [9] * 30) for v in "ab" for seed in (3, 4)]
    ablation = load_results(store(tmp_path / "s", runs))
    assert [verdict.word for verdict in ablation.verdicts()] == [word]
    swapped = SETTINGS | {"hypotheses": [{"hypothesis": "c", "better": ["a"], "than": ["b"], "metric": "recall@1"}]}
    opposite = "not supported" if word == "supported" else "undecided"
    assert [verdict.word for verdict in load_results(store(tmp_path / "s", runs, swapped)).verdicts()] == [opposite]


def test_log_rank_tells_apart_what_recall_does_not(tmp_path: Path) -> None:
    """The gallery has 20 photos; a photo that was not found has rank 21, which counts 0."""
    runs = [run(name, seed, ranks) for name, ranks in (("a", [9, 21] * 15), ("b", [3, 21] * 15)) for seed in (3, 4)]
    ablation = load_results(store(tmp_path / "s", runs))
    assert [verdict.word for verdict in ablation.verdicts()] == ["undecided"]
    (verdict,) = ablation.verdicts(LOG_RANK)
    assert verdict.metric == LOG_RANK
    assert verdict.word == "supported"
    assert verdict.difference == pytest.approx((np.log(9) - np.log(3)) / np.log(21) / 2)
    same = ablation.difference([("a", "a")], LOG_RANK)
    assert same is not None
    assert same[0] == 0


def test_a_missing_run_leaves_a_hypothesis_open_and_is_reported(tmp_path: Path) -> None:
    ablation = load_results(store(tmp_path / "s", [run("a", 3, [1, 1]), run("b", 3, [1, 2]), run("a", 4, [1, 1])]))
    assert ablation.verdicts() == []
    assert "3 of 4 runs" in markdown(ablation)


def test_markdown_has_every_configuration_and_a_map_of_what_is_crossed(tmp_path: Path) -> None:
    settings = {"configurations": ["a × x", "a × y"], "cross": [{"a": {}}, {"x": {}, "y": {}}], "hypotheses": []}
    runs = [run("a × x", 3, [1, 9]), run("a × x", 4, [1, 1])]
    ablation = load_results(store(tmp_path / "s", runs, settings))
    text = markdown(ablation, level=2)
    assert text.startswith("## An ablation\n")
    assert "| a × x | 2 | 75.0 ± 35.4 |" in text
    assert "| a | 75.0 ± 35.4 | – |" in text
    for plot in (plot_spread(ablation), plot_courses(ablation), plot_grid(ablation)):
        assert plot.startswith("<figure")
        assert "<script" not in plot
    assert plot_grid(load_results(store(tmp_path / "t", [run("a", 3, [1])]))) == ""


def test_runs_of_other_configurations_and_seeds_are_left_out(tmp_path: Path) -> None:
    runs = [run("a", 3, [1]), run("gone", 3, [1]), run("a", 99, [1])]
    assert load_results(store(tmp_path / "s", runs)).finished == 1


def test_superseded_runs_are_left_out(tmp_path: Path) -> None:
    runs = [run("a", 3, [1]) | {"superseded": True}, run("a", 3, [9])]
    spread = load_results(store(tmp_path / "s", runs)).spread("a", "recall@1")
    assert spread == Spread((0.0,))


@pytest.mark.parametrize("text", [None, "{", "[1", '{"schema": "sketchseek.ablation", "version": 1}'])
def test_missing_and_damaged_stores_are_named(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "ablation.jsonl"
    if text is not None:
        file.write_text(text)
    with pytest.raises(DatasetError, match=r"ablation\.jsonl"):
        load_results(file)
