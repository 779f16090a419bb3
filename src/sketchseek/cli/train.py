"""``sketchseek train`` and ``sketchseek export``."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from sketchseek.cli.need_torch import need_torch
from sketchseek.cli.output import json_option
from sketchseek.cli.progress import training_bars

if TYPE_CHECKING:
    from sketchseek.training.config import TrainConfig


@click.command(
    "train",
    epilog="Example: sketchseek train experiments/example.yaml --data ~/data --out runs/example",
)
@click.argument("experiment", type=click.Path(path_type=Path))
@click.option(
    "--data", type=click.Path(path_type=Path), default=Path(), help="Folder that the sources' paths are relative to."
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run.  [default: runs/<experiment>]")
@click.option("--cache", type=click.Path(path_type=Path), help="Folder for decoded pixels.  [default: <out>/../cache]")
@click.option("--threads", type=int, default=0, help="Number of torch threads; 0 for torch's default.")
@click.option(
    "--devices",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of GPUs, or of CPU processes; each takes its own batches.",
)
@click.option(
    "--nodes",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of machines that share the run's folder and cache. Start the same command on each, with MASTER_ADDR, "
    "MASTER_PORT and NODE_RANK set, or by torchrun.",
)
@click.option(
    "--decoders",
    "processes",
    type=click.IntRange(min=1),
    default=lambda: min(16, os.cpu_count() or 1),
    show_default="all cores, at most 16",
    help="Number of processes that decode pictures at the start.",
)
@click.option(
    "--evaluate/--no-evaluate",
    default=True,
    show_default=True,
    help="Evaluate at the end, if the experiment says on what.",
)
@click.option(
    "--log",
    "loggers",
    multiple=True,
    type=click.Choice(["tensorboard", "wandb"]),
    help="Also log to TensorBoard (files in the run's folder) or Weights & Biases (sends settings and metrics to its "
    "server). Can be repeated; nothing is sent unless you ask for it.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Take two steps with small networks of the same families and random weights, to check configuration and data. "
    "Downloads and keeps nothing.",
)
@json_option
def train_command(
    experiment: Path,
    data: Path,
    out: Path | None,
    cache: Path | None,
    threads: int,
    devices: int,
    nodes: int,
    processes: int,
    evaluate: bool,
    dry_run: bool,
    loggers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Train the EXPERIMENT (a YAML file). The same command resumes an interrupted run."""
    need_torch()
    import torch

    from sketchseek.training.config import load_config
    from sketchseek.training.dry_run import dry_run_config

    if threads:
        torch.set_num_threads(threads)
    config = load_config(experiment)
    if not dry_run:
        out = out or Path("runs") / experiment.stem
        _train(config, data, out, cache or out.parent / "cache", devices, evaluate, as_json, loggers, processes, nodes)
        return
    with tempfile.TemporaryDirectory(prefix="sketchseek-dry-run-") as folder:
        _train(dry_run_config(config), data, Path(folder), None, devices, evaluate, as_json)
    click.echo("The dry run ended well; its metrics mean nothing.", err=True)


def _train(
    config: TrainConfig,
    data: Path,
    out: Path,
    cache: Path | None,
    devices: int,
    evaluate: bool,
    as_json: bool,
    logger_names: tuple[str, ...] = (),
    processes: int = 1,
    nodes: int = 1,
) -> None:
    """Train, evaluate and print the result."""

    from sketchseek.training.data import load_sources
    from sketchseek.training.distributed import start_processes
    from sketchseek.training.final_evaluation import evaluate_run
    from sketchseek.training.loop import train
    from sketchseek.training.run_folder import save_experiment
    from sketchseek.training.run_loggers import LOGGERS, with_loggers

    group = start_processes(devices, nodes)
    splits = load_sources(
        config.sources, data, config.validation, config.validation_seed, config.evaluation_photos, config.fold
    )
    with group.main_process_first():
        save_experiment(out, config)
    if not group.is_main:
        train(config, splits, out, cache, group=group)
        return
    loggers = [LOGGERS[name](out, config) for name in logger_names]
    with training_bars() as bars:
        try:
            state = train(
                config, splits, out, cache, with_loggers(bars.events(config.steps), loggers), group, processes=processes
            )
        except KeyboardInterrupt:
            bars.console.print(f"Interrupted; the same command continues from the last checkpoint in {out}.")
            raise SystemExit(130) from None
        finally:
            for logger in loggers:
                logger.close()
        evaluation = None
        if evaluate and config.evaluation is not None:
            evaluation = evaluate_run(out, config.evaluation, data, bars.show)
    last = state.history[-1] if state.history else {}
    result = {"run": str(out), "steps": state.step, "best_step": state.best_step, "last": last}
    if evaluation is not None:
        result["evaluation"] = dataclasses.asdict(evaluation)
    click.echo(json.dumps(result) if as_json else f"{out}: {state.step} steps, best at {state.best_step}.")
    if evaluation is not None and not as_json:
        click.echo(str(evaluation))


