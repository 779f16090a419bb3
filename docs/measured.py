"""Evaluations stored in ``docs/measured/``, and tables of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
MEASURED = DOCS / "measured"

PROTOCOLS = {
    "sketchy": (
        "The Sketchy Database, official test list: each sketch looks for its very own photo among all test photos",
        "sketchseek evaluate sketchy DATA/sketchy",
        ["recall@1", "recall@5", "recall@10", "category_P@1"],
    ),
    "chairv2": (
        "QMUL-Chair-V2, its own test split",
        "sketchseek evaluate chairv2 DATA/chairv2",
        ["acc@1", "acc@10"],
    ),
    "caltech": (
        "Quick, Draw! sketches (our test part) of words that name a category of Caltech-101, against all its photos; "
        "no photo of it was trained on",
        "sketchseek evaluate words DATA/quickdraw DATA/caltech101",
        ["P@10", "recall@1", "recall@10", "mAP"],
    ),
    "gallery": (
        "Quick, Draw! sketches (our test part) of words that name a picture of the demo's gallery, against all its "
        "pictures; `recall@5` is how often the first five hold the drawn thing. The pictures were trained on, these "
        "sketches were not",
        "sketchseek evaluate words DATA/quickdraw GALLERY",
        ["recall@1", "recall@5", "recall@10"],
    ),
}


def stored(name: str) -> dict[str, Any]:
    """What is stored under a name; empty where nothing is."""
    file = MEASURED / f"{name}.json"
    if not file.is_file():
        return {}
    values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return values


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """A Markdown table."""
    return [f"| {' | '.join(head)} |", "| --- " * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)]


def evaluation_table(reports: list[dict[str, Any]], metrics: list[str]) -> list[str]:
    """A table of reports of one protocol, a line a model."""
    rows = [
        [report["model"], f"{report['queries']:,}", f"{report['gallery']:,}", *(_figure(report, f) for f in metrics)]
        for report in reports
    ]
    return table(["model", "queries", "gallery", *metrics], rows)


def per_cent(share: float) -> str:
    """0.1234 as 12.3 %."""
    return f"{100 * share:.1f} %"


def _figure(report: dict[str, Any], name: str) -> str:
    if name not in report:
        return "–"
    low, high = report["interval"][name]
    return f"{per_cent(report[name])} ({100 * low:.1f}–{100 * high:.1f})"
