"""The section of ``docs/results.md`` on telling that a gallery lacks what was drawn."""

from __future__ import annotations

import json

from measured import MEASURED, table

_TEXT = """\
Can a search know that the gallery lacks what was drawn? Quick, Draw! training drawings are asked of a gallery, and
again after the photos of their word were removed from it. The table gives the area under the ROC curve of each signal
(0.5 is chance), with bootstrap intervals over words. "All" is a logistic regression on every signal, fitted on other
words than it is reported on. "Against found" counts only drawings whose word is among the first five results of the
whole gallery. "Other words" are drawings of words for which the gallery has no folder, against the words that it has.

    python experiments/no_match/measure.py --data DATA --model MODEL --out docs/measured/no-match-MODEL.json

The rule was set before the first run: a "no close match" message needs a signal whose area has a lower bound of 0.8
in every gallery."""


def no_match() -> list[str]:
    """Lines of the section; empty without stored measurements."""
    reports = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(MEASURED.glob("no-match-*.json"))]
    if not reports:
        return []
    parts = ["## No close match", "", _TEXT, ""]
    best = 0.0
    for report in reports:
        for gallery, found in report["galleries"].items():
            comparisons = {name: areas for name, areas in found.items() if isinstance(areas, dict)}
            signals = list(next(iter(comparisons.values())))
            rows = [
                [signal, *("{:.2f} ({:.2f}–{:.2f})".format(*areas[signal]) for areas in comparisons.values())]
                for signal in signals
            ]
            parts += [
                f"`{report['model']}` ({report['fingerprint']}), {gallery}: {found['photos']:,} photos, "
                f"{found['drawings']:,} drawings of {found['words']} words, "
                f"{found['found among five']:.0%} with their word among the first five.",
                "",
                *table(["signal", *comparisons], rows),
                "",
            ]
        best = max(best, max(_weakest(report).values()))
    verdict = (
        f"No signal passes: the highest lower bound that a signal has in all galleries and comparisons is {best:.2f}. "
        "So search has no such message, and no score below which a result would be hidden."
        if best < 0.8
        else f"A signal passes, with a lower bound of {best:.2f}."
    )
    return [*parts, verdict, ""]


def _weakest(report: dict[str, dict[str, dict[str, dict[str, list[float]]]]]) -> dict[str, float]:
    """By signal, its lowest lower bound in any gallery and comparison."""
    lowest: dict[str, float] = {}
    for found in report["galleries"].values():
        for areas in found.values():
            if isinstance(areas, dict):
                for signal, (_, low, _) in areas.items():
                    lowest[signal] = min(low, lowest.get(signal, 1.0))
    return lowest
