"""The HTML report of an ablation: hypotheses, metrics, plots, and example queries of several configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from sketchseek.ablations.cross_validation import CrossValidation
from sketchseek.ablations.fold_tables import fold_sentence, shown_estimate, shown_mean, shown_p
from sketchseek.ablations.plots import plot_courses, plot_grid, plot_spread
from sketchseek.ablations.results import METRICS, AblationResults, sentence, shown_choice, shown_difference
from sketchseek.ablations.table import Run
from sketchseek.datasets.records import SketchDataset
from sketchseek.datasets.registry import dataset_spec
from sketchseek.evaluation.html import data_uri, write_report
from sketchseek.images import read_photo
from sketchseek.sketches import rasterize_sketch

_SIDE = 72
_CONFIGURATIONS = 4  # with example queries
_STYLE_OF = {
    "supported": "supported",
    "not supported": "refuted",
    "rejected": "refuted",
    "equivalent": "undecided",
    "undecided": "undecided",
}


def write_ablation_report(path: Path, ablation: AblationResults, data: Path | None = None) -> None:
    """Write an ablation's report.

    Args:
        path: The HTML file; its folder is created.
        ablation: The results to report.
        data: Base folder of the protocol's path, for example queries; None for a report without them.

    Raises:
        DatasetError: The protocol's data set is missing or broken.
        MissingExtraError: matplotlib is not installed.
    """
    settings = ablation.settings
    folds = ablation.cross_validation
    plots = [*([plot_spread(ablation)] if ablation.final else []), plot_grid(ablation)]
    write_report(
        path,
        "ablation.html",
        title=settings["title"] or settings["name"],
        text=settings["text"].strip(),
        summary=(sentence(ablation) if folds is None else fold_sentence(folds)).replace("**", ""),
        verdicts=_verdicts(ablation) if folds is None else _fold_verdicts(folds),
        interval="seeds and photos" if folds is None else "photos and trainings, p-values by Holm's correction",
        columns=ablation.columns,
        rows=_rows(ablation),
        tuned=bool(ablation.tuning),
        plots=[Markup(plot) for plot in plots if plot],
        plots_note="" if folds is None else "Rings are folds; each averages over its own categories.",
        training_plot=Markup(plot_courses(ablation)) if ablation.final and folds is None else "",
        metrics=METRICS,
        tuning=_tuning(ablation),
        examples=_examples(ablation, data) if data is not None and ablation.tested and folds is None else [],
    )


def _verdicts(ablation: AblationResults) -> list[dict[str, str]]:
    return [
        {
            "hypothesis": verdict.hypothesis,
            "difference": shown_difference(verdict),
            "word": verdict.word,
            "kind": _STYLE_OF[verdict.word],
        }
        for verdict in ablation.verdicts()
    ]


def _fold_verdicts(folds: CrossValidation) -> list[dict[str, str]]:
    return [
        {
            "hypothesis": verdict.hypothesis,
            "difference": f"{shown_estimate(verdict)}, MDE {100 * verdict.decision.detectable:.1f}, "
            f"p {shown_p(verdict.decision.p)}",
            "word": verdict.decision.word,
            "kind": _STYLE_OF[verdict.decision.word],
        }
        for verdict in folds.verdicts
    ]


def _rows(ablation: AblationResults) -> list[dict[str, Any]]:
    """Rows of the table of metrics, one a configuration."""
    columns = ablation.columns
    means = {
        name: spread.mean
        for name in ablation.configurations
        if (spread := ablation.spread(name, "recall@1", columns[0][0]))
    }
    best = max(means, key=lambda name: means[name], default=None)
    rows = []
    for name in ablation.configurations:
        runs = ablation.final.get(name, [])
        rows.append(
            {
                "configuration": name,
                "best": name == best,
                "choice": shown_choice(runs[0]) if runs else "",
                "runs": len(runs),
                "cells": [_cell(ablation, name, split, metric) for split, metric in columns],
            }
        )
    return rows


def _cell(ablation: AblationResults, configuration: str, split: str, metric: str) -> str:
    """Mean and standard deviation over seeds; with folds, the average over all of them and its 95 % interval."""
    if ablation.cross_validation is not None:
        return shown_mean(ablation.cross_validation, configuration, metric)
    return str(ablation.spread(configuration, metric, split) or "–")


def _tuning(ablation: AblationResults) -> list[dict[str, Any]]:
    """Rows of the table of tuning runs, the best of each configuration first."""
    rows = []
    for configuration in ablation.configurations:
        runs = sorted(ablation.tuning.get(configuration, []), key=lambda run: -run.get("score", -1.0))
        for place, run in enumerate(runs):
            found = run.get("validation", {})
            rows.append(
                {
                    "configuration": configuration if place == 0 else "",
                    "best": place == 0,
                    "choice": shown_choice(run) + (f" ({run['failed']})" if "failed" in run else ""),
                    "cells": [f"{100 * found[name]:.1f}" if name in found else "–" for name in METRICS],
                }
            )
    return rows


def _examples(ablation: AblationResults, data: Path) -> list[dict[str, Any]]:
    """Example queries with the results of the first configuration and of the best others, first run each."""
    runs = _example_runs(ablation)
    protocol = ablation.settings["test"]
    dataset = dataset_spec(protocol["protocol"]).read(data / protocol["path"], allow_missing=True).dataset
    sketches = {sketch.key: sketch for sketch in dataset.sketches}
    images: dict[str, str] = {}
    examples = []
    for number, example in enumerate(next(iter(runs.values()))["test"]["examples"]):
        sketch = sketches[example["sketch"]]
        lines = []
        for configuration, run in runs.items():
            found = run["test"]["examples"][number]
            photos = [
                {"key": key, "image": _photo(key, dataset, images), "correct": key == sketch.photo}
                for key in found["photos"]
            ]
            lines.append({"configuration": configuration, "rank": found["rank"], "photos": photos})
        image = data_uri(rasterize_sketch(sketch.source, 2 * _SIDE), "PNG")
        examples.append({"image": image, "label": sketch.category or sketch.key, "lines": lines})
    return examples


def _example_runs(ablation: AblationResults) -> dict[str, Run]:
    """The first run of the first configuration and of the best others, by configuration."""
    first_runs = {
        name: runs[0] for name in ablation.configurations if (runs := ablation.final.get(name)) and "test" in runs[0]
    }
    means = {name: spread.mean for name in first_runs if (spread := ablation.spread(name, "recall@1"))}
    first, *others = first_runs
    chosen = [first, *sorted(others, key=lambda name: -means[name])[: _CONFIGURATIONS - 1]]
    return {name: run for name, run in first_runs.items() if name in chosen}


def _photo(key: str, dataset: SketchDataset, images: dict[str, str]) -> str:
    """A photo's ``data:`` URI; empty if the photo is missing."""
    if key not in images and key in dataset.photo_by_key:
        images[key] = data_uri(read_photo(dataset.photo_by_key[key].path, _SIDE), "JPEG")
    return images.get(key, "")
