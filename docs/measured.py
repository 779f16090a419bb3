"""The evaluations stored in ``docs/measured/``, and tables of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
MEASURED = DOCS / "measured"

PROTOCOLS = {
    "sketchy": (
        "The Sketchy Database, official test list, instance-level: the gallery holds the test photos of all categories",
        "sketchseek evaluate sketchy DATA/sketchy",
        ["recall@1", "recall@5", "recall@10", "category_P@1"],
    ),
    "chairv2": (
        "QMUL-Chair-V2, official test split, instance-level",
        "sketchseek evaluate chairv2 DATA/chairv2",
        ["acc@1", "acc@10"],
    ),
    "caltech": (
        "Category-level: Quick, Draw! sketches (our test split) of the categories of Caltech-101, whose photos are the "
        "gallery. The bundled models were trained on none of them; 55 training photos of earlier models are copies of "
        "some",
        "sketchseek evaluate words DATA/quickdraw DATA/caltech101",
        ["P@10", "recall@1", "recall@10", "mAP"],
    ),
    "gallery": (
        "Category-level: Quick, Draw! sketches (our test split) of objects in the demo gallery, whose images are the "
        "gallery. These images were used in training, the sketches were not",
        "sketchseek evaluate words DATA/quickdraw GALLERY",
        ["recall@1", "recall@5", "recall@10"],
    ),
}


def stored(name: str) -> dict[str, Any]:
    """The stored values of a name; empty if there are none."""
    file = MEASURED / f"{name}.json"
    if not file.is_file():
        return {}
    values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return values


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """A Markdown table."""
    return [f"| {' | '.join(head)} |", "| --- " * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)]


def evaluation_table(reports: list[dict[str, Any]], metrics: list[str]) -> list[str]:
    """A table of the reports of one protocol, a row for each model."""
    rows = [
        [
            report["model"],
            f"{report['queries']:,}",
            f"{report['gallery']:,}",
            *(_cell(report, name) for name in metrics),
        ]
        for report in reports
    ]
    return table(["model", "queries", "gallery", *metrics], rows)


def percent(fraction: float) -> str:
    """0.1234 as 12.3 %."""
    return f"{100 * fraction:.1f} %"


def _cell(report: dict[str, Any], name: str) -> str:
    if name not in report:
        return "–"
    low, high = report["interval"][name]
    return f"{percent(report[name])} ({100 * low:.1f}–{100 * high:.1f})"
