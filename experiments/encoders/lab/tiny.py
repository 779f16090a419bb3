"""``tiny``: a smaller photo network whose head maps into the space of ``small``, whose sketch network stays as it is.

``python -m lab.tiny SMALL OUT --features FILE --small-features FILE --work WORK --doodlenet DOODLENET``. Nothing but a
linear head is trained, on cached features and on embeddings that ``small`` gives, so this takes minutes.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from lab.config import RunConfig, as_dict
from lab.networks import Parts, PhotoHead
from lab.select import Candidate
from lab.train import part_of

STEPS = 300
BATCH = 512
RATE = 1.0e-3
VARIANTS = (0, 5)
"""Of each sketch in the bank, how many embeddings of ``small`` the photos are to match."""


def train_head(head: PhotoHead, inputs: Tensor, target: Parts, sketches: Parts, photo: Tensor, rows: Tensor) -> None:
    """Fit the head to the photo embeddings of ``small``, and to its sketch embeddings of the same photos.

    Args:
        head: Trained in place.
        inputs: (photos, views, inputs) cached.
        target: Parts (photos, views, ...) that ``small`` gives.
        sketches, photo: Parts of n sketches by ``small``, and the number of each one's photo.
        rows: Photos to train on.
    """
    optimizer = torch.optim.AdamW([*head.what.parameters(), *head.which.parameters()], lr=RATE, weight_decay=0.01)
    generator = torch.Generator().manual_seed(0)
    place = torch.full((len(inputs),), -1)
    place[rows] = torch.arange(len(rows))
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATE * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / STEPS)))
        views = torch.randint(0, inputs.shape[1], (len(rows),), generator=generator)
        ours = head(F.dropout(inputs[rows, views], 0.1))
        loss = sum(
            2 * (1 - (mine * theirs[rows, views]).sum(dim=1)).mean()
            for mine, theirs in ((ours.what, target.what), (ours.which, target.which))
        )
        some = torch.randint(0, len(photo), (BATCH,), generator=generator)
        logits = 14 * (0.6 * sketches.what[some] @ ours.what.T + 0.4 * sketches.which[some] @ ours.which.T)
        loss = loss + 0.3 * F.cross_entropy(logits, place[photo[some]], label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[union-attr]
        optimizer.step()
        if (step + 1) % 100 == 0:
            print(json.dumps({"step": step + 1, "loss": round(float(loss.detach()), 4)}), flush=True)


def main(small: Path, out: Path, features: Path, small_features: Path, work: Path, doodlenet: Path) -> None:
    """Train the head, and write a run that ``lab.select`` and ``lab.export`` take."""
    teacher = Candidate(small, work, small_features, doodlenet)
    config: RunConfig = replace(
        teacher.config, name="tiny", photo_backbone="mobilenetv2_100", photo_size=224, photo_middle=5, init=str(small)
    )
    store = teacher.store
    rows = torch.from_numpy(store.train_photos)
    cached = np.load(features, mmap_mode="r")
    state = load_file(small / "weights.safetensors")
    channels = state["photo.mean_center"].shape[0]
    torch.manual_seed(0)
    head = PhotoHead(config, torch.from_numpy(cached[store.train_photos, 0].astype(np.float32)), 1280, cached.shape[2])
    inputs, target = _inputs(head, cached), _target(teacher, small_features, state, channels)
    paired = store.train_sketches[store.sketch_photo[store.train_sketches] >= 0]
    encoded = [teacher.encode(torch.from_numpy(store.bank[paired, variant])).parts(0.0) for variant in VARIANTS]
    sketches = Parts(torch.cat([e.what for e in encoded]), torch.cat([e.which for e in encoded]))
    photo = torch.from_numpy(np.tile(store.sketch_photo[paired], len(VARIANTS)))
    train_head(head, inputs, target, sketches, photo, rows)
    out.mkdir(parents=True, exist_ok=True)
    mine = {k: v for k, v in state.items() if not k.startswith("photo.")}
    mine |= {f"photo.{k}": v.detach().contiguous() for k, v in head.state_dict().items()}
    save_file(mine, out / "weights.safetensors")
    (out / "config.json").write_text(json.dumps(as_dict(config), indent=1) + "\n", encoding="utf-8")
    done = Candidate(out, work, features, doodlenet)
    row = {"step": STEPS, "validation": done.measure(done.weight, 0.0)}
    (out / "log.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    print(json.dumps(row))


@torch.no_grad()
def _inputs(head: PhotoHead, cached: np.ndarray) -> Tensor:
    parts = []
    for rows in np.array_split(np.arange(len(cached)), 16):
        x = torch.from_numpy(cached[rows].astype(np.float32))
        parts.append(head.inputs(x.flatten(0, 1)).unflatten(0, x.shape[:2]))
    return torch.cat(parts)


@torch.no_grad()
def _target(teacher: Candidate, features: Path, state: dict[str, Tensor], channels: int) -> Parts:
    """Parts of every view of every photo by ``small``."""
    cached = np.load(features, mmap_mode="r")
    photo = PhotoHead(teacher.config, None, channels, cached.shape[2])
    photo.load_state_dict(part_of(state, "photo"))
    parts = photo(_inputs(photo, cached).flatten(0, 1))
    shape = cached.shape[:2]
    return Parts(parts.what.unflatten(0, shape), parts.which.unflatten(0, shape))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train the head of a smaller photo network.")
    parser.add_argument("small", type=Path)
    parser.add_argument("out", type=Path)
    for name in ("features", "small-features", "work", "doodlenet"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    main(a.small, a.out, a.features, a.small_features, a.work, a.doodlenet)
