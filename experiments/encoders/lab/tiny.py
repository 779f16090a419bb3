"""``tiny``: a smaller photo network whose head maps into the space of ``small``, and the sketch network of ``small``.

``python -m lab.tiny SMALL OUT FOLDER`` trains the head on cached features and embeddings that ``small`` gives, which
takes minutes, and writes a package with weights of one byte (``lab.compact``). Its scalars are those of ``small``.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from lab.compact import compact, store_bytes
from lab.config import as_dict
from lab.export import history, modules_of, write_package
from lab.losses import word_loss
from lab.networks import Parts, PhotoHead
from lab.pack import SIZE, read_pack
from lab.select import SCALARS, Candidate
from lab.store import Store
from lab.train import load_config, part_of
from lab.validate import Validation
from lab.weights import load_pretrained
from sketchseek.encoder import Encoder
from sketchseek.models.package import load_model_package

STEPS = 600
BATCH = 512
RATE = 1.0e-3
VARIANTS = (0, 5)
"""Of each sketch in the bank, how many embeddings of ``small`` the photos are to match."""


def train_head(
    head: PhotoHead, inputs: Tensor, target: Parts, sketches: Parts, photo: Tensor, store: Store, words: Tensor
) -> None:
    """Fit the head to the photo embeddings of ``small``, to its sketch embeddings of the same photos, and to words.

    Args:
        head: Trained in place.
        inputs: (photos, views, inputs) cached.
        target: Parts (photos, views, ...) that ``small`` gives.
        sketches, photo: Parts of n sketches by ``small``, and the number of each one's photo.
        store: Prepared data.
        words: (words, what) of ``small``, of unit length.
    """
    rows = torch.from_numpy(store.train_photos)
    optimizer = torch.optim.AdamW([*head.what.parameters(), *head.which.parameters()], lr=RATE, weight_decay=0.01)
    generator = torch.Generator().manual_seed(0)
    place = torch.full((len(inputs),), -1)
    place[rows] = torch.arange(len(rows))
    shown = store.photo_words[rows]
    named = shown.sum(dim=1) > 0
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATE * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / STEPS)))
        views = torch.randint(0, inputs.shape[1], (len(rows),), generator=generator)
        ours = head(F.dropout(inputs[rows, views], 0.1))
        loss = 0.2 * word_loss(ours.what[named], words, shown[named], torch.tensor(16.0))
        for mine, theirs in ((ours.what, target.what), (ours.which, target.which)):
            loss = loss + 2 * (1 - (mine * theirs[rows, views]).sum(dim=1)).mean()
        some = torch.randint(0, len(photo), (BATCH,), generator=generator)
        logits = 14 * (0.5 * sketches.what[some] @ ours.what.T + 0.5 * sketches.which[some] @ ours.which.T)
        loss = loss + 0.3 * F.cross_entropy(logits, place[photo[some]], label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % 100 == 0:
            print(json.dumps({"step": step + 1, "loss": round(float(loss.detach()), 4)}), flush=True)


def fit(
    small: Path, out: Path, backbone: str, size: int, features: Path, small_features: Path, work: Path, doodlenet: Path
) -> None:
    """Train the head, and write a run that ``lab.select`` and ``lab.export`` take."""
    teacher = Candidate(small, work, small_features, doodlenet)
    config = replace(teacher.config, name="tiny", photo_backbone=backbone, photo_size=size)
    store, cached = teacher.store, np.load(features, mmap_mode="r")
    state = load_file(small / "weights.safetensors")
    channels = int(load_pretrained(backbone, work / "weights").num_features)
    torch.manual_seed(0)
    first = torch.from_numpy(cached[store.train_photos, 0].astype(np.float32))
    head = PhotoHead(config, first, channels, cached.shape[2])
    inputs, target = _inputs(head, cached), _target(teacher, small_features, state)
    paired = store.train_sketches[store.sketch_photo[store.train_sketches] >= 0]
    encoded = [teacher.encode(torch.from_numpy(store.bank[paired, variant])).parts(0.0) for variant in VARIANTS]
    sketches = Parts(torch.cat([e.what for e in encoded]), torch.cat([e.which for e in encoded]))
    photo = torch.from_numpy(np.tile(store.sketch_photo[paired], len(VARIANTS)))
    train_head(head, inputs, target, sketches, photo, store, teacher.words)
    out.mkdir(parents=True, exist_ok=True)
    mine = {k: v for k, v in state.items() if not k.startswith("photo.")}
    mine |= {f"photo.{k}": v.detach().contiguous() for k, v in head.state_dict().items()}
    save_file(mine, out / "weights.safetensors")
    (out / "config.json").write_text(json.dumps(as_dict(config), indent=1) + "\n", encoding="utf-8")
    shutil.copy(small / "selected.json", out / "selected.json")
    chosen = json.loads((out / "selected.json").read_text(encoding="utf-8"))
    figures = Candidate(out, work, features, doodlenet).measure(*(chosen[name] for name in SCALARS))
    (out / "log.jsonl").write_text(json.dumps({"step": STEPS, "validation": figures}) + "\n", encoding="utf-8")
    print(json.dumps(figures), flush=True)


def write_compact(run: Path, folder: Path, work: Path, features: Path, doodlenet: Path) -> None:
    """Write the package of a run with weights of one byte."""
    sides, chosen = modules_of(run, work, features, doodlenet)
    store = Store(read_pack(work / "pack"), work / "bank.npy")
    random = np.random.default_rng(0)
    some = random.choice(store.train_photos, 256, replace=False)
    photos = torch.from_numpy(store.pack.photo_pixels()[some])
    sketches = store.rasters(np.sort(random.choice(store.train_sketches, 1024, replace=False)))
    compact(sides, photos, sketches)
    config = load_config(run)
    if config.photo_size != SIZE:
        raise ValueError(f"{run} takes photos of {config.photo_size} pixels. The pack's have {SIZE}.")
    write_package(
        sides, config, folder, config.name, history(run) | {"selected": chosen, "stored": "int8"}, store_bytes
    )


@torch.no_grad()
def validate(folder: Path, work: Path) -> dict[str, float]:
    """Validation figures of a package, by onnxruntime, with the pack's photos."""
    encoder = Encoder(load_model_package(folder), threads=1)
    store = Store(read_pack(work / "pack"), work / "bank.npy")
    validation = Validation(store)
    photos = torch.zeros(len(store.pack.photo_keys), encoder.manifest.dimensions)
    pixels: npt.NDArray[np.uint8] = store.pack.photo_pixels()
    for rows in np.array_split(validation.everything, len(validation.everything) // 16):
        photos[torch.from_numpy(rows)] = torch.from_numpy(encoder.encode_photo_pixels(pixels[rows]))
    encode = encoder.encode_sketch_pixels
    return validation.measure(lambda some: torch.from_numpy(encode(some.numpy())), photos)


@torch.no_grad()
def _inputs(head: PhotoHead, cached: npt.NDArray[np.float16]) -> Tensor:
    parts = []
    for rows in np.array_split(np.arange(len(cached)), 16):
        x = torch.from_numpy(cached[rows].astype(np.float32))
        parts.append(head.inputs(x.flatten(0, 1)).unflatten(0, x.shape[:2]))
    return torch.cat(parts)


@torch.no_grad()
def _target(teacher: Candidate, features: Path, state: dict[str, Tensor]) -> Parts:
    """Parts of every view of every photo by ``small``."""
    cached = np.load(features, mmap_mode="r")
    photo = PhotoHead(teacher.config, None, state["photo.mean_center"].shape[0], cached.shape[2])
    photo.load_state_dict(part_of(state, "photo"))
    parts = photo(_inputs(photo, cached).flatten(0, 1))
    shape = cached.shape[:2]
    return Parts(parts.what.unflatten(0, shape), parts.which.unflatten(0, shape))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train and export a model with a smaller photo network.")
    for name in ("small", "out", "folder"):
        parser.add_argument(name, type=Path)
    for name in ("features", "small-features", "work", "doodlenet"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--size", type=int, default=SIZE)
    a = parser.parse_args()
    torch.set_num_threads(1)
    if not (a.out / "log.jsonl").is_file():
        fit(a.small, a.out, a.backbone, a.size, a.features, a.small_features, a.work, a.doodlenet)
    write_compact(a.out, a.folder, a.work, a.features, a.doodlenet)
    print(json.dumps(validate(a.folder, a.work)))
