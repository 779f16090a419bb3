"""Differences between configurations by cross-validation, and verdicts on the hypotheses of an ablation.

A difference is macro-averaged over categories, from all queries of all folds, the mean over seeds. Its standard error
has two parts, as in a meta-analysis of random effects (DerSimonian and Laird 1986): the sample of photos, by cluster
bootstrap, and the difference between trainings. The variance of the latter is estimated from the folds' differences:
what they vary more than their samples of photos explain, at least 0. The hypotheses' p-values are adjusted together.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchseek.ablations.decisions import Decision, decide
from sketchseek.ablations.macro import Floats, Indices, PhotoResamples, macro_mean, metric_values
from sketchseek.ablations.table import Run

METRICS = ("log-rank", "recall@1", "recall@10")
RESAMPLES = 2000

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class FoldVerdict:
    """The verdict on a hypothesis.

    Attributes:
        hypothesis: The hypothesis.
        metric: Its metric, which decides.
        decision: The test.
        by_metric: Difference and standard error by each of ``METRICS``; those of others decide nothing.
        core_minutes: What the runs that it compares took.
    """

    hypothesis: str
    metric: str
    decision: Decision
    by_metric: dict[str, tuple[float, float]]
    core_minutes: float


@dataclass(frozen=True)
class _Queries:
    """The queries of all folds that were run: each one's fold, photo and category, from 0; names of the categories."""

    fold: Indices
    photo: Indices
    category: Indices
    names: list[str]

    def among(self, categories: frozenset[str]) -> npt.NDArray[np.bool_]:
        """(queries,) which are of these categories; all if there are none."""
        chosen = [not categories or name in categories for name in self.names]
        return np.array(chosen, dtype=np.bool_)[self.category]


