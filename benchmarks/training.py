"""Training steps of sketchseek, bare PyTorch and pytorch-metric-learning on the same model, batches and optimizer.

    python benchmarks/training.py [--backbone NAME] [--frozen N] [--size N] [--steps N] [--json]
    python benchmarks/training.py --device cuda --frozen 0 --size 224 --categories 32 --photos 4 --precision bf16

Each line runs in a process of its own:

- ``random tensors``: the model is fed the same random pixels, which lie on the device: what the device can do at most;
- ``bare PyTorch``: a batch's pixels from main memory, both encoders, a triplet loss in a few lines, backward, clip,
  AdamW;
- ``pytorch-metric-learning``: the same with its triplet loss;
- ``sketchseek, nothing kept``: ``Objective`` and the loop's optimizer, without the output of frozen stages;
- ``sketchseek, augmented``: also with the augmentation of ``experiments/paper`` (sketches and photos);
- ``sketchseek``: as in training, where the output of frozen stages is computed once.

On a CPU it is one thread, and times are processor seconds of a step (medians). On a GPU the clock stops when the device
has finished all steps, and memory is the device's. The second table splits a step of sketchseek; on a GPU it waits for
the device after each part, so the parts add up to more than a step.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from torch import Tensor, nn

from sketchseek.datasets.records import Photo, Sketch
from sketchseek.training import objective as objective_module
from sketchseek.training.config import TrainConfig, parse_config
from sketchseek.training.data import TrainingSet
from sketchseek.training.nn.model import DualEncoder
from sketchseek.training.objective import Objective
from sketchseek.training.optimizer import create_optimizer
from sketchseek.training.run_folder import build_model
from sketchseek.training.sampling import CategorySampler

KINDS = {
    "random tensors": "random",
    "bare PyTorch": "bare",
    "pytorch-metric-learning": "pml",
    "sketchseek, nothing kept": "whole",
    "sketchseek, augmented": "augmented",
    "sketchseek": "kept",
}
AUGMENT = {"flip": 0.5, "rotate": 12, "scale": 0.15, "shift": 0.05, "thickness": 0.3} | {
    "crop": 0.3,
    "color": 0.3,
    "gray": 0.1,
}
MARGIN = 0.2
PHOTOS = 12  # of each category in the data


def synthetic(config: TrainConfig) -> TrainingSet:
    """Random pictures: twice the categories of a batch, twelve photos each, each drawn twice."""
    random = np.random.default_rng(0)
    categories = 2 * config.batch.categories
    category = np.repeat(np.arange(categories), PHOTOS)
    own = np.repeat(np.arange(len(category)), 2)
    size, drawn = config.photo.size, config.sketch.size
    return TrainingSet(
        [Photo(Path(str(i)), str(c), str(i)) for i, c in enumerate(category)],
        [Sketch(str(category[p]), f"{p}-{i}", str(p)) for i, p in enumerate(own)],
        random.integers(0, 256, (len(category), size, size, 3), dtype=np.uint8),
        random.integers(0, 256, (len(own), drawn, drawn), dtype=np.uint8),
        category,
        category[own],
        np.zeros(len(category), dtype=np.int64),
        own,
        np.zeros(len(own), dtype=np.bool_),
        [str(i) for i in range(categories)],
        [],
    )


def triplet(sketches: Tensor, labels: Tensor, photos: Tensor, photo_labels: Tensor) -> Tensor:
    """All triplets of a batch, averaged over those that violate the margin."""
    distance = torch.cdist(sketches, photos)
    same = labels[:, None] == photo_labels[None]
    positive = (distance * same).sum(dim=1, keepdim=True) / same.sum(dim=1, keepdim=True).clamp(min=1)
    loss = (MARGIN + positive - distance).relu() * ~same
    return loss.sum() / (loss > 0).sum().clamp(min=1)


def plain_loss(kind: str, config: TrainConfig, model: DualEncoder, data: TrainingSet) -> Callable[[int], Tensor]:
    """The loss of a batch without sketchseek's objective."""
    device = model.photo.mean.device
    sampler = CategorySampler(
        data.photo_category, data.sketch_category, data.sketch_photo, data.photo_source, config.batch, config.seed
    )
    theirs = TripletMarginLoss(margin=MARGIN, distance=LpDistance(normalize_embeddings=False))
    first = sampler.batch(0)
    fixed = [
        torch.from_numpy(pixels[places]).to(device)
        for pixels, places in ((data.sketch_pixels, first.sketches), (data.photo_pixels, first.photos))
    ]

    def loss_of(number: int) -> Tensor:
        batch = first if kind == "random" else sampler.batch(number)
        pixels = fixed
        if kind != "random":
            pixels = [
                torch.from_numpy(data.sketch_pixels[batch.sketches]).to(device, non_blocking=True),
                torch.from_numpy(data.photo_pixels[batch.photos]).to(device, non_blocking=True),
            ]
        with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            sketches, photos = model.sketch(pixels[0]).float(), model.photo(pixels[1]).float()
        labels = torch.from_numpy(data.sketch_photo[batch.sketches]).to(device)
        photo_labels = torch.from_numpy(batch.photos).to(device)
        if kind == "pml":
            value: Tensor = theirs(sketches, labels, ref_emb=photos, ref_labels=photo_labels)
            return value
        return triplet(sketches, labels, photos, photo_labels)

    return loss_of


