"""What a ablation's stored runs say: means and spreads over seeds, and differences between configurations with intervals."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchseek.errors import DatasetError
from sketchseek.evaluation.intervals import LEVEL, RESAMPLES, Interval

FIGURES = ("recall@1", "recall@5", "recall@10")
PREFERENCE = "own_over_mirror"
Floats = npt.NDArray[np.float64]
Run = dict[str, Any]


@dataclass(frozen=True)
class Spread:
    """A figure over seeds.

    Attributes:
        values: One a seed.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Their mean."""
        return float(np.mean(self.values))

    @property
    def deviation(self) -> float:
        """Their standard deviation (n − 1); 0 of one value."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else 0.0

    def __str__(self) -> str:
        """In per cent: mean ± standard deviation."""
        return f"{100 * self.mean:.1f} ± {100 * self.deviation:.1f}"


@dataclass(frozen=True)
class Verdict:
    """What the runs say of a hypothesis.

    Attributes:
        hypothesis: The hypothesis.
        figure: What was compared.
        difference: Of the figure, better minus than, over all pairs and seeds.
        interval: Its 95 % interval.
        runs: How many runs there are on each side.
    """

    hypothesis: str
    metric: str
    difference: float
    interval: Interval
    runs: int

    @property
    def word(self) -> str:
        """``supported`` where the whole interval is above 0, ``not supported`` where it is below, or ``undecided``."""
        if self.interval.low > 0:
            return "supported"
        return "not supported" if self.interval.high < 0 else "undecided"


@dataclass(frozen=True)
class StoredAblation:
    """A ablation's results, as ``sketchseek compare`` stores them.

    Attributes:
        settings: What ``ablation.json`` holds.
        final: Runs by configuration, in the order of their seeds.
        tuning: Runs that tuned, by configuration.
    """

    settings: dict[str, Any]
    final: dict[str, list[Run]] = field(default_factory=dict)
    tuning: dict[str, list[Run]] = field(default_factory=dict)

    @property
    def configurations(self) -> list[str]:
        """In the order of the ablation file; those without a finished run, too."""
        return list(self.settings["configurations"])

    @cached_property
    def tested(self) -> bool:
        """Whether runs were measured on a test part."""
        return any("test" in run for runs in self.final.values() for run in runs)

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Part and figure of each column of its tables."""
        if not self.tested:
            return [("validation", name) for name in FIGURES]
        mirrored = any(
            PREFERENCE in run.get("test", {}).get("metrics", {}) for runs in self.final.values() for run in runs
        )
        extra = [("test", PREFERENCE)] if mirrored else []
        return [*(("test", name) for name in FIGURES), *extra, ("validation", FIGURES[0])]

    @property
    def expected(self) -> int:
        """How many final runs the ablation has when it is complete."""
        return len(self.configurations) * len(self.settings["seeds"])

    @property
    def finished(self) -> int:
        """How many of them there are."""
        return sum(map(len, self.final.values()))

    def spread(self, configuration: str, figure: str, part: str = "test") -> Spread | None:
        """A figure of a configuration over its seeds, on the ``test`` or ``validation`` part; None where there is none."""
        runs = self.final.get(configuration, [])
        values = [run["test"]["metrics"] if part == "test" else run["validation"] for run in runs if part in run]
        found = tuple(float(value[figure]) for value in values if figure in value)
        return Spread(found) if found else None

    def verdicts(self) -> list[Verdict]:
        """Of every hypothesis whose configurations have all their runs measured."""
        out = []
        for hypothesis in self.settings.get("hypotheses", []):
            pairs = list(zip(hypothesis["better"], hypothesis["than"], strict=True))
            found = self.difference(pairs, hypothesis["figure"])
            if found is not None:
                runs = len(pairs) * len(self.settings["seeds"])
                out.append(Verdict(hypothesis["hypothesis"], hypothesis["figure"], *found, runs))
        return out

    def difference(self, pairs: list[tuple[str, str]], figure: str) -> tuple[float, Interval] | None:
        """Mean difference of a figure between configurations, pair by pair and seed by seed, with its bootstrap interval.

        Each resample draws seeds and, as in ``bootstrap_interval``, photos with all their sketches: it says how far
        the difference may be off by the luck of both.

        Args:
            pairs: Configurations: the first's figure minus the second's.
            figure: ``recall@k``.

        Returns:
            The difference and its 95 % interval; None where a run is missing or was not measured by query.
        """
        k = int(figure.removeprefix("recall@"))
        seeds = self.settings["seeds"]
        by_seed: list[Floats] = []
        clusters: npt.NDArray[np.int64] | None = None
        for seed in seeds:
            rows = []
            for better, than in pairs:
                runs = [next((r for r in self.final.get(v, []) if r["seed"] == seed), None) for v in (better, than)]
                if any(run is None or "test" not in run for run in runs):
                    return None
                first, second = (_hits(run, k) for run in runs if run is not None)
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


def load_stored(folder: Path) -> StoredAblation:
    """Read a ablation's store.

    Raises:
        DatasetError: There is none, or a file is damaged.
    """
    ablation = StoredAblation(_read(folder / "ablation.json"))
    order = {seed: i for i, seed in enumerate(ablation.settings["seeds"])}
    for file in sorted(folder.glob("*.json")) + sorted(folder.glob("tuning/*.json")):
        if file.name == "ablation.json":
            continue
        run = _read(file)
        if run["configuration"] not in ablation.settings["configurations"]:
            continue
        if run["purpose"] == "tuning":
            ablation.tuning.setdefault(run["configuration"], []).append(run)
        elif run["seed"] in order:
            ablation.final.setdefault(run["configuration"], []).append(run)
    for runs in ablation.final.values():
        runs.sort(key=lambda run: order[run["seed"]])
    return ablation


def markdown(ablation: StoredAblation, *, level: int = 1, hypotheses: bool = True) -> str:
    """A ablation's results as Markdown, under a heading of this level; with its hypotheses, or without."""
    settings = ablation.settings
    parts = [f"{'#' * level} {settings['title'] or settings['name']}", ""]
    if settings["text"]:
        parts += [settings["text"].strip(), ""]
    parts += [f"{sentence(ablation)}", "", *_table(ablation), ""]
    grid = _grid(ablation)
    if grid:
        parts += [f"recall@1 on the {_part(ablation)} part, rows by columns:", "", *grid, ""]
    verdicts = ablation.verdicts() if hypotheses else []
    if verdicts:
        parts += ["| hypothesis | difference | verdict |", "| --- | --- | --- |"]
        parts += [f"| {v.hypothesis} | {shown_difference(v)} | **{v.word}** |" for v in verdicts]
        parts.append("")
    return "\n".join(parts)


