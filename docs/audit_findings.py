"""The section of ``docs/results.md`` on the audit against the official lists of invalid sketches."""

from __future__ import annotations

import json
from typing import Any

from measured import MEASURED, percent, table

_TEXT = """\
Is `sketchseek audit` any good? The release of The Sketchy Database lists sketches as invalid, by four reasons. The
signals and the findings of the audit are compared with these lists on training sketches: on our subset of the default
variant (`uncropped`, on which a first look chose the signals) and on the cropped variant (`cropped`, which was not
looked at before).

**The bundled models have not seen the sketches on `error`**: training left them out, but took all others of the photos
that it saw. So the metrics for `error`, and a little those for `any`, are flattered. Fair are `any but error`, and for
`error` the unseen photos of both sets together (the last table).

"Unseen" sketches are of photos that the model did not train on. Intervals are 95 % bootstrap
intervals over photos. The protocol is the docstring of the script.

    python experiments/audit/against_official.py --data DATA --model MODEL --out docs/measured/audit-MODEL.json"""

_READ = """\
The tables of each set:

- ROC area of each signal for each list (0.5 is chance). *Lag* and *disagreement* compare a sketch with the other
  sketches of its photo; the last four signals are those of the rules before this measurement.
- The same for unseen sketches, where a list has ten of them or more.
- The audit's findings at its default fractions. "On any list" is the fraction of findings that any of the lists has;
  "on any but error" leaves out the sketches on `error`.
  "At list length" is the precision of as many sketches as the list has, by suspicion alone; "former rule's" is the
  same by the signal of the rule before this measurement.
- The fraction with the best F1 on one half of the photos, reported on the other half, beside the default fraction."""


def audit_findings() -> list[str]:
    """Lines of the section; empty without stored measurements."""
    reports = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(MEASURED.glob("audit-*.json"))]
    if not reports:
        return []
    parts = ["## Audit", "", _TEXT, "", _READ, ""]
    for report in reports:
        for name, found in report["sets"].items():
            parts += [
                f"### `{report['model']}` ({report['fingerprint']}), {name}",
                "",
                f"{found['sketches']:,} sketches of {found['photos']:,} photos, of which the model did not see "
                f"{found['unseen sketches']:,} of {found['unseen photos']:,}. {percent(found['on a list'])} are on a "
                f"list; of the 100 sketches that disagree most with the others of their photo, "
                f"{100 * found['of the 100 that disagree most, on a list']:.0f} %. Without the sketches on `error`: "
                f"{percent(found['on a list but error'])} and "
                f"{100 * found['of the 100 that disagree most, on a list but error']:.0f} %.",
                "",
                *_areas(found["areas"], "all"),
                "",
                "Unseen sketches:",
                "",
                *_areas(found["areas"], "unseen"),
                "",
                *_findings(found["findings"]),
                "",
                *_halves(found["halves"], report["fractions"]),
                "",
            ]
        pooled = report["pooled"]
        parts += [
            f"### `{report['model']}` ({report['fingerprint']}), errors among unseen photos of both sets",
            "",
            f"{pooled['listed']} of {pooled['sketches']:,} sketches are on `error`, too few for an interval. "
            "Percentile ranks are within each set.",
            "",
            *table(
                ["signal", "ROC area", "lowest percentile rank of the listed sketches"],
                [[signal, f"{area:.2f}", f"{low:.2f}"] for signal, (area, low) in pooled["areas"].items()],
            ),
            "",
        ]
    return parts


def _areas(areas: dict[str, Any], among: str) -> list[str]:
    lists = [name for name, signals in areas.items() if next(iter(signals.values()))[among]]
    signals = list(next(iter(areas.values())))
    rows = [
        [signal, *("{:.2f} ({:.2f}–{:.2f})".format(*areas[name][signal][among]) for name in lists)]
        for signal in signals
    ]
    return table(["signal", *lists], rows)


def _findings(findings: dict[str, Any]) -> list[str]:
    head = ["list", "base rate", "listed", "found", "precision", "recall", "on any list", "on any but error"]
    head += ["at list length", "former rule's", "unseen: listed, found, right"]
    rows = []
    for name, found in findings.items():
        every, unseen = found["all"], found["unseen"]
        rows.append(
            [
                name,
                percent(every["base rate"]),
                f"{every['listed']:,}",
                f"{every['found']:,}",
                _interval(every["precision"]),
                _interval(every["recall"]),
                _interval(found["found on any list"]),
                _interval(found["found on any list but error"]),
                percent(found["precision at list length"]),
                percent(found["former rule's"]),
                f"{unseen['listed']}, {unseen['found']}, {unseen['right']}",
            ]
        )
    return table(head, rows)


def _halves(halves: dict[str, Any], fractions: dict[str, float]) -> list[str]:
    head = ["list", "base rate", "tuned fraction", "precision", "recall", "default fraction", "precision", "recall"]
    rows = []
    for (name, found), default in zip(halves.items(), fractions.values(), strict=True):
        tuned, plain = found["tuned"], found["default"]
        rows.append(
            [
                name,
                percent(tuned["base rate"]),
                percent(found["fraction"]),
                _interval(tuned["precision"]),
                _interval(tuned["recall"]),
                percent(default),
                _interval(plain["precision"]),
                _interval(plain["recall"]),
            ]
        )
    return table(head, rows)


def _interval(values: list[float]) -> str:
    if not values:
        return "–"
    mean, low, high = (100 * each for each in values)
    return f"{mean:.0f} % ({low:.0f}–{high:.0f})"