class CrossValidation:
    """The final runs of an ablation with folds.

    Args:
        settings: Of the ablation's table.
        final: Final runs by configuration.

    Attributes:
        settings: The same.
        runs: Every final run by configuration, seed and fold.
        folds: Numbers of the folds that are run.
    """

    def __init__(self, settings: dict[str, Any], final: dict[str, list[Run]]) -> None:
        self.settings = settings
        self.runs = {
            (name, run["seed"], run["fold"]): run for name, runs in final.items() for run in runs if "fold" in run
        }
        folds = settings["folds"]
        self.folds = range(min(folds["runs"] or folds["count"], folds["count"]))
        self._resamples: dict[tuple[int | None, frozenset[str]], PhotoResamples] = {}
        self._known: _Queries | None = None

    @cached_property
    def verdicts(self) -> list[FoldVerdict]:
        """The verdict on every hypothesis whose runs are all there; p-values are adjusted for all of the file's."""
        found = []
        hypotheses = self.settings.get("hypotheses", [])
        for hypothesis in hypotheses:
            pairs = list(zip(hypothesis["better"], hypothesis["than"], strict=True))
            if self._complete(pairs):
                options: dict[str, Any] = {
                    "total": bool(hypothesis.get("total")),
                    "categories": hypothesis.get("categories") or (),
                }
                rows = {name: self.difference(pairs, name, **options) for name in {hypothesis["metric"], *METRICS}}
                found.append((hypothesis, rows))
        estimates = [(*rows[one["metric"]], float(one.get("tolerance", 0.0))) for one, rows in found]
        missing = [(0.0, 1.0, 0.0)] * (len(hypotheses) - len(found))  # p = 1: they still count in the adjustment
        folds = self.settings["folds"]
        decisions = decide([*estimates, *missing], folds["margin"], folds.get("tests", 1))
        return [
            FoldVerdict(
                one["hypothesis"],
                one["metric"],
                decision,
                {name: rows[name] for name in METRICS},
                self.core_minutes({*one["better"], *one["than"]}),
            )
            for (one, rows), decision in zip(found, decisions, strict=False)
        ]

    def core_minutes(self, configurations: Collection[str] = ()) -> float:
        """Minutes of a core that the final runs of configurations, or all, took with their tests; without tuning."""
        runs = [run for (name, _, _), run in self.runs.items() if not configurations or name in configurations]
        return float(sum(run["cpu_seconds"] for run in runs)) / 60

    def mean(self, configuration: str, metric: str) -> tuple[float, float] | None:
        """Macro-average of a metric over all folds, and its standard error; None if a run is missing."""
        if not self._complete([(configuration, configuration)]):
            return None
        return self._estimate({seed: self._values(configuration, seed, metric) for seed in self.settings["seeds"]})

    def difference(
        self, pairs: Pairs, metric: str, *, total: bool = False, categories: Collection[str] = ()
    ) -> tuple[float, float]:
        """Difference between configurations, paired by seed, fold and query, and its standard error.

        Args:
            pairs: Pairs of configurations; the second is subtracted from the first.
            metric: ``recall@k`` or ``log-rank``.
            total: Add up the pairs' differences in place of their mean.
            categories: Count only the sketches of these categories; empty for all.
        """
        by_seed = {}
        for seed in self.settings["seeds"]:
            rows = [self._values(a, seed, metric) - self._values(b, seed, metric) for a, b in pairs]
            by_seed[seed] = np.sum(rows, axis=0) if total else np.mean(rows, axis=0)
        return self._estimate(by_seed, frozenset(categories))

    def _estimate(self, by_seed: dict[int, Floats], categories: frozenset[str] = frozenset()) -> tuple[float, float]:
        queries = self._queries()
        values = np.mean(list(by_seed.values()), axis=0)
        counted = queries.among(categories)

        def estimate(fold: int | None) -> tuple[float, float]:
            inside = counted if fold is None else counted & (queries.fold == fold)
            variance = float(np.var(self._resampled(fold, categories, inside).macro_means(values[inside])))
            return macro_mean(values[inside], queries.category[inside]), variance

        difference, sampling = estimate(None)
        of_fold, in_fold = zip(*map(estimate, self.folds), strict=True)
        training = between_trainings(of_fold, in_fold)
        return difference, float(np.sqrt(sampling + training / len(self.folds)))

    def _complete(self, pairs: Pairs) -> bool:
        names = {name for pair in pairs for name in pair}
        seeds = self.settings["seeds"]
        return all((name, seed, fold) in self.runs for name in names for seed in seeds for fold in self.folds)

    def _values(self, configuration: str, seed: int, metric: str) -> Floats:
        tests = [self.runs[configuration, seed, fold]["test"] for fold in self.folds]
        return np.concatenate([metric_values(t["ranks"].split(), t["gallery"], metric) for t in tests])

    def _queries(self) -> _Queries:
        """Of any configuration: all have the same queries in the same order."""
        if self._known is None:
            parts: list[list[Indices]] = []
            known: dict[str, int] = {}
            photos = 0
            for fold in self.folds:
                test = next(run["test"] for (_, _, number), run in self.runs.items() if number == fold)
                sketches_of, photos_of = (_numbers(test[name]) for name in ("sketches_of", "photos_of"))
                category = np.repeat([known.setdefault(name, len(known)) for name in test["categories"]], photos_of)
                photo = np.arange(photos, photos + len(sketches_of))
                parts.append([np.repeat(each, sketches_of) for each in (np.full(len(photo), fold), photo, category)])
                photos += len(photo)
            fold_of, photo_of, category_of = (np.concatenate(part) for part in zip(*parts, strict=True))
            self._known = _Queries(fold_of, photo_of, category_of, list(known))
        return self._known

    def _resampled(self, fold: int | None, categories: frozenset[str], inside: npt.NDArray[np.bool_]) -> PhotoResamples:
        """Resamples of the photos of a fold or of all, and of some categories or all; ``inside`` are their queries."""
        if (fold, categories) not in self._resamples:
            queries = self._queries()
            _, photo = np.unique(queries.photo[inside], return_inverse=True)
            _, category = np.unique(queries.category[inside], return_inverse=True)
            self._resamples[fold, categories] = PhotoResamples(photo, category, RESAMPLES)
        return self._resamples[fold, categories]


def between_trainings(differences: Sequence[float], variances: Sequence[float]) -> float:
    """The variance of a difference between trainings: of the folds' differences, less their mean sampling variance.

    Args:
        differences: The difference in each fold.
        variances: Its variance by the sample of photos.
    """
    if len(differences) < 2:
        return 0.0
    return max(0.0, float(np.var(differences, ddof=1)) - float(np.mean(variances)))


def _numbers(text: str) -> Indices:
    return np.array(text.split(), dtype=np.int64)
