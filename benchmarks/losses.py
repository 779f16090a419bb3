"""Our losses beside pytorch-metric-learning's triplet loss on the same work: all triplets of a batch, forward and back.

    python benchmarks/losses.py [--batches 64 256] [--dimension 256] [--json]

A batch is that many sketches and their photos, one sketch a photo. One run, one thread: rounds alternate between the
losses, and the processor time of this process is measured, so that other load on the machine counts for little.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from torch import nn

from sketchseek.training.losses import create_loss

MARGIN = 0.3
OURS: dict[str, tuple[str, dict[str, Any]]] = {
    "triplet": ("triplet", {}),
    "quadruplet": ("quadruplet", {}),
    "relative_triplet": ("relative_triplet", {}),
    "relative_triplet, of photos": ("relative_triplet", {"compare": "positives"}),
    "relative_triplet, cosine": ("relative_triplet", {"measure": "cosine"}),
    "relative_triplet, symmetric": ("relative_triplet", {"symmetric": True}),
}


def measure(batch: int, dimension: int, rounds: int) -> list[dict[str, Any]]:
    """Median processor milliseconds of a forward and backward pass, and the ratio to pytorch-metric-learning's."""
    torch.manual_seed(0)
    sketches, photos = (torch.randn(batch, dimension).requires_grad_() for _ in range(2))
    labels = torch.arange(batch)
    photo_labels = labels.clone()  # pytorch-metric-learning takes the same object for the batch's own labels
    theirs = TripletMarginLoss(margin=MARGIN, distance=LpDistance(normalize_embeddings=False))
    losses: dict[str, nn.Module] = {"pytorch-metric-learning": theirs}
    losses |= {label: create_loss(name, "euclidean", margin=MARGIN, **given) for label, (name, given) in OURS.items()}
    times: dict[str, list[float]] = {label: [] for label in losses}
    values: dict[str, float] = {}
    for number in range(rounds + 1):
        for label, loss in losses.items():
            sketches.grad = photos.grad = None
            start = time.process_time()
            value = loss(sketches, labels, ref_emb=photos, ref_labels=photo_labels)
            value.backward()
            if number:  # the first round warms up
                times[label].append(time.process_time() - start)
            values[label] = float(value.detach())
    base = float(np.median(times["pytorch-metric-learning"]))
    return [
        {
            "batch": batch,
            "loss": label,
            "ms": 1000 * float(np.median(taken)),
            "ratio": float(np.median(taken)) / base,
            "value": values[label],
        }
        for label, taken in times.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--dimension", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for batch in args.batches for row in measure(batch, args.dimension, args.rounds)]
    if args.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'batch':>5} {'loss':<30} {'ms':>9} {'ours/theirs':>12} {'value':>9}")
    for row in rows:
        print(f"{row['batch']:>5} {row['loss']:<30} {row['ms']:9.2f} {row['ratio']:12.3f} {row['value']:9.4f}")


if __name__ == "__main__":
    main()
