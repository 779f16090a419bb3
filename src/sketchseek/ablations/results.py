"""Results of an ablation: means over seeds, and differences between configurations with confidence intervals."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchseek.ablations.cross_validation import CrossValidation
from sketchseek.ablations.fold_tables import fold_sentence, fold_table, fold_verdict_table
from sketchseek.ablations.macro import LOG_RANK, metric_values
from sketchseek.ablations.table import Run, read_table
from sketchseek.evaluation.intervals import LEVEL, RESAMPLES, Interval
from sketchseek.evaluation.mirroring import OWN_OVER_MIRROR
from sketchseek.evaluation.tables import Table

METRICS = ("recall@1", "recall@5", "recall@10")
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """A metric over seeds.

    Attributes:
        values: One value for each seed.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean of the values."""
        return float(np.mean(self.values))

    @property
    def deviation(self) -> float:
        """Sample standard deviation (n − 1); 0 for a single value."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else 0.0

    def __str__(self) -> str:
        """Mean ± standard deviation, in percent."""
        return f"{100 * self.mean:.1f} ± {100 * self.deviation:.1f}"


@dataclass(frozen=True)
class Verdict:
    """The result of testing a hypothesis.

    Attributes:
        hypothesis: The hypothesis.
        metric: The metric that was compared.
        difference: Mean difference, better minus than, over all pairs and seeds.
        interval: Its 95 % confidence interval.
        runs: Number of runs on each side.
    """

    hypothesis: str
    metric: str
    difference: float
    interval: Interval
    runs: int

    @property
    def word(self) -> str:
        """``supported`` if the whole interval is above 0, ``not supported`` if it is below, else ``undecided``."""
        if self.interval.low > 0:
            return "supported"
        return "not supported" if self.interval.high < 0 else "undecided"


