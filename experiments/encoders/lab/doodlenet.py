"""doodleNet (ml5, MIT), a small classifier of Quick, Draw! bitmaps, as a teacher of sketch branches."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lab.records import word_of

WIDTH = 512
"""Features of its last hidden layer."""


class DoodleNet(nn.Module):
    """The network, for rasters of any size as sketch branches take them.

    Attributes:
        words: Names of its 345 outputs, in the common spelling.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        manifest = json.loads((folder / "model.json").read_text(encoding="utf-8"))["weightsManifest"][0]
        values = np.fromfile(folder / manifest["paths"][0], dtype="<f4")
        tensors, start = [], 0
        for item in manifest["weights"]:
            count = int(np.prod(item["shape"]))
            tensors.append(torch.from_numpy(values[start : start + count].reshape(item["shape"]).copy()))
            start += count
        self.words = [word_of(w) for w in (folder / "class_names.txt").read_text(encoding="utf-8").splitlines() if w]
        self.convolutions = nn.ModuleList()
        for kernel, bias in zip(tensors[0:12:2], tensors[1:12:2], strict=True):
            layer = nn.Conv2d(kernel.shape[2], kernel.shape[3], 3, padding=1)
            layer.weight.data = kernel.permute(3, 2, 0, 1).contiguous()
            layer.bias.data = bias  # type: ignore[union-attr]
            self.convolutions.append(layer)
        self.hidden = nn.Linear(576, WIDTH)
        self.hidden.weight.data, self.hidden.bias.data = tensors[12].T.contiguous(), tensors[13]
        self.output = nn.Linear(WIDTH, len(self.words))
        self.output.weight.data, self.output.bias.data = tensors[14].T.contiguous(), tensors[15]
        self.requires_grad_(False).eval()

    def forward(self, ink: Tensor) -> tuple[Tensor, Tensor]:
        """Ink (batch, 1, side, side), 0 paper to 1 ink, to logits (batch, 345) and features (batch, 512)."""
        x = google_bitmap(ink)
        for number, layer in enumerate(self.convolutions):
            x = F.relu(layer(x))
            if number % 2:
                x = F.max_pool2d(x, 2)
        features = torch.tanh(self.hidden(x.permute(0, 2, 3, 1).flatten(1)))
        return self.output(features), features


def google_bitmap(ink: Tensor) -> Tensor:
    """Our raster to one as Google's bitmaps are: 28 pixels, thicker lines, the ink fitted into 84 % of the side."""
    side = ink.shape[-1]
    wide = max(3, round(side * 0.045) // 2 * 2 + 1)
    thick = F.max_pool2d(ink, wide - 2, stride=1, padding=(wide - 2) // 2)
    border = round(side * 0.024)
    return F.interpolate(F.pad(thick, (border,) * 4), size=(28, 28), mode="area")