@click.command("export", epilog="Example: sketchseek export runs/small --out models/small")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the model package.")
@click.option("--fp32", is_flag=True, help="Store weights in fp32 instead of fp16, at twice the size.")
@click.option("--license", "license_text", default="", help="Terms of the weights, for the manifest.")
@json_option
def export_command(run: Path, out: Path, fp32: bool, license_text: str, as_json: bool) -> None:
    """Export the best weights of a RUN as a model package, and compare its embeddings with the run's."""
    need_torch()
    from sketchseek.training.export import export_model
    from sketchseek.training.run_folder import load_run

    model, config, state = load_run(run)
    training = {"steps": state.best_step, "of": config.steps, "history": state.history}
    rows = [row for row in state.history if row["step"] == state.best_step]
    found = {name: value for row in rows for name, value in row.items() if name not in ("step", "loss", "seconds")}
    package, parity = export_model(
        model,
        config,
        out,
        half_weights=not fp32,
        license_text=license_text,
        training=training,
        scores={"validation": found} if found else {},
    )
    size = sum(package.file(branch).stat().st_size for branch in ("photo", "sketch"))
    result = {
        "package": str(out),
        "fingerprint": package.manifest.fingerprint,
        "bytes": size,
        "difference": parity.difference,
        "agreement": parity.agreement,
    }
    if as_json:
        click.echo(json.dumps(result))
    else:
        click.echo(
            f"{out}: {size / 1e6:.1f} MB; embeddings differ by at most {parity.difference:.4f} of their spread, "
            f"rankings agree for {parity.agreement:.0%} of queries."
        )


@click.command("quantize", epilog="Example: sketchseek quantize small --data ~/data --out models/small-int8")
@click.argument("model")
@click.option("--data", type=click.Path(path_type=Path), default=Path(), help="Data folder of the model's training.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the new model package.")
@click.option(
    "--count",
    type=click.IntRange(min=16),
    default=256,
    show_default=True,
    help="Number of calibration images per branch.",
)
@click.option(
    "--calibration",
    type=click.Choice(["minmax", "entropy", "percentile"]),
    default="minmax",
    show_default=True,
    help="Calibration method for activation ranges.",
)
@json_option
def quantize_command(
    model: str,
    data: Path,
    out: Path,
    count: int,
    calibration: Literal["minmax", "entropy", "percentile"],
    as_json: bool,
) -> None:
    """Quantize MODEL to INT8, and print how well the embeddings agree.

    Evaluate the result with `sketchseek evaluate` before you use it: some networks lose accuracy in INT8.
    """
    need_torch()
    from sketchseek.encoder import Encoder
    from sketchseek.models.package import load_model_package
    from sketchseek.training.quantization import agreement, calibration_set, quantize_model

    source = load_model_package(model)
    photos, sketches = calibration_set(source, data, 2 * count)
    seen, fresh = (photos[::2], sketches[::2]), (photos[1::2], sketches[1::2])
    made = quantize_model(source, seen, out, calibration)
    sizes = [sum(each.file(branch).stat().st_size for branch in ("photo", "sketch")) for each in (source, made)]
    result = {"package": str(out), "bytes": sizes[1], "bytes_before": sizes[0]}
    result |= agreement(Encoder(source), Encoder(made), fresh)
    if as_json:
        click.echo(json.dumps(result))
    else:
        click.echo(
            f"{out}: {sizes[1] / 1e6:.1f} MB instead of {sizes[0] / 1e6:.1f}; cosine to the embeddings before "
            f"{result['photo_cosine']:.3f} (photos), {result['sketch_cosine']:.3f} (sketches); "
            f"{result['first_ten_shared']:.0%} of the first ten photos shared."
        )