@dataclass(frozen=True)
class AblationResults:
    """The results of an ablation.

    Attributes:
        settings: The ablation's settings.
        final: Final runs by configuration, in the order of their seeds.
        tuning: Tuning runs by configuration.
    """

    settings: dict[str, Any]
    final: dict[str, list[Run]] = field(default_factory=dict)
    tuning: dict[str, list[Run]] = field(default_factory=dict)

    @property
    def configurations(self) -> list[str]:
        """Names of all configurations, in the order of the ablation file."""
        return list(self.settings["configurations"])

    @cached_property
    def cross_validation(self) -> CrossValidation | None:
        """The runs by fold; None for an ablation without folds."""
        return CrossValidation(self.settings, self.final) if self.settings.get("folds") else None

    @cached_property
    def tested(self) -> bool:
        """Whether any run was evaluated on the test split."""
        return any("test" in run for runs in self.final.values() for run in runs)

    @property
    def reported_split(self) -> str:
        """``test``, or ``validation`` if no run was evaluated on the test split."""
        return "test" if self.tested else "validation"

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Split and metric of each column of the tables."""
        if not self.tested:
            return [("validation", name) for name in METRICS]
        if self.cross_validation is not None:
            return [("test", name) for name in (*METRICS, LOG_RANK)]
        mirrored = any(
            OWN_OVER_MIRROR in run.get("test", {}).get("metrics", {}) for runs in self.final.values() for run in runs
        )
        extra = [("test", OWN_OVER_MIRROR)] if mirrored else []
        return [*(("test", name) for name in METRICS), *extra, ("validation", METRICS[0])]

    @property
    def expected(self) -> int:
        """Number of final runs of the complete ablation."""
        folds = len(self.cross_validation.folds) if self.cross_validation is not None else 1
        return len(self.configurations) * len(self.settings["seeds"]) * folds

    @property
    def finished(self) -> int:
        """Number of final runs that are done."""
        return sum(map(len, self.final.values()))

    def spread(self, configuration: str, metric: str, split: str = "test") -> Spread | None:
        """A metric of a configuration over its seeds, on the ``test`` or ``validation`` split; None without runs."""
        runs = self.final.get(configuration, [])
        values = [run["test"]["metrics"] if split == "test" else run["validation"] for run in runs if split in run]
        found = tuple(float(value[metric]) for value in values if metric in value)
        return Spread(found) if found else None

    def verdicts(self, metric: str = "") -> list[Verdict]:
        """The verdict on every hypothesis whose configurations are complete, by its own metric or by another one.

        Not for an ablation with folds, whose verdicts ``cross_validation`` gives.
        """
        out = []
        for hypothesis in self.settings.get("hypotheses", []):
            pairs = list(zip(hypothesis["better"], hypothesis["than"], strict=True))
            used = metric or hypothesis["metric"]
            found = self.difference(pairs, used)
            if found is not None:
                runs = len(pairs) * len(self.settings["seeds"])
                out.append(Verdict(hypothesis["hypothesis"], used, *found, runs))
        return out

    def difference(self, pairs: list[tuple[str, str]], metric: str) -> tuple[float, Interval] | None:
        """Mean difference of a metric between configurations, paired by seed and query, with its bootstrap interval.

        Each resample draws seeds and, as in ``bootstrap_interval``, photos with all their sketches. The interval covers
        the uncertainty of both.

        Args:
            pairs: Pairs of configurations; the second is subtracted from the first.
            metric: ``recall@k`` or ``log-rank``.

        Returns:
            The difference and its 95 % interval; None if a run is missing or has no test results.
        """
        seeds = self.settings["seeds"]
        by_seed: list[Floats] = []
        clusters: npt.NDArray[np.int64] | None = None
        for seed in seeds:
            rows = []
            for better, than in pairs:
                runs = [next((r for r in self.final.get(v, []) if r["seed"] == seed), None) for v in (better, than)]
                if any(run is None or "test" not in run for run in runs):
                    return None
                first, second = (_values(run, metric) for run in runs if run is not None)
                clusters = np.array(runs[0]["test"]["clusters"].split(), dtype=np.int64) if runs[0] else clusters
                rows.append(first - second)
            by_seed.append(np.mean(rows, axis=0))
        assert clusters is not None
        sums = np.stack([np.bincount(clusters, weights=row) for row in by_seed])  # (seeds, photos)
        sizes = np.bincount(clusters).astype(np.float64)
        random = np.random.default_rng(0)
        drawn = np.empty(RESAMPLES)
        for i in range(RESAMPLES):
            photos = random.integers(0, len(sizes), len(sizes))
            chosen = random.integers(0, len(seeds), len(seeds))
            drawn[i] = sums[chosen][:, photos].sum() / (len(seeds) * sizes[photos].sum())
        low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(sums.sum() / (len(seeds) * sizes.sum())), Interval(float(low), float(high))


def load_results(path: Path) -> AblationResults:
    """Read an ablation's table; superseded runs, and runs of other configurations or seeds, are left out.

    Raises:
        DatasetError: There is no table, or it is damaged.
    """
    table = read_table(path)
    results = AblationResults(table.settings)
    order = {seed: i for i, seed in enumerate(results.settings["seeds"])}
    for run in table.runs:
        if run.get("superseded") or run["configuration"] not in results.configurations:
            continue
        if run["purpose"] == "tuning":
            results.tuning.setdefault(run["configuration"], []).append(run)
        elif run["seed"] in order:
            results.final.setdefault(run["configuration"], []).append(run)
    for runs in results.final.values():
        runs.sort(key=lambda run: (order[run["seed"]], run.get("fold", 0)))
    return results


def markdown(ablation: AblationResults, *, level: int = 1, hypotheses: bool = True) -> str:
    """An ablation's results as Markdown, below a heading of this level, with or without its hypotheses."""
    settings = ablation.settings
    text = [f"{'#' * level} {settings['title'] or settings['name']}", ""]
    if settings["text"]:
        text += [settings["text"].strip(), ""]
    if ablation.cross_validation is not None:
        text += [fold_sentence(ablation.cross_validation), "", fold_table(ablation.cross_validation).markdown()]
        if hypotheses:
            text += [fold_verdict_table(ablation.cross_validation).markdown()]
        return "\n".join(text)
    text += [f"{sentence(ablation)}", "", results_table(ablation).markdown()]
    grid = _grid(ablation)
    if grid:
        text += [f"recall@1 on the {ablation.reported_split} split, rows by columns:", "", *grid, ""]
    verdicts = ablation.verdicts() if hypotheses else []
    if verdicts:
        text += ["| hypothesis | difference | verdict |", "| --- | --- | --- |"]
        text += [f"| {v.hypothesis} | {shown_difference(v)} | **{v.word}** |" for v in verdicts]
        text.append("")
    return "\n".join(text)


