"""The section of ``docs/results.md`` on combined queries, from ``docs/measured/queries-*.json``."""

from __future__ import annotations

import json
from typing import Any

from measured import MEASURED, table

_PARTS = {
    "drawings": (
        "### Several drawings of one thing",
        "The official test photos of The Sketchy Database that have three drawings or more, each by another person. "
        "Every subset of one, two and three drawings of a photo is a query by their mean embedding; a photo counts "
        "once.",
        "photos",
    ),
    "words": (
        "### Words beside a sketch",
        "Caltech-101, 30 photos of each category drawn at random, as a library of real folder names, half of them "
        "hidden at random (`unsorted/IMG_0042.jpg`). The query is a Quick, Draw! test sketch, its word, or both. All "
        "photos of the category are relevant, named or not. A first run showed a fault in the ranking of words: kinds "
        "of matches that find nothing cost ranks. It was fixed (mAP of both: 62.0 to 66.3 %).",
        "queries",
    ),
    "colors": (
        "### Colors beside a sketch",
        "The official test sketches of The Sketchy Database. The palette imitates a person's memory: the three main "
        "colors of the middle of the photo by k-means, each channel (0 to 255) changed by a normal error of the "
        "standard deviation that is named. Real people's palettes were not measured.",
        "queries",
    ),
}


def combined_queries() -> list[str]:
    """Lines with a table for each kind of combined query and model; empty without stored results."""
    stored = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(MEASURED.glob("queries-*.json"))]
    if not stored:
        return []
    parts = [
        "## Combined queries",
        "",
        "With the default weights of `sketchseek.search`; no weight was tuned on these data. Gains are differences",
        "query by query. 95 % bootstrap intervals resample photos, or queries for words.",
        "",
        "    python -m sketchseek.release queries --data DATA MODEL",
        "",
    ]
    for name, (heading, text, unit) in _PARTS.items():
        parts += [heading, "", f"{text}", ""]
        for values in stored:
            parts += [f"`{values['model']}`, {values[name][unit]:,} {unit}:", "", *_table(values[name]), ""]
    return parts


def _table(values: dict[str, Any]) -> list[str]:
    arms = values["arms"]
    metrics = list(next(iter(arms.values())))
    gains = values["gains"]
    # Words have two baselines: gains over each of them.
    baselines = gains if next(iter(gains)) in arms and "recall@1" not in next(iter(gains.values())) else {"": gains}
    first = metrics[0]
    head = ["query", *metrics, *(f"{first}, gain{f' over {name}' if name else ''}" for name in baselines)]
    rows = []
    for arm, found in arms.items():
        row = [
            {"1": "one drawing", "2": "two drawings", "3": "three drawings"}.get(arm, arm),
            *(_cell(found[metric]) for metric in metrics),
        ]
        row += [_cell(each[arm][first], signed=True) if arm in each else "–" for each in baselines.values()]
        rows.append(row)
    return table(head, rows)


def _cell(value: list[float], *, signed: bool = False) -> str:
    mean, low, high = (100 * each for each in value)
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f})" if signed else f"{mean:.1f} % ({low:.1f}–{high:.1f})"
