"""Plots of a ablation's results as SVG that stands in a page."""

from __future__ import annotations

import io
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from sketchseek.ablations.stored import StoredAblation, axes
from sketchseek.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INK, _SOFT, _LINE = "#1c2024", "#545b63", "#e4e7ea"
_COLORS = (
    "#2563a8",
    "#d1602f",
    "#15935a",
    "#8a4fa3",
    "#b08a1e",
    "#3a9aa8",
    "#b8416b",
    "#6b7280",
    "#7a5c3e",
    "#4a5fd0",
)


def plot_spread(ablation: StoredAblation) -> str:
    """Recall@1 and recall@10 of each configuration: a ring a seed, a bar at the mean."""
    part = "test" if ablation.tested else "validation"
    configurations = [
        configuration for configuration in ablation.configurations if ablation.spread(configuration, "recall@1", part)
    ]
    figure = _figure(9, 1.0 + 0.34 * len(configurations))
    for place, name in enumerate(("recall@1", "recall@10")):
        axis = figure.add_subplot(1, 2, place + 1)
        for row, configuration in enumerate(configurations):
            spread = ablation.spread(configuration, name, part)
            if spread is None:
                continue
            values = 100 * np.array(spread.values)
            axis.plot([values.min(), values.max()], [row, row], color=_LINE, linewidth=5, solid_capstyle="round")
            axis.plot(values, np.full(len(values), row), "o", color=_COLORS[0], markersize=6, fillstyle="none")
            axis.plot([100 * spread.mean], [row], "|", color=_INK, markersize=15, markeredgewidth=2)
        axis.set_yticks(range(len(configurations)), configurations if place == 0 else [""] * len(configurations))
        axis.set_ylim(len(configurations) - 0.5, -0.5)
        axis.set_xlabel(f"{part} {name}, %")
        _tidy(axis, "x")
    return _svg(figure, f"{part} recall of each configuration")


def plot_courses(ablation: StoredAblation) -> str:
    """Validation recall@1 in the course of training, the mean over seeds."""
    figure = _figure(9, 4.2)
    axis = figure.add_subplot()
    for number, configuration in enumerate(ablation.configurations):
        courses = [run["history"] for run in ablation.final.get(configuration, []) if run.get("history")]
        if not courses or "recall@1" not in courses[0][0]:
            continue
        shortest = min(map(len, courses))
        steps = [row["step"] for row in courses[0][:shortest]]
        recall = 100 * np.mean([[row["recall@1"] for row in course[:shortest]] for course in courses], axis=0)
        style = "-" if number < len(_COLORS) else "--"
        color = _COLORS[number % len(_COLORS)]
        axis.plot(steps, recall, style, marker="o", markersize=4, color=color, linewidth=1.6, label=configuration)
    axis.set_xlabel("step")
    axis.set_ylabel("validation recall@1, %")
    _tidy(axis, "y")
    axis.legend(frameon=False, fontsize=8.5, loc="center left", bbox_to_anchor=(1.0, 0.5), labelcolor=_INK)
    return _svg(figure, "validation recall in the course of training")


def plot_grid(ablation: StoredAblation) -> str:
    """Recall@1 of a ablation that crosses two things, as a map; empty for any other ablation."""
    found = axes(ablation)
    part = "test" if ablation.tested else "validation"
    if found is None:
        return ""
    rows, columns = found
    spreads = [[ablation.spread(f"{row} × {column}", "recall@1", part) for column in columns] for row in rows]
    values = np.array([[100 * cell.mean if cell else np.nan for cell in line] for line in spreads])
    if np.isnan(values).all():
        return ""
    figure = _figure(2.0 + 1.5 * len(columns), 1.2 + 0.75 * len(rows))
    axis = figure.add_subplot()
    low, high = np.nanmin(values), np.nanmax(values)
    low -= 0.3 * (high - low) + 1e-6
    axis.imshow(values, cmap="Blues", aspect="auto", vmin=low, vmax=high)
    for y, line in enumerate(spreads):
        for x, cell in enumerate(line):
            color = "white" if cell and values[y, x] > low + 0.6 * (high - low) else _INK
            axis.text(x, y, str(cell) if cell else "–", ha="center", va="center", color=color, fontsize=10)
    axis.set_xticks(range(len(columns)), columns)
    axis.set_yticks(range(len(rows)), rows)
    axis.set_title(f"{part} recall@1, %: mean ± standard deviation", fontsize=10, color=_INK)
    axis.tick_params(length=0, colors=_INK)
    for spine in axis.spines.values():
        spine.set_visible(False)
    return _svg(figure, f"{part} recall@1 by both")


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError(
            "the report's plots need matplotlib.", remedy="pip install 'sketchseek[train]'"
        ) from error
    return Figure(figsize=(width, height), layout="constrained")


def _tidy(axis: Any, grid: str) -> None:
    axis.grid(axis=grid, color=_LINE, linewidth=0.8)
    axis.set_axisbelow(True)
    for name, spine in axis.spines.items():
        spine.set_visible(name == ("bottom" if grid == "x" else "left"))
        spine.set_color(_SOFT)
    axis.tick_params(colors=_INK, labelsize=9, length=0)
    axis.xaxis.label.set_color(_SOFT)
    axis.yaxis.label.set_color(_SOFT)


def _svg(figure: Figure, says: str) -> str:
    import matplotlib as mpl

    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "sketchseek", "font.family": "sans-serif"}):
        figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
    text = file.getvalue()
    return f'<figure role="img" aria-label="{escape(says)}">{text[text.index("<svg") :]}</figure>'
