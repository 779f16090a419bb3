"""Features of frozen ImageNet networks, computed once for every view of every photo and kept in a file.

A photo network never changes in training, so an hour of it is paid once: ``python -m lab.photo_features``. The features
come from the ONNX graph that the exported photo branch holds, by onnxruntime, so training and product see the same.
"""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lab.pack import read_pack
from lab.records import load_sources
from lab.views import photo_view
from lab.weights import AROUND_127, load_pretrained
from sketchseek.images import read_photo

VIEWS = 4
"""As it is, mirrored, changed (cropped, color, gray, blur), changed and mirrored."""

LEAST_AREA = 0.6
NO_CHANGED_VIEWS = ("clothing", "emoji")
"""Sources whose changed views are copies of the plain ones: they have no sketches of their own."""


class PhotoTrunk(nn.Module):
    """A frozen EfficientNet-Lite: what is in each quarter of a photo, and in each of 4 × 4 fields at a middle layer.

    Args:
        backbone: Name in timm.
        size: Side of its input.
        middle: Number of blocks before the middle layer; 0 for no middle layer.
        weights: Folder of packed weights.
    """

    def __init__(self, backbone: str, size: int, middle: int, weights: Path) -> None:
        super().__init__()
        net = load_pretrained(backbone, weights)
        blocks = list(net.blocks.children())
        self.size, self.middle = size, middle
        self.first = nn.Sequential(net.conv_stem, net.bn1, *blocks[:middle])
        self.last = nn.Sequential(*blocks[middle:], net.conv_head, net.bn2)
        self.classifier = net.classifier
        self.mean, self.std = AROUND_127 if "lite" in backbone else (IMAGENET_MEAN, IMAGENET_STD)
        self.channels = int(net.num_features)
        self.middle_channels = _channels(blocks[middle - 1]) if middle else 0
        self.requires_grad_(False).eval()

    def forward(self, pixels: Tensor) -> Tensor:
        """(batch, size, size, 3) uint8 to (batch, 4 * last channels + 16 * middle channels)."""
        mean, std = (torch.tensor(v, dtype=torch.float32).view(1, -1, 1, 1) for v in (self.mean, self.std))
        x = self.first((pixels.permute(0, 3, 1, 2).float() - mean) / std)
        parts = [regions(self.last(x), 2)]
        if self.middle:
            parts.append(regions(x, 4))
        return torch.cat(parts, dim=1)


IMAGENET_MEAN, IMAGENET_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def _channels(block: nn.Module) -> int:
    return [module.out_channels for module in block.modules() if isinstance(module, nn.Conv2d)][-1]


def regions(x: Tensor, count: int) -> Tensor:
    """(batch, c, h, w) to (batch, count * count * c): soft averages over fields, whose mean is the mean of all."""
    down, across = (torch.from_numpy(field_weights(side, count)) for side in x.shape[2:])
    fields = torch.einsum("bchw,ih,jw->bijc", x, down, across)
    return fields.flatten(1)


def field_weights(side: int, count: int) -> npt.NDArray[np.float32]:
    """(count, side) float32: rows sum to 1, columns to ``count / side``; neighboring fields overlap a little."""
    fine = 8  # samples a cell
    at = (np.arange(side * fine) + 0.5) / (side * fine) * count - 0.5  # position in fields; field i has its center at i
    width = 0.5  # of a field, over which one turns into the next
    distance = np.abs(at[None] - np.arange(count)[:, None])
    weight = np.clip((0.5 + width / 2 - distance) / width, 0, 1)
    weight /= weight.sum(axis=0, keepdims=True)
    out = weight.reshape(count, side, fine).sum(axis=2)
    return np.asarray(out / out.sum(axis=1, keepdims=True), dtype=np.float32)


def export_trunk(trunk: nn.Module, size: int, file: Path) -> None:
    """Write a network of photos as an ONNX graph with input ``pixels`` and one output."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            trunk, (torch.zeros(2, size, size, 3, dtype=torch.uint8),), str(file), input_names=["pixels"],
            output_names=["features"], dynamic_shapes={"pixels": {0: torch.export.Dim("batch")}}, opset_version=18,
            dynamo=True, external_data=False, verbose=False,
        )  # fmt: skip


_TASK: tuple[Sequence[Path], Sequence[bool], Path, int, npt.NDArray[np.float16]] | None = None


def _fill(number: int) -> None:
    assert _TASK is not None
    paths, changed, graph, size, out = _TASK
    session = _session(graph)
    pixels = read_photo(paths[number], size)
    views = [pixels, pixels[:, ::-1]]
    if changed[number]:
        generator = torch.Generator().manual_seed(number)
        x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()
        for view in (2, 3):
            got = photo_view(x, view, generator, LEAST_AREA)[0].permute(1, 2, 0).round().clamp(0, 255)
            views.append(got.numpy().astype(np.uint8))
    for view, each in enumerate(views):
        out[number, view] = session.run(None, {"pixels": np.ascontiguousarray(each)[None]})[0][0]
    if not changed[number]:
        out[number, 2:] = out[number, :2]


_SESSIONS: dict[Path, Any] = {}


def _session(graph: Path) -> Any:
    if graph not in _SESSIONS:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        _SESSIONS[graph] = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    return _SESSIONS[graph]


def main(pack: Path, data: Path, weights: Path, out: Path, backbone: str, size: int, middle: int, workers: int) -> None:
    """Compute features of all photos of a pack; (photos, VIEWS, channels) float16 in ``out``."""
    global _TASK
    torch.set_num_threads(1)
    graph = out.with_suffix(".onnx")
    export_trunk(PhotoTrunk(backbone, size, middle, weights), size, graph)
    keys = read_pack(pack).photo_keys
    path_of = {photo.key: photo.path for photo in load_sources(data).photos}
    paths = [path_of[key] for key in keys]
    changed = [key.split("/")[0] not in NO_CHANGED_VIEWS for key in keys]
    channels = _session(graph).run(None, {"pixels": np.zeros((1, size, size, 3), np.uint8)})[0].shape[1]
    _SESSIONS.clear()  # sessions do not survive a fork
    aside = out.with_suffix(".tmp.npy")
    features = np.lib.format.open_memmap(aside, mode="w+", dtype=np.float16, shape=(len(keys), VIEWS, channels))
    _TASK = (paths, changed, graph, size, features)
    started = time.time()
    with get_context("fork").Pool(workers) as pool:
        for done, _ in enumerate(pool.imap(_fill, range(len(keys)), chunksize=16), 1):
            if done % 500 == 0:
                left = (time.time() - started) / done * (len(keys) - done)
                print(f"{done} of {len(keys)} photos, {left:.0f} s left", flush=True)
    features.flush()
    aside.replace(out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Cache features of frozen photo networks.")
    for name in ("pack", "data", "weights", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--backbone", default="tf_efficientnet_lite2")
    parser.add_argument("--size", type=int, default=260)
    parser.add_argument("--middle", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    a = parser.parse_args()
    main(a.pack, a.data, a.weights, a.out, a.backbone, a.size, a.middle, a.workers)
