"""``sketchseek compare``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sketchseek.cli.need_torch import need_torch
from sketchseek.cli.output import json_option
from sketchseek.cli.progress import TrainingBars, training_bars

if TYPE_CHECKING:
    from sketchseek.ablations.results import AblationResults
    from sketchseek.ablations.run import Job, RunCallbacks

_PATH = click.Path(path_type=Path)


@click.command(
    "compare",
    epilog="Example: sketchseek compare experiments/ablations/losses.yaml --data ~/data --out runs/losses",
)
@click.argument("ablation", type=_PATH)
@click.option(
    "--data", type=_PATH, default=Path(), help="Base folder of the paths in the ablation.  [default: current folder]"
)
@click.option(
    "--out",
    type=_PATH,
    help="Folder for report.html, report.md, report.tex and unfinished runs.  [default: runs/compare/<ablation>]",
)
@click.option("--store", type=_PATH, help="Folder of the table of results, <name>.jsonl.  [default: <out>]")
@click.option("--cache", type=_PATH, help="Folder for decoded pixels and frozen features.  [default: <out>/cache]")
@click.option(
    "--max-runs", type=click.IntRange(min=0), help="Maximum number of runs; 0 only writes the report.  [default: all]"
)
@click.option("--prune", is_flag=True, help="Delete stored runs whose settings the ablation no longer asks for.")
@click.option("--threads", type=int, default=0, help="Number of torch threads; 0 lets torch choose.")
@click.option(
    "--devices",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of GPUs, or of CPU processes, that train each run together.",
)
@json_option
def compare_command(
    ablation: Path,
    data: Path,
    out: Path | None,
    store: Path | None,
    cache: Path | None,
    max_runs: int | None,
    prune: bool,
    threads: int,
    devices: int,
    as_json: bool,
) -> None:
    """Run every configuration of ABLATION (a YAML file) with all seeds and write one report.

    Run the same command again to continue: finished runs are skipped, an interrupted run resumes. Settings are tuned
    on the validation split only. Each final run reads the test split once, or is tested on a fold that it did not see.
    """
    need_torch()
    import torch

    from sketchseek.ablations.config import load_ablation
    from sketchseek.ablations.html_report import write_ablation_report
    from sketchseek.ablations.results import load_results, markdown, results_table
    from sketchseek.ablations.run import Folders, count_jobs, run_ablation
    from sketchseek.training.distributed import start_processes

    if threads:
        torch.set_num_threads(threads)
    loaded = load_ablation(ablation)
    out = out or Path("runs/compare") / ablation.stem
    folders = Folders(data, out / "runs", store or out, cache or out / "cache")
    group = start_processes(devices)
    if not group.is_main:
        run_ablation(loaded, folders, max_runs=max_runs, prune=prune, group=group)
        return
    with training_bars() as bars:
        try:
            table = run_ablation(
                loaded, folders, max_runs=max_runs, prune=prune, callbacks=_callbacks(bars), group=group
            )
        except KeyboardInterrupt:
            bars.console.print("Interrupted. Run the same command again to continue.")
            raise SystemExit(130) from None
    stored = load_results(table.path)
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.md").write_text(markdown(stored), encoding="utf-8")
    results_table(stored).write(out / "report.tex")
    write_ablation_report(out / "report.html", stored, data)
    done, total = count_jobs(loaded, table)
    if as_json:
        click.echo(json.dumps(_summary(stored, done, total, out), ensure_ascii=False))
    else:
        click.echo(f"{done} of {total} runs done. Reports: {out / 'report.html'}, .md and .tex")


def _callbacks(bars: TrainingBars) -> RunCallbacks:
    from sketchseek.ablations.run import RunCallbacks

    def started(job: Job, number: int, total: int) -> None:
        choice = ", ".join(f"{path.split('.')[-1]} {value}" for path, value in job.choice.items())
        label = f"{job.configuration}, {job.purpose}, seed {job.config.seed}{', ' if choice else ''}{choice}"
        bars.console.rule(f"run {number} of {total}: {label}", align="left")
        bars.show("runs", number - 1, total)

    def finished(job: Job, result: dict[str, Any]) -> None:
        if "failed" in result:
            bars.console.print(f"failed: {result['failed']}", markup=False)
        if "test" in result:
            bars.row(
                {f"test {name}": result["test"]["metrics"][name] for name in ("recall@1", "recall@5", "recall@10")}
            )

    return RunCallbacks(
        started, lambda job: bars.events(job.config.steps), lambda w, d, t: bars.show(f"test {w}", d, t), finished
    )


def _summary(stored: AblationResults, done: int, total: int, out: Path) -> dict[str, Any]:
    from sketchseek.ablations.results import METRICS

    def metrics(configuration: str, part: str) -> dict[str, Any]:
        found = {name: stored.spread(configuration, name, part) for name in METRICS}
        return {
            name: {"mean": spread.mean, "deviation": spread.deviation, "values": list(spread.values)}
            for name, spread in found.items()
            if spread is not None
        }

    return {
        "ablation": stored.settings["name"],
        "report": str(out / "report.html"),
        "runs_done": done,
        "runs": total,
        "configurations": {
            configuration: {part: metrics(configuration, part) for part in ("validation", "test")}
            for configuration in stored.configurations
        },
        "hypotheses": _hypotheses(stored),
    }


def _hypotheses(stored: AblationResults) -> list[dict[str, Any]]:
    if stored.cross_validation is not None:
        return [
            {
                "hypothesis": verdict.hypothesis,
                "metric": verdict.metric,
                "difference": verdict.decision.difference,
                "interval": list(verdict.decision.interval),
                "detectable": verdict.decision.detectable,
                "p": verdict.decision.p,
                "verdict": verdict.decision.word,
            }
            for verdict in stored.cross_validation.verdicts
        ]
    return [
        {
            "hypothesis": verdict.hypothesis,
            "metric": verdict.metric,
            "difference": verdict.difference,
            "interval": list(verdict.interval),
            "verdict": verdict.word,
        }
        for verdict in stored.verdicts()
    ]
