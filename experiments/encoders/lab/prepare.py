"""Everything that runs share, made once on the training machine and kept in a folder.

``prepare`` decodes photos, finds pseudo-sketches, draws the bank of sketch variants, and computes teachers' features.
Each step is a file; a step whose file is there is skipped, so an interrupted preparation resumes.
"""

from __future__ import annotations

import argparse
import os
import pickle
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from lab.bank import BankConfig, make_bank
from lab.networks import BranchConfig, PhotoBranch
from lab.pack import Pack, read_pack
from lab.pseudo import edge_maps, load_hed, pseudo_sketches
from lab.vectorize import Lines, pack_lines, unpack_lines

THRESHOLDS = (0.3, 0.75)
TEACHERS = ("tf_efficientnet_lite2", "tf_efficientnet_lite0", "mobilenetv2_100")


def prepare(
    pack_folder: Path, weights: Path, out: Path, device: str, workers: int, variants: int, pseudo: int, bank_only: bool
) -> None:
    """Make all files that are not there yet; ``bank_only`` for the bank of sketches, which needs no photos."""
    out.mkdir(parents=True, exist_ok=True)
    started = time.time()

    def say(text: str) -> None:
        print(f"{time.time() - started:6.1f} s  {text}", flush=True)

    pack = read_pack(pack_folder)
    say(f"{len(pack.photo_keys)} photos, {len(pack.lines)} sketches")
    if not (out / "bank.npy").is_file():
        aside = out / "bank.tmp.npy"
        bank = make_bank(pack.lines, pack.sketch_is_picture, BankConfig(variants=variants), workers, aside)
        if not aside.is_file():
            np.save(aside, bank)
        del bank
        aside.replace(out / "bank.npy")
        say("bank")
    if bank_only:
        return
    if not (out / "photos.npy").is_file():
        _save(out / "photos.npy", pack.photo_pixels(workers))
        say("photos decoded")
    photos = np.load(out / "photos.npy", mmap_mode="r")
    if not (out / "pseudo.pkl").is_file():
        rows = np.flatnonzero(pseudo_wanted(pack))
        edges = edge_maps(load_hed(weights / "hed-int8.safetensors"), photos[rows], device)
        say("edges")
        packed: list[list[bytes]] = [[] for _ in pack.photo_keys]
        for row, lines in zip(rows, pseudo_sketches(edges, THRESHOLDS, workers), strict=True):
            packed[row] = [pack_lines(one) for one in lines]
        _write(out / "pseudo.pkl", pickle.dumps(packed))
        say("pseudo-sketches")
    if not (out / "pseudo.npy").is_file():
        packed = pickle.loads((out / "pseudo.pkl").read_bytes())  # noqa: S301 - written by this module
        unpacked = [[unpack_lines(d) for d in p] for p in packed]
        _save(out / "pseudo.npy", _pseudo_bank(unpacked, pseudo, workers, out / "drawn.tmp.npy"))
        (out / "drawn.tmp.npy").unlink(missing_ok=True)
        say("pseudo bank")
    for name in TEACHERS:
        file = out / f"features-{name}.npy"
        if not file.is_file():
            _save(file, _features(name, weights, photos, device))
            say(f"features of {name}")


def pseudo_wanted(pack: Pack) -> np.ndarray:
    """(photos,) bool: photos for training that get pseudo-sketches. Clothing and emoji without a word do not."""
    words = set(pack.sketch_words)
    return np.array(
        [
            subset == "train" and (key.split("/")[0] in ("sketchy", "cropped", "chairv2", "imagenet") or word in words)
            for key, subset, word in zip(pack.photo_keys, pack.photo_subset, pack.photo_words, strict=True)
        ]
    )


def _pseudo_bank(lines: list[list[Lines]], variants: int, workers: int, file: Path) -> np.ndarray:
    """(photos, variants, size, size) uint8; all paper where a photo has no pseudo-sketch."""
    config = BankConfig(variants=variants + 1, bend=0.06, drop=0.6, partial=0.1, stretch=0.25)
    halves = replace(config, variants=variants // 2 + 1)
    flat = [one for of_photo in lines for one in of_photo]
    drawn = make_bank(flat, [True] * len(flat), halves, workers, file)[:, 1:]
    out = np.full((len(lines), variants, config.size, config.size), 255, dtype=np.uint8)
    at = 0
    for number, of_photo in enumerate(lines):
        got = [drawn[at + i] for i in range(len(of_photo))]
        at += len(of_photo)
        if got:
            out[number] = np.concatenate(got if len(got) > 1 else got * 2)[:variants]
    return out


@torch.no_grad()
def _features(name: str, weights: Path, photos: np.ndarray, device: str) -> np.ndarray:
    """(photos, channels) float32: pooled ImageNet features."""
    branch = PhotoBranch(BranchConfig(name, 224), 8, weights).to(device).eval()
    out = []
    for start in range(0, len(photos), 256):
        x = branch.normalized(torch.from_numpy(np.array(photos[start : start + 256])).to(device))
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=device != "cpu"):
            pooled = branch.tail(branch.trunk(x))
        out.append(pooled.float().mean(dim=(2, 3)).cpu())
    return torch.cat(out).numpy()


def whitened(
    features: torch.Tensor, fit: torch.Tensor, dimensions: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Half-whitening PCA: (mean, projection (d, channels), embeddings of unit length), fitted to rows ``fit``."""
    mean = features[fit].mean(dim=0)
    _, s, v = torch.linalg.svd(features[fit] - mean, full_matrices=False)
    spread = s / len(fit) ** 0.5
    projection = v[:dimensions] / spread[:dimensions, None].sqrt()
    return mean, projection, F.normalize((features - mean) @ projection.T, dim=1)


def _save(file: Path, array: np.ndarray) -> None:
    aside = file.with_suffix(".tmp.npy")
    np.save(aside, array)
    aside.replace(file)


def _write(file: Path, data: bytes) -> None:
    aside = file.with_suffix(".tmp")
    aside.write_bytes(data)
    aside.replace(file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Prepare shared training data.")
    parser.add_argument("pack", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--variants", type=int, default=16)
    parser.add_argument("--pseudo", type=int, default=8)
    parser.add_argument("--bank-only", action="store_true")
    a = parser.parse_args()
    prepare(a.pack, a.weights, a.out, a.device, a.workers, a.variants, a.pseudo, a.bank_only)
