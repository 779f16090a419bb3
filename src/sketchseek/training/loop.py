"""The training loop: batches, objective, schedule, moving average, checkpoints, validation."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from sketchseek.atomic_write import atomic_write
from sketchseek.errors import ConfigError, TrainingError
from sketchseek.evaluation.metrics import nearest
from sketchseek.evaluation.summary import exact_recall
from sketchseek.models.package import Distance
from sketchseek.progress import Progress, ignore_progress
from sketchseek.training.branch_inputs import BranchInputs
from sketchseek.training.checkpoint import (
    BEST,
    TrainingState,
    load_checkpoint,
    read_state,
    save_checkpoint,
)
from sketchseek.training.config import TrainConfig
from sketchseek.training.cross_batch_memory import CrossBatchMemory
from sketchseek.training.data import Parts, TrainingSet, read_pixels
from sketchseek.training.distributed import ProcessGroup
from sketchseek.training.ema import create_ema
from sketchseek.training.init_from import EXPERIMENT, load_best, load_init_from, read_experiment
from sketchseek.training.nn.from_package import recalibrate_batch_norm
from sketchseek.training.nn.model import BranchName, DualEncoder
from sketchseek.training.objective import Objective
from sketchseek.training.sealed_tensors import write_tensors


@dataclass(frozen=True)
class Events:
    """What a run tells its caller; every method does nothing by default.

    Attributes:
        progress: Called with what is decoded, how many are done, and of how many.
        step: Called after each step with its number and loss.
        evaluated: Called after each evaluation with its row.
    """

    progress: Progress = ignore_progress
    step: Callable[[int, float], None] = lambda number, loss: None
    evaluated: Callable[[dict[str, float]], None] = lambda row: None


def build_model(config: TrainConfig) -> DualEncoder:
    """The two encoders of an experiment, initialized by its seed."""
    torch.manual_seed(config.seed)
    return DualEncoder(
        config.sketch,
        config.photo,
        embedding=config.embedding,
        norm=config.norm,
        dropout=config.dropout,
        shared_weights=config.shared_weights,
    )


def save_experiment(folder: Path, config: TrainConfig) -> None:
    """Keep a run's settings beside its weights.

    Raises:
        ConfigError: The folder holds another experiment's run.
    """
    file = folder / EXPERIMENT
    if file.is_file() and read_experiment(file).fingerprint != config.fingerprint:
        raise ConfigError(f"{folder}: holds a run with other settings.", remedy="Train into another folder (--out).")
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(file, json.dumps(dataclasses.asdict(config), indent=1))


def load_run(folder: Path) -> tuple[DualEncoder, TrainConfig, TrainingState]:
    """The best weights of a run, its settings and how it went.

    Raises:
        ConfigError: There is no run in this folder, or it has no weights yet.
    """
    if not (folder / BEST).is_file() or not (folder / EXPERIMENT).is_file():
        raise ConfigError(
            f"{folder}: no trained run here.", remedy="Train one: sketchseek train EXPERIMENT --out FOLDER"
        )
    config = read_experiment(folder / EXPERIMENT)
    model = build_model(config)
    load_best(model, [folder])
    return model.eval(), config, read_state(folder, config.fingerprint)[0]


def train(
    config: TrainConfig,
    parts: Parts,
    folder: Path,
    cache: Path | None,
    events: Events | None = None,
    workers: ProcessGroup | None = None,
) -> TrainingState:
    """Train an experiment, or continue it from the folder's checkpoint.

    A run that was interrupted and continued gives the same weights as one that was not: batches and augmentation
    depend on the seed and the step (and the number of workers) alone.

    Args:
        config: The experiment.
        parts: What it trains on and what it chooses by (``load_sources``).
        folder: Where checkpoints, the best weights (``best.safetensors``) and ``progress.json`` go.
        cache: Where decoded pixels and the output of frozen stages are kept; None for nowhere.
        events: What to call on the way.
        workers: The processes that train together, of which this is one; none by default. Each step takes one batch
            of each, and the mean of their gradients.

    Raises:
        ConfigError: The folder holds another experiment's run.
        DatasetError: Nothing could be read.
        TrainingError: The loss is no longer finite.
    """
    events = events or Events()
    workers = workers or ProcessGroup()
    if config.cross_batch_memory and workers.count > 1:
        raise ConfigError(
            "cross_batch_memory: not with several devices.",
            remedy="Set cross_batch_memory to 0, or train on one device.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    device = workers.device
    model = build_model(config)
    exported = load_init_from(model, config)
    model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    ema = create_ema(model, config.ema) if config.ema else None
    evaluated = model if ema is None else cast(DualEncoder, ema.module)
    optimizer = torch.optim.AdamW(_groups(model, config), lr=config.learning_rate)
    memory = (
        CrossBatchMemory(config.cross_batch_memory, model.embedding).to(device) if config.cross_batch_memory else None
    )
    stateful = {"model": model, "ema": ema, "memory": memory}
    kept = {name: module for name, module in stateful.items() if module is not None}
    state = load_checkpoint(folder, config.fingerprint, kept, optimizer)
    if config.steps == 0:
        if workers.first:
            write_tensors(folder / BEST, model.state_dict())
        return state
    if state.step >= config.steps:
        return state
    with workers.first_alone():
        data = read_pixels(parts.training, config.photo.size, config.sketch.size, cache, events.progress)
        if state.step == 0:
            for encoders in {id(each): each for each in (model, evaluated)}.values():
                _recalibrate(encoders, exported, data)
        objective = Objective(config, model, data, memory, cache, events.progress)
        held, held_sides = None, None
        if parts.validation.sketches:
            held = read_pixels(parts.validation, config.photo.size, config.sketch.size, cache, events.progress)
            keep: dict[str, Any] = {"mirrored": False, "cache": cache, "progress": events.progress}
            held_sides = (
                BranchInputs(model.sketch, held.sketch_pixels, **keep),
                BranchInputs(model.photo, held.photo_pixels, **keep),
            )
    recent: list[float] = []
    started = time.perf_counter()
    model.train()
    while state.step < config.steps:
        number = state.step
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * _schedule(number, config)
        loss = objective.loss(number * workers.count + workers.rank)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        mean = workers.average_gradients(model, loss)
        nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip_norm)
        optimizer.step()
        workers.average_statistics(model)
        if ema is not None:
            ema.update_parameters(model)
        recent.append(float(mean))
        if not math.isfinite(recent[-1]):
            raise TrainingError(
                f"{config.name}: the loss is {recent[-1]} at step {number + 1}.",
                remedy="Lower learning_rate, or gradient_clip_norm.",
            )
        state.step += 1
        events.step(state.step, recent[-1])
        if state.step % config.evaluate_every == 0 or state.step == config.steps:
            row = {
                "step": float(state.step),
                "loss": float(np.mean(recent)),
                "seconds": time.perf_counter() - started,
            }
            recent.clear()
            if workers.first:
                if held is not None:
                    row |= validate(evaluated, held, config.distance, held_sides)
                _keep_best(folder, state, row, evaluated)
                save_checkpoint(folder, state, kept, optimizer)
                events.evaluated(row)
            workers.wait()
            model.train()
    return state


def _recalibrate(model: DualEncoder, exported: list[BranchName], data: TrainingSet) -> None:
    """Measure the statistics of encoders that come from a package, if any of their stages train on."""
    for side in exported:
        if any(parameter.requires_grad for parameter in model.side(side).parameters()):
            pixels = data.sketch_pixels if side == "sketch" else data.photo_pixels
            recalibrate_batch_norm(model.side(side), torch.from_numpy(pixels[:: max(1, len(pixels) // 128)]))


@torch.no_grad()
def validate(
    model: DualEncoder,
    held: TrainingSet,
    distance: Distance = "cosine",
    sides: tuple[BranchInputs, BranchInputs] | None = None,
) -> dict[str, float]:
    """Find each sketch's own photo among all held-out photos.

    Args:
        model: The encoders.
        held: The held-out part.
        distance: How embeddings are compared.
        sides: Its sketches and photos, where their frozen stages' output is at hand.

    Returns:
        ``recall@1``, ``@5``, ``@10``, ``median_rank``, and ``category@1``: how often the first photo is of the
        category.
    """
    was = model.training
    model.eval()
    paired = np.flatnonzero(held.sketch_photo >= 0)
    if sides is None:
        queries, gallery = embed(model, "sketch", held.sketch_pixels), embed(model, "photo", held.photo_pixels)
    else:
        queries, gallery = sides[0].embed_all(model.sketch), sides[1].embed_all(model.photo)
    queries = queries[paired]
    model.train(was)
    if distance == "cosine":  # evaluation expects unit length, as exported packages give it
        queries, gallery = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (queries, gallery))
    first = nearest(queries, gallery, 1, distance=distance)
    hits = held.photo_category[first[:, 0]] == held.sketch_category[paired]
    recall = exact_recall(queries, gallery, held.sketch_photo[paired], distance=distance)
    return recall | {"category@1": float(np.mean(hits))}


@torch.no_grad()
def embed(model: DualEncoder, side: BranchName, pixels: Any, batch: int = 64) -> Any:
    """Embeddings of uint8 pixels, (n, d) float32, in evaluation mode as the model is."""
    encoder = model.side(side)
    device = encoder.mean.device
    rows = [
        encoder(torch.from_numpy(np.ascontiguousarray(pixels[i : i + batch])).to(device)).float().cpu().numpy()
        for i in range(0, len(pixels), batch)
    ]
    return np.concatenate(rows)


def _keep_best(folder: Path, state: TrainingState, row: dict[str, float], judged: DualEncoder) -> None:
    """Add an evaluation to the history; keep the weights if none were better (the last ones, without validation)."""
    score = row["recall@1"] + row["recall@10"] if "recall@1" in row else float(state.step)
    state.history.append(row)
    if score >= state.best:
        state.best, state.best_step = score, state.step
        write_tensors(folder / BEST, judged.state_dict())


def _groups(model: DualEncoder, config: TrainConfig) -> list[dict[str, Any]]:
    """Parameter groups: heads and backbones apart; no weight decay on what is not a matrix."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((".backbone." in name, parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "peak": config.learning_rate * (config.learning_rate_multiplier if backbone else 1.0),
            "weight_decay": config.weight_decay if matrix else 0.0,
        }
        for (backbone, matrix), parameters in sorted(groups.items())
    ]


def _schedule(step: int, config: TrainConfig) -> float:
    """A linear rise, then half a cosine down to a hundredth."""
    if step < config.warmup:
        return (step + 1) / config.warmup
    done = (step - config.warmup) / max(1, config.steps - config.warmup)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))