def sentence(ablation: AblationResults) -> str:
    """A summary of what was run and what is still missing."""
    settings = ablation.settings
    text = f"{len(ablation.configurations)} configurations, {len(settings['seeds'])} seeds each; "
    text += "mean ± standard deviation over seeds, in percent. "
    tests = [run["test"] for runs in ablation.final.values() for run in runs if "test" in run]
    if tests:
        text += f"Test: {tests[0]['queries']:,} queries, {tests[0]['gallery']:,} photos in the gallery "
        text += f"(split {tests[0]['split']}), once for each run. "
    if settings.get("tune"):
        grid = settings["tune"]["grid"]
        tried = 1
        for values in grid.values():
            tried *= len(values)
        text += f"Settings of each configuration are the best of {tried} by validation recall. "
    if ablation.finished < ablation.expected:
        text += f"**Not complete: {ablation.finished} of {ablation.expected} runs.** "
    return text.strip()


def shown_difference(verdict: Verdict) -> str:
    """The difference with its interval, in percentage points."""
    low, high = (100 * end for end in verdict.interval)
    return f"{verdict.metric} {100 * verdict.difference:+.1f} ({low:+.1f} to {high:+.1f})"


def shown_choice(run: Run) -> str:
    """The tuned settings of a run, in short."""
    return ", ".join(f"{path.split('.')[-1]} {value}" for path, value in run["choice"].items())


def results_table(ablation: AblationResults) -> Table:
    """The metrics of each configuration: mean ± standard deviation over seeds, in percent."""
    tuned = any(run["choice"] for runs in ablation.final.values() for run in runs)
    head = ["configuration", *(["chosen"] if tuned else []), "runs"]
    head += [" ".join(column) for column in ablation.columns]
    rows = []
    for configuration in ablation.configurations:
        runs = ablation.final.get(configuration, [])
        row = [configuration, *([shown_choice(runs[0]) if runs else "–"] if tuned else []), str(len(runs))]
        row += [str(ablation.spread(configuration, metric, split) or "–") for split, metric in ablation.columns]
        rows.append(tuple(row))
    return Table(tuple(head), tuple(rows))


def axes(ablation: AblationResults) -> tuple[list[str], list[str]] | None:
    """Names of rows and columns of an ablation that crosses two factors; None for other ablations."""
    names = [list(axis) for axis in ablation.settings.get("cross", [])]
    return (names[0], names[1]) if len(names) == 2 else None


def _grid(ablation: AblationResults) -> list[str]:
    found = axes(ablation)
    if found is None:
        return []
    rows, columns = found
    lines = ["| | " + " | ".join(columns) + " |", "| --- " * (len(columns) + 1) + "|"]
    for row in rows:
        cells = [
            str(ablation.spread(f"{row} × {column}", "recall@1", ablation.reported_split) or "–") for column in columns
        ]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return lines


def _values(run: Run, metric: str) -> Floats:
    return metric_values(run["test"]["ranks"].split(), run["test"]["gallery"], metric)
