"""The training loop."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from sketchseek.datasets.same_pictures import require_no_same_pictures
from sketchseek.errors import TrainingError
from sketchseek.progress import Progress, ignore_progress
from sketchseek.training.checkpoint import BEST, TrainingState, load_checkpoint, save_checkpoint
from sketchseek.training.config import TrainConfig
from sketchseek.training.cross_batch_memory import CrossBatchMemory
from sketchseek.training.data import DataSplits, TrainingSet, read_pixels
from sketchseek.training.distributed import ProcessGroup, check_processes, synchronize_batch_norm
from sketchseek.training.ema import create_ema
from sketchseek.training.init_from import load_init_from
from sketchseek.training.loss_scaler import LossScaler
from sketchseek.training.nn.from_package import recalibrate_batch_norm
from sketchseek.training.nn.model import BranchName, DualEncoder
from sketchseek.training.objective import Objective
from sketchseek.training.optimizer import create_optimizer, create_schedule
from sketchseek.training.run_folder import build_model
from sketchseek.training.sealed_tensors import write_tensors
from sketchseek.training.validation import ValidationSet

_READ_EVERY = 10  # steps after which a GPU's losses are read
_CALIBRATION = 128  # approximate number of images that batch norm is recalibrated with


@dataclass(frozen=True)
class Events:
    """Callbacks of a training; the defaults do nothing.

    Attributes:
        progress: Called while data is prepared, with the stage, the number done and the total.
        step: Called after each step with its number and loss.
        evaluated: Called after each evaluation with its row: step, loss, seconds and validation metrics.
    """

    progress: Progress = ignore_progress
    step: Callable[[int, float], None] = lambda number, loss: None
    evaluated: Callable[[dict[str, float]], None] = lambda row: None


def train(
    config: TrainConfig,
    splits: DataSplits,
    folder: Path,
    cache: Path | None,
    events: Events | None = None,
    group: ProcessGroup | None = None,
    *,
    processes: int = 1,
) -> TrainingState:
    """Train an experiment, or resume it from the folder's checkpoint.

    An interrupted and resumed run ends with the same weights as an uninterrupted one: batches and augmentation depend
    only on the seed, the step and the number of processes.

    Args:
        config: The experiment.
        splits: Training and validation data (``load_sources``).
        folder: Folder for checkpoints, the best weights (``best.safetensors``) and ``progress.json``.
        cache: Folder that keeps decoded pixels and the output of frozen stages; None for no cache.
        events: Callbacks.
        group: The processes that train together; None for a single process. Each process takes its own batch in each
            step, and gradients are averaged.
        processes: Number of processes that decode pictures which the cache lacks. With more than one, a script that
            calls this needs ``if __name__ == "__main__":``.

    Returns:
        The state of the run after its last step.

    Raises:
        ConfigError: The folder holds a run of another experiment, or several processes cannot train it.
        DatasetError: No photo or no sketch could be read, or a photo is a copy of an evaluation photo.
        TrainingError: The loss is not finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(config, folder, cache, events or Events(), group or ProcessGroup())
    if config.steps == 0:
        run.write_initial_weights()
    elif run.state.step < config.steps:
        run.prepare(splits, processes)
        run.run_steps()
    return run.state


