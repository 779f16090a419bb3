"""doodleNet, a small classifier of Quick, Draw! sketches, as a teacher of sketch encoders.

The weights are ml5's (MIT license): a TensorFlow.js folder with ``model.json``, its binary file of weights and
``class_names.txt``. The network takes Google's bitmaps of 28 × 28 pixels, which ``google_bitmap`` makes from our
raster.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sketchseek.datasets.records import normalize_word
from sketchseek.errors import ConfigError

FEATURES = 512
"""Width of the last hidden layer."""

_BITMAP = 28  # side of Google's bitmaps
_CONVOLUTIONS = 6  # 3 × 3, a maximum pooling after every second
_LINE = 0.045  # width of the window that thickens lines, as a fraction of the side of our raster
_REMEDY = "Give the folder of doodleNet's release: model.json, its weights and class_names.txt."


class DoodleNet(nn.Module):
    """The network. Its parameters are frozen, and it is in evaluation mode.

    Args:
        folder: Folder with ``model.json``, the file of weights that it names, and ``class_names.txt``.

    Attributes:
        words: Names of the outputs, normalized by ``normalize_word``.

    Raises:
        ConfigError: A file is missing, or the weights are not those of this network.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        try:
            tensors = _read_weights(folder)
            names = (folder / "class_names.txt").read_text(encoding="utf-8").splitlines()
        except (OSError, LookupError, TypeError, ValueError) as error:
            raise ConfigError(f"Cannot read doodleNet in {folder}: {error}.", remedy=_REMEDY) from error
        self.words = tuple(normalize_word(name) for name in names if name.strip())
        _check_shapes(tensors, len(self.words), folder)
        kernels, biases = tensors[0 : 2 * _CONVOLUTIONS : 2], tensors[1 : 2 * _CONVOLUTIONS : 2]
        self.convolutions = nn.ModuleList(
            _convolution(kernel, bias) for kernel, bias in zip(kernels, biases, strict=True)
        )
        self.hidden = _linear(tensors[-4], tensors[-3])
        self.output = _linear(tensors[-2], tensors[-1])
        self.requires_grad_(False).eval()

    def forward(self, ink: Tensor) -> tuple[Tensor, Tensor]:
        """Classify sketches.

        Args:
            ink: (batch, 1, side, side), our raster at any size, from 0 for paper to 1 for ink.

        Returns:
            Logits (batch, words) and features (batch, ``FEATURES``).
        """
        x = google_bitmap(ink)
        for number, layer in enumerate(self.convolutions):
            x = F.relu(layer(x))
            if number % 2:
                x = F.max_pool2d(x, 2)
        features = torch.tanh(self.hidden(x.permute(0, 2, 3, 1).flatten(1)))  # TensorFlow's order: channels last
        return self.output(features), features


def google_bitmap(ink: Tensor) -> Tensor:
    """Convert our raster (batch, 1, side, side) to Google's bitmaps (batch, 1, 28, 28), whose lines are thicker.

    The network is sensitive to the width: with lines of 3 pixels in place of 5 at 112, it recognizes hardly anything.
    """
    side = ink.shape[-1]
    width = 2 * max(1, round((side * _LINE - 1) / 2)) + 1  # odd, so that lines stay where they are
    thick = F.max_pool2d(ink, width, stride=1, padding=width // 2)
    weights = area_weights(side, _BITMAP).to(ink)
    return torch.einsum("bchw,ih,jw->bcij", thick, weights, weights)


def area_weights(side: int, count: int) -> Tensor:
    """(count, side): ``F.interpolate`` with mode ``area`` as a matrix, which every ONNX exporter takes."""
    at = torch.arange(count)
    start, end = (at * side) // count, -((-(at + 1) * side) // count)
    place = torch.arange(side)
    inside = ((place >= start[:, None]) & (place < end[:, None])).float()
    return inside / inside.sum(dim=1, keepdim=True)


def _read_weights(folder: Path) -> list[Tensor]:
    group = json.loads((folder / "model.json").read_text(encoding="utf-8"))["weightsManifest"][0]
    name = str(group["paths"][0])
    if Path(name).name != name:
        raise ValueError(f"{name!r} is not a plain file name")
    values = np.fromfile(folder / name, dtype="<f4")
    tensors, start = [], 0
    for item in group["weights"]:
        shape = [int(size) for size in item["shape"]]
        count = int(np.prod(shape))
        tensors.append(torch.from_numpy(values[start : start + count].reshape(shape).copy()))
        start += count
    if start != len(values):
        raise ValueError(f"{name} holds {len(values)} numbers, not {start}")
    return tensors


def _check_shapes(tensors: list[Tensor], words: int, folder: Path) -> None:
    """Raise ConfigError unless the tensors have the network's shapes."""
    shapes = [tuple(tensor.shape) for tensor in tensors]
    channels = [1, *(shape[-1] for shape in shapes[0 : 2 * _CONVOLUTIONS : 2] if shape)]
    expected: list[tuple[int, ...]] = []
    for before, after in itertools.pairwise(channels):
        expected += [(3, 3, before, after), (after,)]
    side = _BITMAP // 2 ** (_CONVOLUTIONS // 2)
    expected += [(side * side * channels[-1], FEATURES), (FEATURES,), (FEATURES, words), (words,)]
    if len(shapes) != 2 * _CONVOLUTIONS + 4 or shapes != expected:
        raise ConfigError("these are not doodleNet's weights.", subject=folder / "model.json", remedy=_REMEDY)


def _convolution(kernel: Tensor, bias: Tensor) -> nn.Conv2d:
    layer = nn.Conv2d(kernel.shape[2], kernel.shape[3], 3, padding=1)
    layer.weight = nn.Parameter(kernel.permute(3, 2, 0, 1).contiguous())
    layer.bias = nn.Parameter(bias)
    return layer


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(*weight.shape)
    layer.weight = nn.Parameter(weight.T.contiguous())
    layer.bias = nn.Parameter(bias)
    return layer
