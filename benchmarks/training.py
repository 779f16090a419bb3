"""Training steps of sketchseek beside bare PyTorch on the same model, batches and optimizer: seconds and memory.

    python benchmarks/training.py [--backbone NAME] [--frozen N] [--steps N] [--json]

Bare PyTorch is a loop of a few lines: pixels of a batch, both encoders, pytorch-metric-learning's triplet loss,
backward, clip, AdamW. Ours is ``Objective`` and the loop's optimizer, once with frozen stages' outputs kept (as in
training) and once without. Each runs in a process of its own, one thread, and reports its processor seconds a step and
its peak memory; what is kept is computed before the clock starts, and its time is told apart.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from torch import nn

from sketchseek.datasets.records import Photo, Sketch
from sketchseek.training.config import TrainConfig, parse_config
from sketchseek.training.data import TrainingSet
from sketchseek.training.objective import Objective
from sketchseek.training.optimizer import create_optimizer
from sketchseek.training.run_folder import build_model
from sketchseek.training.sampling import CategorySampler

KINDS = {"bare PyTorch": "bare", "sketchseek, nothing kept": "whole", "sketchseek": "kept"}
CATEGORIES, PHOTOS = 12, 12


def synthetic(config: TrainConfig) -> TrainingSet:
    """Random pictures: twelve categories of twelve photos, each drawn twice."""
    random = np.random.default_rng(0)
    category = np.repeat(np.arange(CATEGORIES), PHOTOS)
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
        [str(i) for i in range(CATEGORIES)],
        [],
    )


def run(kind: str, config: TrainConfig, steps: int) -> dict[str, Any]:
    """Steps of one kind: processor seconds before the first and for each, and peak memory of this process."""
    torch.set_num_threads(1)
    data = synthetic(config)
    model = build_model(config).train()
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = create_optimizer(model, config)
    started = time.process_time()
    if kind == "bare":
        sampler = CategorySampler(
            data.photo_category, data.sketch_category, data.sketch_photo, data.photo_source, config.batch, config.seed
        )
        function = TripletMarginLoss(margin=0.2, distance=LpDistance(normalize_embeddings=False))

        def loss_of(number: int) -> torch.Tensor:
            batch = sampler.batch(number)
            sketches = model.sketch(torch.from_numpy(data.sketch_pixels[batch.sketches]))
            photos = model.photo(torch.from_numpy(data.photo_pixels[batch.photos]))
            labels = torch.from_numpy(data.sketch_photo[batch.sketches])
            value: torch.Tensor = function(sketches, labels, ref_emb=photos, ref_labels=torch.from_numpy(batch.photos))
            return value

    else:
        objective = Objective(config, model, data, None, None, lambda *_: None)
        if kind == "whole":
            objective._batches.photos._features = objective._batches.sketches._features = None
        loss_of = objective.loss
    ready = time.process_time()
    times = []
    for number in range(steps + 2):
        begun = time.process_time()
        optimizer.zero_grad(set_to_none=True)
        loss_of(number).backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip_norm)
        optimizer.step()
        if number > 1:  # the first two warm up
            times.append(time.process_time() - begun)
    return {
        "kind": next(name for name, key in KINDS.items() if key == kind),
        "seconds_before": ready - started,
        "seconds_a_step": float(np.median(times)),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--frozen", type=int, default=7)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", choices=list(KINDS.values()), help=argparse.SUPPRESS)
    args = parser.parse_args()
    side = {"backbone": args.backbone, "size": 128, "frozen": args.frozen}
    config = parse_config(
        {
            "name": "benchmark",
            "sketch": side,
            "photo": side,
            "embedding": 128,
            "sources": [],
            "batch": {"categories": 6, "photos": 6, "sketches": 1, "unpaired_sketches": 0},
        }
    )
    if args.one:
        print(json.dumps(run(args.one, config, args.steps)))
        return
    call = [sys.executable, __file__, "--backbone", args.backbone, "--frozen", str(args.frozen)]
    rows: list[dict[str, Any]] = []
    for kind in KINDS.values():
        done = subprocess.run(
            [*call, "--steps", str(args.steps), "--one", kind], stdout=subprocess.PIPE, text=True, check=True
        )
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    if args.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'':<26} {'s a step':>9} {'of bare':>8} {'peak MB':>8} {'s before':>9}")
    for row in rows:
        share = row["seconds_a_step"] / rows[0]["seconds_a_step"]
        print(
            f"{row['kind']:<26} {row['seconds_a_step']:9.3f} {share:8.2f} {row['peak_megabytes']:8.0f} "
            f"{row['seconds_before']:9.1f}"
        )


if __name__ == "__main__":
    main()
