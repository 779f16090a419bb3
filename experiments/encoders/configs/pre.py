"""Compute photo features while the CPU prepares sketches."""

import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from lab.loop import trunk_cache
from lab.networks import BranchConfig, PhotoBranch
from lab.prepare import TEACHERS, _features, _save

out, weights = Path("/tmp/prep"), Path("/tmp/weights")
while not (out / "photos.npy").is_file():
    time.sleep(0.2)
started = time.time()
photos = np.load(out / "photos.npy")
pixels = torch.from_numpy(photos)
for config in (BranchConfig("tf_efficientnet_lite2", 224, 5), BranchConfig("mobilenetv2_100", 192, 5)):
    branch = PhotoBranch(config, 256, weights).cuda().to(memory_format=torch.channels_last)
    settings = SimpleNamespace(views=8, least_area=0.65)
    cache = trunk_cache(branch, SimpleNamespace(photo_pixels=pixels, device="cuda"), settings, out)
    print("cache", tuple(cache.shape), time.time() - started, flush=True)
for name in TEACHERS:
    _save(out / f"features-{name}.npy", _features(name, weights, photos, "cuda"))
    print("features", name, time.time() - started, flush=True)