class _Run:
    """One process's model, optimizer and data during a training."""

    def __init__(
        self, config: TrainConfig, folder: Path, cache: Path | None, events: Events, group: ProcessGroup
    ) -> None:
        check_processes(config, group)
        self.config = config
        self.folder = folder
        self.cache = cache
        self.events = events
        self.group = group
        model = build_model(config)
        self.from_packages = load_init_from(model, config)
        self.model: DualEncoder = model.to(group.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = create_ema(self.model, config.ema) if config.ema else None
        self.evaluated = self.model if self.ema is None else cast(DualEncoder, self.ema.module)
        self.memory: CrossBatchMemory | None = None
        if config.cross_batch_memory:
            self.memory = CrossBatchMemory(config.cross_batch_memory, self.model.embedding).to(group.device)
        self.trained = [each for each in self.model.parameters() if each.requires_grad]
        self.optimizer = create_optimizer(self.model, config)
        self.scaler = LossScaler(group.device, enabled=config.precision == "fp16")
        scaler = self.scaler if config.precision == "fp16" else None
        stateful = {"model": self.model, "ema": self.ema, "memory": self.memory, "scaler": scaler}
        self.modules = {name: module for name, module in stateful.items() if module is not None}
        self.state = load_checkpoint(folder, config.fingerprint, self.modules, self.optimizer)
        self.schedule = create_schedule(self.optimizer, config, self.state.step)
        if config.compile:
            for stage in {*self.model.sketch.stages, *self.model.photo.stages}:  # the branches may share stages
                stage.compile()
        self.unread: list[Tensor] = []  # losses of steps that may still run on the device
        self.losses: list[float] = []  # since the last evaluation
        self.objective: Objective | None = None
        self.validation: ValidationSet | None = None

    def write_initial_weights(self) -> None:
        """Make the initial weights the run's best ones."""
        if self.group.is_main:
            write_tensors(self.folder / BEST, self.model.state_dict())

    def prepare(self, splits: DataSplits, processes: int = 1) -> None:
        """Read the data and compute the output of frozen stages. The main process does it first and fills the cache."""
        config, cache, progress = self.config, self.cache, self.events.progress
        if self.state.step == 0 and self.group.is_main:
            photos = [*splits.training.photos, *splits.validation.photos]
            require_no_same_pictures(photos, splits.evaluation_photos, progress)
        with self.group.main_process_first():
            data = read_pixels(splits.training, config.photo.size, config.sketch.size, cache, progress, processes)
            if self.state.step == 0:
                self._recalibrate(data)
            self.objective = Objective(config, self.model, data, self.memory, cache, progress, group=self.group)
            if splits.validation.sketches:
                held_out = read_pixels(
                    splits.validation, config.photo.size, config.sketch.size, cache, progress, processes
                )
                self.validation = ValidationSet(self.model, held_out, cache, progress)

        if config.sync_batch_norm and self.group.world_size > 1:  # now that every process has measured on its own
            synchronize_batch_norm(self.model)

    def run_steps(self) -> None:
        """Take the remaining steps, with an evaluation and a checkpoint every ``evaluate_every`` steps."""
        config, state = self.config, self.state
        started = time.perf_counter()
        self.model.train()
        while state.step < config.steps:
            self._step()
            if state.step % config.evaluate_every == 0 or state.step == config.steps:
                self._tell_losses()
                seconds = time.perf_counter() - started
                self._evaluate({"step": float(state.step), "loss": float(np.mean(self.losses)), "seconds": seconds})
                self.losses.clear()

    def _step(self) -> None:
        """Take one step. On a GPU, nothing waits for it: its loss is read after a few more."""
        assert self.objective is not None
        config, group, state = self.config, self.group, self.state
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.zeros((), device=group.device)
        for turn in range(config.accumulate):
            number = (state.step * config.accumulate + turn) * group.world_size + group.rank
            part = self.objective.loss(number) / config.accumulate
            self.scaler.scale(part).backward()
            loss = loss + part.detach()
        self.unread.append(group.average_gradients(self.model, loss))
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.trained, config.gradient_clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        with warnings.catch_warnings():  # a first step that fp16 leaves out is no step for the schedule
            warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
            self.schedule.step()
        group.average_statistics(self.model)
        if self.ema is not None:
            self.ema.update_parameters(self.model)
        state.step += 1
        if len(self.unread) >= (_READ_EVERY if group.device.type == "cuda" else 1):
            self._tell_losses()

    def _tell_losses(self) -> None:
        """Read the losses of the last steps, check them and pass them on."""
        if not self.unread:
            return
        losses = torch.stack(self.unread).tolist()
        self.unread.clear()
        for number, loss in enumerate(losses, self.state.step - len(losses) + 1):
            if not math.isfinite(loss):
                raise TrainingError(
                    f"the loss is {loss} at step {number}.",
                    subject=self.config.name,
                    remedy="Lower learning_rate or gradient_clip_norm.",
                )
            self.losses.append(loss)
            self.events.step(number, loss)

    def _evaluate(self, row: dict[str, float]) -> None:
        """Validate, store the best weights and write a checkpoint, in the main process; the others wait."""
        if self.group.is_main:
            if self.validation is not None:
                row |= self.validation.metrics(self.evaluated, self.config.distance)
            self._keep_best(row)
            save_checkpoint(self.folder, self.state, self.modules, self.optimizer)
            self.events.evaluated(row)
        self.group.barrier()
        self.model.train()

    def _keep_best(self, row: dict[str, float]) -> None:
        """Add an evaluation to the history; store the weights if none were better. Without validation, the last win."""
        state = self.state
        score = row["recall@1"] + row["recall@10"] if "recall@1" in row else float(state.step)
        state.history.append(row)
        if score >= state.best:
            state.best, state.best_step = score, state.step
            write_tensors(self.folder / BEST, self.evaluated.state_dict())

    def _recalibrate(self, data: TrainingSet) -> None:
        """Measure the batch statistics of branches that come from a model package and are trained further."""
        for model in {id(each): each for each in (self.model, self.evaluated)}.values():
            for name in self.from_packages:
                _recalibrate_branch(model, name, data)


def _recalibrate_branch(model: DualEncoder, name: BranchName, data: TrainingSet) -> None:
    encoder = model.branch(name)
    if any(parameter.requires_grad for parameter in encoder.parameters()):
        pixels = data.sketch_pixels if name == "sketch" else data.photo_pixels
        recalibrate_batch_norm(encoder, torch.from_numpy(pixels[:: max(1, len(pixels) // _CALIBRATION)]))
