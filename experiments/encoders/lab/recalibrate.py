"""Recalibrate the batch normalization of a photo branch's trunk: ``python -m lab.recalibrate RUN PACK OUT``.

The statistics become the mean over batches of training photos, each of one source, as the trunk's cache was made.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from lab.config import read_config
from lab.loop import load_run
from lab.networks import PhotoBranch, SketchBranch
from lab.pack import read_pack
from lab.views import photo_view


@torch.no_grad()
def recalibrate(branch: PhotoBranch, photos: np.ndarray, batch: int) -> None:
    """Set the trunk's running statistics to the mean over consecutive batches of ``photos``."""
    norms = [m for m in branch.trunk.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
        norm.training = True
    generator = torch.Generator().manual_seed(0)
    for number, start in enumerate(range(0, len(photos) - batch + 1, batch)):
        x = torch.from_numpy(photos[start : start + batch]).permute(0, 3, 1, 2).float()
        x = photo_view(x, number % 8, generator)
        if branch.config.size != x.shape[-1]:
            x = F.interpolate(x, size=(branch.config.size,) * 2, mode="bilinear", antialias=True, align_corners=False)
        branch.trunk((x.round() - branch.mean) / branch.std)
    for norm in norms:
        norm.training = False


def main(
    run: Path, pack_folder: Path, out: Path, sources: tuple[str, ...] = ("sketchy", "cropped", "imagenet")
) -> None:
    """Write a run whose photo branch is recalibrated on about 1,500 training photos of ``sources``."""
    config = read_config(run / "config.yaml")
    sketch, photo = (
        SketchBranch(config.sketch, config.dimensions, None),
        PhotoBranch(config.photo, config.dimensions, None),
    )
    load_run(run, sketch, photo)
    photo.eval()
    pack = read_pack(pack_folder)
    chosen = []
    for source in sources:
        rows = [
            i for i, k in enumerate(pack.photo_keys) if k.startswith(f"{source}/") and pack.photo_subset[i] == "train"
        ]
        chosen += rows[:: 2 if source != "clothing" else 6][: len(rows) // 2 // 128 * 128]
    recalibrate(photo, pack.photo_pixels()[np.array(chosen)], 128)
    out.mkdir(parents=True, exist_ok=True)
    for name in ("config.yaml", "log.jsonl", "sketch.safetensors"):
        shutil.copy(run / name, out / name)
    state = {k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in photo.state_dict().items()}
    save_file(state, out / "photo.safetensors")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]), *([tuple(sys.argv[4].split(","))] if len(sys.argv) > 4 else []))