def sentence(ablation: StoredAblation) -> str:
    """What was run, in words, and what is still missing."""
    settings = ablation.settings
    text = f"{len(ablation.configurations)} configurations, {len(settings['seeds'])} seeds each; "
    text += "mean ± standard deviation over seeds, in per cent. "
    tests = [run["test"] for runs in ablation.final.values() for run in runs if "test" in run]
    if tests:
        text += f"Test: {tests[0]['queries']:,} sketches look for their photo among {tests[0]['gallery']:,} "
        text += f"({tests[0]['split']}), once a run. "
    if settings.get("tune"):
        grid = settings["tune"]["grid"]
        tried = 1
        for values in grid.values():
            tried *= len(values)
        text += f"Each configuration's settings were chosen among {tried} by recall on the validation part. "
    if ablation.finished < ablation.expected:
        text += f"**Not complete: {ablation.finished} of {ablation.expected} runs.** "
    return text.strip()


def shown_difference(verdict: Verdict) -> str:
    """The difference with its interval, in points of per cent."""
    low, high = (100 * end for end in verdict.interval)
    return f"{verdict.metric} {100 * verdict.difference:+.1f} ({low:+.1f} to {high:+.1f})"


def shown_choice(run: Run) -> str:
    """Tuned settings, in few words."""
    return ", ".join(f"{path.split('.')[-1]} {value}" for path, value in run["choice"].items())


def _table(ablation: StoredAblation) -> list[str]:
    tuned = any(run["choice"] for runs in ablation.final.values() for run in runs)
    head = ["configuration", *(["chosen"] if tuned else []), "runs"]
    head += [" ".join(column) for column in ablation.columns]
    rows = []
    for configuration in ablation.configurations:
        runs = ablation.final.get(configuration, [])
        row = [configuration, *([shown_choice(runs[0]) if runs else "–"] if tuned else []), str(len(runs))]
        row += [str(ablation.spread(configuration, figure, part) or "–") for part, figure in ablation.columns]
        rows.append("| " + " | ".join(row) + " |")
    return ["| " + " | ".join(head) + " |", "| --- " * len(head) + "|", *rows]


def _part(ablation: StoredAblation) -> str:
    return "test" if ablation.tested else "validation"


def axes(ablation: StoredAblation) -> tuple[list[str], list[str]] | None:
    """Names of rows and columns of a ablation that crosses two things; None of any other."""
    names = [list(axis) for axis in ablation.settings.get("cross", [])]
    return (names[0], names[1]) if len(names) == 2 else None


def _grid(ablation: StoredAblation) -> list[str]:
    found = axes(ablation)
    if found is None:
        return []
    rows, columns = found
    lines = ["| | " + " | ".join(columns) + " |", "| --- " * (len(columns) + 1) + "|"]
    for row in rows:
        cells = [str(ablation.spread(f"{row} × {column}", "recall@1", _part(ablation)) or "–") for column in columns]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return lines


def _hits(run: Run, k: int) -> Floats:
    return (np.array(run["test"]["ranks"].split(), dtype=np.int64) <= k).astype(np.float64)


def _read(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return dict(data)
    except FileNotFoundError as error:
        raise DatasetError(f"{file}: no ablation is stored here.", remedy="Run it: sketchseek compare FILE") from error
    except (ValueError, TypeError) as error:
        raise DatasetError(f"{file}: damaged ({error}).", remedy="Delete it: the run is repeated.") from error