class Parts:
    """Seconds of the parts of a step."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device

    def now(self) -> float:
        """The clock: of the processor, or, on a GPU, of the wall when the device has finished."""
        if self._device.type == "cuda":
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Add the seconds of the block to a part."""
        begun = self.now()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + self.now() - begun

    def watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that is timed as a part."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return function(*args, **kwargs)

        return timed


def breakdown(config: TrainConfig, objective: Objective, model: DualEncoder, steps: int) -> dict[str, float]:
    """Seconds of each part of a step of sketchseek."""
    parts = Parts(model.photo.mean.device)
    optimizer = create_optimizer(model, config)
    objective._batches.get = parts.watched("batch", objective._batches.get)  # type: ignore[method-assign]
    objective._term = parts.watched("losses", objective._term)  # type: ignore[method-assign]
    for name in ("augment_sketches", "augment_photos"):
        setattr(objective_module, name, parts.watched("augmentation", getattr(objective_module, name)))
    for number in range(steps + 1):
        if number == 1:  # the first warms up
            parts.seconds.clear()
        with parts.part("forward"):
            loss = objective.loss(number)
        with parts.part("backward"):
            loss.backward()
        with parts.part("optimizer"):
            nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    inner = sum(parts.seconds.get(name, 0.0) for name in ("batch", "augmentation", "losses"))
    parts.seconds["forward"] -= inner
    order = ("batch", "augmentation", "forward", "losses", "backward", "optimizer")
    return {name: parts.seconds.get(name, 0.0) / steps for name in order}


def run(kind: str, config: TrainConfig, steps: int, device: torch.device) -> dict[str, Any]:
    """Steps of one kind: seconds before the first and for each, and peak memory."""
    torch.set_num_threads(1)
    data = synthetic(config)
    model = build_model(config).train()
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = create_optimizer(model, config)
    clock = Parts(device)
    started = clock.now()
    parts: dict[str, float] = {}
    if kind in ("random", "bare", "pml"):
        loss_of = plain_loss(kind, config, model, data)
    else:
        objective = Objective(config, model, data, None, None, lambda *_: None)
        if kind != "kept":
            objective._batches.photos._features = objective._batches.sketches._features = None
        loss_of = objective.loss
    ready = begun = clock.now()
    times = []
    for number in range(steps + 2):
        if number == 2:  # the first two warm up
            begun = clock.now()
        before = time.process_time()
        optimizer.zero_grad(set_to_none=True)
        loss_of(number).backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip_norm)
        optimizer.step()
        if number > 1:
            times.append(time.process_time() - before)
    cuda = device.type == "cuda"
    seconds = (clock.now() - begun) / steps if cuda else float(np.median(times))
    memory = torch.cuda.max_memory_allocated() if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if kind not in ("random", "bare", "pml"):
        parts = breakdown(config, objective, model, steps)
    batch = config.batch
    pictures = batch.categories * batch.photos * (1 + batch.sketches)
    return {
        "kind": next(name for name, key in KINDS.items() if key == kind),
        "seconds_before": ready - started,
        "seconds_a_step": seconds,
        "pictures_a_second": pictures / seconds,
        "peak_megabytes": memory / 2**20,
        "parts": parts,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--frozen", type=int, default=7)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--categories", type=int, default=6)
    parser.add_argument("--photos", type=int, default=6)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", choices=list(KINDS.values()), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(run(args.one, experiment(args), args.steps, torch.device(args.device))))
        return
    rows: list[dict[str, Any]] = []
    for kind in KINDS.values():
        call = [sys.executable, __file__, *sys.argv[1:], "--one", kind]
        done = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    print(json.dumps(rows, indent=1) if args.json else table(rows))


def experiment(args: argparse.Namespace) -> TrainConfig:
    """The experiment that all kinds share; only one of them augments."""
    side = {"backbone": args.backbone, "size": args.size, "frozen": args.frozen}
    return parse_config(
        {
            "name": "benchmark",
            "sketch": side,
            "photo": side,
            "embedding": 128,
            "sources": [],
            "losses": [{"name": "triplet", "options": {"margin": MARGIN}}],
            "precision": args.precision,
            "augment": AUGMENT if args.one == "augmented" else {},
            "batch": {
                "categories": args.categories, "photos": args.photos, "sketches": 1, "unpaired_sketches": 0,
            },
        }
    )  # fmt: skip


def table(rows: list[dict[str, Any]]) -> str:
    """Both tables."""
    bare = next(row for row in rows if row["kind"] == "bare PyTorch")["seconds_a_step"]
    most = rows[0]["pictures_a_second"]
    lines = [
        f"{'':<26} {'s a step':>9} {'of bare':>8} {'pictures/s':>11} {'of random':>10} {'peak MB':>8} {'s before':>9}"
    ]
    lines += [
        f"{row['kind']:<26} {row['seconds_a_step']:9.3f} {row['seconds_a_step'] / bare:8.2f} "
        f"{row['pictures_a_second']:11.0f} {row['pictures_a_second'] / most:10.2f} {row['peak_megabytes']:8.0f} "
        f"{row['seconds_before']:9.1f}"
        for row in rows
    ]
    split = [row for row in rows if row["parts"]]
    lines += ["", f"{'ms of a step':<26} " + " ".join(f"{name:>12}" for name in split[0]["parts"])]
    lines += [
        f"{row['kind']:<26} " + " ".join(f"{1000 * value:12.1f}" for value in row["parts"].values()) for row in split
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
