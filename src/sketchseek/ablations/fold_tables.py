"""Tables of an ablation by cross-validation."""

from __future__ import annotations

from typing import Any

from sketchseek.ablations.cross_validation import METRICS, CrossValidation, FoldVerdict
from sketchseek.evaluation.tables import Table


def fold_sentence(found: CrossValidation) -> str:
    """What was run, what is missing, and what it cost."""
    runs = list(found.runs.values())
    expected = len(found.settings["configurations"]) * len(found.settings["seeds"]) * len(found.folds)
    text = f"{len(found.settings['configurations'])} configurations, {len(found.folds)} of "
    text += f"{found.settings['folds']['count']} folds, seed {', '.join(map(str, found.settings['seeds']))}. "
    if runs:
        first = {run["fold"]: run["test"] for run in runs}
        text += f"{sum(test['queries'] for test in first.values()):,} sketches, each a query once for each seed, among "
        galleries = [test["gallery"] for test in first.values()]
        text += f"{min(galleries):,} to {max(galleries):,} photos. Cost: {found.core_minutes():.0f} core-minutes. "
    if len(runs) < expected:
        text += f"**Not complete: {len(runs)} of {expected} runs.** "
    return f"{text}\n\nStopping rule: {found.settings['folds']['stopping'].strip()}"


def fold_table(found: CrossValidation) -> Table:
    """Macro-averages of each configuration with 95 % intervals, in percent, and facts about its embeddings."""
    rows = []
    for name in found.settings["configurations"]:
        runs = [run for (configuration, _, _), run in found.runs.items() if configuration == name]
        choice = (
            ", ".join(f"{path.split('.')[-1]} {value}" for path, value in runs[0]["choice"].items()) if runs else ""
        )
        cells = [name, choice or "–", str(len(runs))]
        cells += [shown_mean(found, name, metric) for metric in METRICS]
        rows.append((*cells, *_facts([run["test"] for run in runs])))
    head = (
        "configuration",
        "chosen",
        "runs",
        *METRICS,
        "length of sketches, photos",
        "its deviation",
        "active triplets",
    )
    return Table(head, tuple(rows))


def shown_mean(found: CrossValidation, configuration: str, metric: str) -> str:
    """The macro-average of a metric over all folds with its 95 % interval, in percent."""
    estimate = found.mean(configuration, metric)
    return "–" if estimate is None else f"{100 * estimate[0]:.1f} ± {100 * 1.96 * estimate[1]:.1f}"


def _facts(tests: list[dict[str, Any]]) -> tuple[str, str, str]:
    """Mean length of the embeddings, its relative standard deviation, and the fraction of active triplets."""
    if not tests:
        return "–", "–", "–"

    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    (lengths, deviations) = (
        [mean([test["norms"][branch][place] for test in tests]) for branch in ("sketch", "photo")] for place in (0, 1)
    )
    active = [test["active"] for test in tests if "active" in test]
    return (
        ", ".join(f"{value:.2f}" for value in lengths),
        ", ".join(f"{100 * value:.0f} %" for value in deviations),
        f"{100 * mean(active):.0f} %" if active else "–",
    )


def fold_verdict_table(found: CrossValidation) -> Table:
    """Every hypothesis with its difference, interval, minimum detectable effect, p-value and verdict, in points."""
    rows = [
        (
            verdict.hypothesis,
            shown_estimate(verdict),
            f"{100 * verdict.decision.detectable:.1f}",
            shown_p(verdict.decision.p),
            shown_word(verdict),
            *(f"{100 * estimate:+.1f} ± {100 * 1.96 * error:.1f}" for estimate, error in verdict.by_metric.values()),
        )
        for verdict in found.verdicts
    ]
    return Table(("hypothesis", "difference", "MDE", "p (Holm)", "verdict", *METRICS), tuple(rows))


def shown_estimate(verdict: FoldVerdict) -> str:
    """The difference with its interval, in percentage points."""
    low, high = (100 * end for end in verdict.decision.interval)
    return f"{verdict.metric} {100 * verdict.decision.difference:+.1f} ({low:+.1f} to {high:+.1f})"


def shown_p(p: float) -> str:
    """A p-value in short."""
    return f"{p:.2g}" if p > 1e-10 else "< 1e-10"


def shown_word(verdict: FoldVerdict) -> str:
    """The verdict, in bold, and whether an effect that was found lies within the margin of equivalence."""
    decision = verdict.decision
    small = decision.equivalent and decision.word in ("supported", "rejected") and not decision.tolerance
    return f"**{decision.word}**{', but within the margin' if small else ''}"
