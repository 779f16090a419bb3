"""``sketchseek compare``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sketchseek.cli.training_progress import TrainingBars, need_torch, training_bars

if TYPE_CHECKING:
    from sketchseek.ablations.run import Job, Watching
    from sketchseek.ablations.stored import StoredAblation

_PATH = click.Path(path_type=Path)


@click.command(
    "compare",
    epilog="Example: sketchseek compare experiments/ablations/losses.yaml --data ~/data --out runs/losses",
)
@click.argument("ablation", type=_PATH)
@click.option("--data", type=_PATH, default=Path(), help="Folder that the paths in the ablation start from.")
@click.option(
    "--out",
    type=_PATH,
    help="Folder of the ablation: runs under way, report.html, report.md.  [default: runs/compare/<ablation>]",
)
@click.option("--store", type=_PATH, help="Folder for small results, one JSON file a run.  [default: <out>/results]")
@click.option(
    "--cache", type=_PATH, help="Folder for decoded pixels and frozen stages' outputs.  [default: <out>/cache]"
)
@click.option("--most", type=click.IntRange(min=0), help="Do at most so many runs, then report; 0 only reports.")
@click.option("--prune", is_flag=True, help="Delete stored results of settings that the ablation no longer asks for.")
@click.option("--threads", type=int, default=0, help="Threads of torch; 0 for its own choice.")
@click.option("--json", "as_json", is_flag=True, help="Print the metrics as JSON.")
def compare_command(
    ablation: Path,
    data: Path,
    out: Path | None,
    store: Path | None,
    cache: Path | None,
    most: int | None,
    prune: bool,
    threads: int,
    as_json: bool,
) -> None:
    """Run every configuration of a STUDY (a YAML file) with its seeds, and write one report.

    Runs that are finished are not repeated, and an interrupted one is continued: the same command goes on. Settings
    are tuned on the validation part only; the test part is read once by each final run.
    """
    need_torch()
    import torch

    from sketchseek.ablations.config import load_ablation
    from sketchseek.ablations.html_report import write_compared_page
    from sketchseek.ablations.run import Folders, count_jobs, run_ablation
    from sketchseek.ablations.stored import load_stored, markdown

    if threads:
        torch.set_num_threads(threads)
    loaded = load_ablation(ablation)
    out = out or Path("runs/compare") / ablation.stem
    folders = Folders(data, out / "runs", store or out / "results", cache or out / "cache")
    with training_bars() as bars:
        try:
            run_ablation(loaded, folders, most=most, prune=prune, watching=_watching(bars))
        except KeyboardInterrupt:
            bars.console.print("Interrupted; the same command continues.")
            raise SystemExit(130) from None
    stored = load_stored(folders.store)
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.md").write_text(markdown(stored), encoding="utf-8")
    write_compared_page(out / "report.html", stored, data)
    done, total = count_jobs(loaded, folders.store)
    if as_json:
        click.echo(json.dumps(_summary(stored, done, total, out), ensure_ascii=False))
    else:
        click.echo(f"{done} of {total} runs done; {out / 'report.html'} and {out / 'report.md'} say what they found.")


def _watching(bars: TrainingBars) -> Watching:
    from sketchseek.ablations.run import Watching

    def began(job: Job, number: int, total: int) -> None:
        choice = ", ".join(f"{path.split('.')[-1]} {value}" for path, value in job.choice.items())
        label = f"{job.configuration}, {job.purpose}, seed {job.config.seed}{', ' if choice else ''}{choice}"
        bars.console.rule(f"run {number} of {total}: {label}", align="left")
        bars.show("runs", number - 1, total)

    def ended(job: Job, result: dict[str, Any]) -> None:
        if "failed" in result:
            bars.console.print(f"failed: {result['failed']}", markup=False)
        if "test" in result:
            bars.row(
                {f"test {name}": result["test"]["metrics"][name] for name in ("recall@1", "recall@5", "recall@10")}
            )

    return Watching(
        began, lambda job: bars.events(job.config.steps), lambda w, d, t: bars.show(f"test {w}", d, t), ended
    )


def _summary(stored: StoredAblation, done: int, total: int, out: Path) -> dict[str, Any]:
    from sketchseek.ablations.stored import FIGURES

    def metrics(configuration: str, part: str) -> dict[str, Any]:
        found = {name: stored.spread(configuration, name, part) for name in FIGURES}
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
        "hypotheses": [
            {
                "hypothesis": verdict.hypothesis,
                "figure": verdict.metric,
                "difference": verdict.difference,
                "interval": list(verdict.interval),
                "verdict": verdict.word,
            }
            for verdict in stored.verdicts()
        ],
    }
