"""From a finished run to a model package: two ONNX graphs and a manifest, with a parity check.

``python -m lab.export RUN FOLDER --work WORK --doodlenet DOODLENET`` writes ``photo.onnx``, ``sketch.onnx`` and
``manifest.json``. Principal components, linear heads and statistics are folded into one linear layer a part.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from lab.config import RunConfig
from lab.networks import SHARPNESS, Parts, PhotoHead, SketchHead, refined
from lab.pack import read_pack
from lab.photo_features import PhotoTrunk, field_weights
from lab.select import SCALARS
from lab.sketch_network import FIELDS, SketchNetwork
from lab.store import places_of, words_of
from lab.train import add_middle, load_config, part_of
from sketchseek.encoder import Encoder
from sketchseek.errors import ExportError
from sketchseek.file_digest import file_digest
from sketchseek.models.package import Branch, Manifest, write_manifest
from sketchseek.sketches import RASTER_VERSION
from sketchseek.training.export import OPSET, forget_origin, random_pictures, store_half
from sketchseek.training.nn.cells import linear_cells, normalized_cells, on_grid

DATA = [
    "The Sketchy Database (Sangkloy et al. 2016), research use",
    "TU-Berlin (Eitz et al. 2012), 37 categories, CC BY 4.0",
    "Quick, Draw! (Google), CC BY 4.0",
    "doodleNet (ml5), MIT, as a part of the sketch network",
    "Fluent Emoji 3D (Microsoft), MIT",
    "ImageNet sample, research use",
    "QMUL-Chair-V2 (Yu et al. 2016), training split, research use",
    "clothing-dataset-small (Grigorev), CC0",
]
LICENSE = (
    "Apache-2.0 as far as they are ours. They start from ImageNet weights (Apache-2.0), contain doodleNet (MIT, ml5) "
    "and were trained on data of which The Sketchy Database, QMUL-Chair-V2 and the ImageNet sample are for research "
    "use: check their terms before commercial use."
)


class Joined(nn.Module):
    """Two parts to one embedding: each of unit length, weighted, turned so that its first dimensions say most."""

    def __init__(self, what: tuple[Tensor, Tensor], which: tuple[Tensor, Tensor], weight: float, turn: Tensor) -> None:
        super().__init__()
        self.what, self.which = _linear(*what), _linear(*which)
        self.scale_what, self.scale_which = (1 - weight) ** 0.5, weight**0.5
        self.turn = _linear(turn.T.contiguous(), None)

    def forward(self, what: Tensor, which: Tensor) -> Tensor:
        """From the inputs of both parts to (batch, d) of unit length."""
        both = [F.normalize(what, dim=1) * self.scale_what, F.normalize(which, dim=1) * self.scale_which]
        out: Tensor = self.turn(torch.cat(both, dim=1))
        return out

    def cells(self, what_cells: Tensor, which_cells: Tensor, what: Tensor, which: Tensor) -> Tensor:
        """Each cell's share, (batch, rows, columns, d), from those of the two linear layers."""
        both = [
            normalized_cells(what_cells, what) * self.scale_what,
            normalized_cells(which_cells, which) * self.scale_which,
        ]
        out: Tensor = self.turn(torch.cat(both, dim=3))
        return out


class ExportedPhoto(nn.Module):
    """Photo pixels to an embedding and each cell's part of it."""

    def __init__(
        self, trunk: PhotoTrunk, head: PhotoHead, words: Tensor, weight: float, refine: float, turn: Tensor
    ) -> None:
        super().__init__()
        self.trunk, self.channels = trunk, head.channels
        self.joined = Joined(*fold_photo_head(head, trunk.middle > 0), weight, turn)
        self.words, self.refine = _linear(words, None), refine

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        trunk = self.trunk
        mean, std = (torch.tensor(v, dtype=torch.float32).view(1, -1, 1, 1) for v in (trunk.mean, trunk.std))
        middle = trunk.first((pixels.permute(0, 3, 1, 2).float() - mean) / std)
        last = trunk.last(middle)
        what_layer, which_layer = self.joined.what, self.joined.which
        seen = what_layer(last.mean(dim=(2, 3)))
        unit = F.normalize(seen, dim=1)
        moved = self.refine * F.softmax(SHARPNESS * self.words(unit), dim=1) @ self.words.weight
        quarters, fields = (_fields(x, n) for x, n in ((last, 2), (middle, 4)))
        parts = [_pooled(last, *quarters)] + ([_pooled(middle, *fields)] if trunk.middle else [])
        which = which_layer(torch.cat(parts, dim=1))
        what_cells = linear_cells(last, what_layer.weight, what_layer.bias)
        split = 4 * self.channels
        which_cells = _field_cells(last, *quarters, which_layer.weight[:, :split])
        if trunk.middle:
            more = _field_cells(middle, *fields, which_layer.weight[:, split:])
            which_cells = which_cells + on_grid(more, *which_cells.shape[1:3])
        which_cells = which_cells + which_layer.bias / (which_cells.shape[1] * which_cells.shape[2])
        # What moves a photo toward its words has no place: the cells share it.
        what_cells = normalized_cells(what_cells, seen)
        what_cells = what_cells + moved[:, None, None] / (what_cells.shape[1] * what_cells.shape[2])
        what = unit + moved
        return self.joined(what, which), self.joined.cells(what_cells, which_cells, what, which)


class ExportedSketch(nn.Module):
    """Sketch pixels to an embedding and each cell's part of what depends on a place: all but doodleNet's part."""

    def __init__(
        self, network: SketchNetwork, head: SketchHead, prototypes: Tensor, weight: float, turn: Tensor
    ) -> None:
        super().__init__()
        self.network, self.split, self.words = network, 4 * network.channels, head.doodle_words
        what, which, gate = fold_sketch_head(head)
        self.joined = Joined(what, which, weight, turn)
        # What depends on a place is centered by what it is on average, so its constant is shared by the cells.
        doodle = head.doodle_mean
        for name, (layer, bias) in (("what", what), ("which", which)):
            self.register_buffer(
                f"{name}_constant", (bias + layer[:, self.split : self.split + len(doodle)] @ doodle).detach()
            )
        self.gate, self.prototypes = _linear(*gate), _linear(prototypes.T.contiguous(), None)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        last, doodle, middle = self.network.maps(pixels)
        quarters = _fields(last, 2)
        inputs = torch.cat([_pooled(last, *quarters), doodle], dim=1)
        seen = self.joined.what(inputs)
        fields = None if middle is None else _fields(middle, FIELDS)
        which = self.joined.which(
            inputs if middle is None or fields is None else torch.cat([inputs, _pooled(middle, *fields)], dim=1)
        )
        recognized = self.prototypes(doodle[:, -self.words :])
        what = F.normalize(seen, dim=1) + F.softplus(self.gate(inputs)) * recognized
        count = last.shape[2] * last.shape[3]
        what_cells, which_cells = (
            _field_cells(last, *quarters, layer.weight[:, : self.split]) + constant / count
            for layer, constant in ((self.joined.what, self.what_constant), (self.joined.which, self.which_constant))
        )
        if middle is not None and fields is not None:
            more = _field_cells(middle, *fields, self.joined.which.weight[:, self.split + len(doodle[0]) :])
            which_cells = which_cells + on_grid(more, *last.shape[2:])
        cells = self.joined.cells(normalized_cells(what_cells, seen), which_cells, what, which)
        return self.joined(what, which), cells


@torch.no_grad()
def fold_photo_head(head: PhotoHead, middle: bool) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Weights and biases of both parts: *what* of the mean over quarters, *which* of all features."""
    k = len(head.mean_projection)
    what = head.what.weight @ head.mean_projection
    what_bias = head.what.bias - what @ head.mean_center
    by_mean, by_rest = head.which.weight[:, :k] @ head.mean_projection, head.which.weight[:, k:] @ head.rest_projection
    bias = head.which.bias - by_mean @ head.mean_center - by_rest @ head.rest_center
    split = 4 * head.channels
    quarters = by_rest[:, :split].unflatten(1, (4, head.channels))
    # The rest is what differs from the mean over quarters, and the mean is a quarter of each.
    quarters = quarters - quarters.mean(dim=1, keepdim=True) + by_mean[:, None] / 4
    parts = [quarters.flatten(1)] + ([by_rest[:, split:] * head.middle_scale] if middle else [])
    return (what, what_bias), (torch.cat(parts, dim=1), bias)


@torch.no_grad()
def fold_sketch_head(head: SketchHead) -> list[tuple[Tensor, Tensor]]:
    """Weights and biases of *what*, *which* and the gate, of features that are not standardized."""
    c = head.channels
    mean = torch.cat([head.quarters_mean, head.doodle_mean])
    scale = torch.cat([head.quarters_scale, head.doodle_scale])
    which_mean, which_scale = torch.cat([mean, head.middle_mean]), torch.cat([scale, head.middle_scale])

    def spread(weight: Tensor) -> Tensor:  # from the mean over quarters to each of them
        return torch.cat([weight[:, :c].repeat(1, 4) / 4, weight[:, c:]], dim=1)

    layers = [
        (spread(head.what.weight) * scale, head.what.bias, mean),
        (head.which.weight * which_scale, head.which.bias, which_mean),
        (spread(head.gate.weight) * scale, head.gate.bias, mean),
    ]
    return [(weight, bias - weight @ middle) for weight, bias, middle in layers]


@torch.no_grad()
def turn_of(embeddings: Tensor) -> Tensor:
    """(d, d) orthogonal: after it, the first dimensions of these embeddings say most, so they can be cut short."""
    _, _, v = torch.linalg.svd(embeddings - embeddings.mean(dim=0), full_matrices=True)
    return v.T.contiguous()


Weights = npt.NDArray[np.float32]


def _fields(x: Tensor, count: int) -> tuple[Weights, Weights]:
    down, across = (field_weights(int(side), count) for side in x.shape[2:])
    return down, across


def _pooled(x: Tensor, down: Weights, across: Weights) -> Tensor:
    fields = torch.from_numpy(np.kron(down, across).T.copy())  # one product is faster than an einsum in onnxruntime
    return (x.flatten(2) @ fields).transpose(1, 2).flatten(1)


def _field_cells(x: Tensor, down: Weights, across: Weights, weight: Tensor) -> Tensor:
    """Split a linear layer behind weighted means over fields: (batch, rows, columns, d), whose sum is its output.

    Most cells lie in one field, and the others are left out, so this costs little more than one projection.
    """
    weights = weight.unflatten(1, (len(down), len(across), -1))
    by_cell = x.permute(0, 2, 3, 1)
    rows, columns = x.shape[2:]
    total = torch.zeros(())
    for i, rows_of in enumerate(down):
        for j, columns_of in enumerate(across):
            high, wide = np.flatnonzero(rows_of), np.flatnonzero(columns_of)
            top, bottom, left, right = int(high[0]), int(high[-1]) + 1, int(wide[0]), int(wide[-1]) + 1
            shares = torch.from_numpy(np.outer(rows_of[top:bottom], columns_of[left:right]))
            some = torch.matmul(by_cell[:, top:bottom, left:right], weights[:, i, j].t()) * shares[..., None]
            total = total + F.pad(some, (0, 0, left, columns - right, top, rows - bottom))
    return total


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.weight = nn.Parameter(weight.clone(), requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.clone(), requires_grad=False)
    return layer


Sides = dict[Literal["photo", "sketch"], nn.Module]


def export(run: Path, folder: Path, work: Path, features: Path, doodlenet: Path, **scalars: float | None) -> float:
    """Write a package; returns the largest difference of an embedding from the run's own, relative to their spread.

    Args:
        run: The finished run.
        folder: Where the package goes.
        work: The folder of prepared data.
        features: Cached features of the photo network.
        doodlenet: Folder of doodleNet.
        scalars: Weight of *which*, offset of doodleNet's gate and strength of the photos' refinement; by default what
            ``lab.select`` has chosen, or the weight that the run has learned, and 0.

    Raises:
        ExportError: The package's embeddings differ from the run's.
    """
    config = load_config(run)
    sides, chosen = modules_of(run, work, features, doodlenet, **scalars)
    return write_package(sides, config, folder, config.name, history(run) | {"selected": chosen})


def modules_of(
    run: Path, work: Path, features: Path, doodlenet: Path, **scalars: float | None
) -> tuple[Sides, dict[str, float]]:
    """Both branches of a run as they are exported, and its scalars; see ``export``."""
    config, state = load_config(run), load_file(run / "weights.safetensors")
    torch.manual_seed(0)
    trunk = PhotoTrunk(config.photo_backbone, config.photo_size, config.photo_middle, work / "weights")
    width = 4 * trunk.channels + 16 * trunk.middle_channels
    photo_head = PhotoHead(config, None, trunk.channels, width)
    network = SketchNetwork(config.sketch_backbone, work / "weights", doodlenet, [], config.sketch_middle)
    if "head.middle_mean" not in state:
        add_middle(state, 0)
    names = network.doodlenet.words
    sketch_head = SketchHead(config, network.channels, network.doodle_channels, len(names), network.middle_channels)
    words = F.normalize(state["words"], dim=1)
    prototypes = words[places_of(names, words_of(read_pack(work / "pack")))]
    for key, module in {"photo": photo_head, "network": network, "head": sketch_head}.items():
        module.load_state_dict(part_of(state, key))
        module.eval()
    scales = state["scales"][:2].exp()
    chosen = {"weight": float(scales[1] / scales.sum()), "offset": 0.0, "refine": 0.0}
    if (run / "selected.json").is_file():
        chosen |= json.loads((run / "selected.json").read_text(encoding="utf-8"))
    chosen |= {name: value for name, value in scalars.items() if value is not None}
    weight, offset, refine = (chosen[name] for name in SCALARS)
    with torch.no_grad():
        sketch_head.gate.bias += offset
    cached = torch.from_numpy(np.load(features, mmap_mode="r")[:, 0].astype(np.float32))
    with torch.no_grad():
        parts = photo_head(photo_head.inputs(cached))
        turn = turn_of(Parts(refined(parts.what, words, refine), parts.which).joined(weight))
    return {
        "photo": ExportedPhoto(trunk, photo_head, words, weight, refine, turn).eval(),
        "sketch": ExportedSketch(network, sketch_head, prototypes, weight, turn).eval(),
    }, chosen


def write_package(
    sides: Sides,
    config: RunConfig,
    folder: Path,
    name: str,
    training: dict[str, Any],
    store: Callable[[Any], None] = store_half,
) -> float:
    """Export both branches, check them against the modules, and put them into a folder with a manifest.

    ``store`` changes how an ONNX model's weights are stored.
    """
    sizes = {"photo": config.photo_size, "sketch": config.sketch_size}
    backbones = {"photo": config.photo_backbone, "sketch": f"{config.sketch_backbone} + doodleNet"}
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as aside:
        branches = {
            side: _export_branch(module, side, sizes[side], backbones[side], Path(aside), store)
            for side, module in sides.items()
        }
        manifest = Manifest(
            name=name,
            embedding=config.what + config.which,
            distance="cosine",
            raster=RASTER_VERSION,
            photo=branches["photo"],
            sketch=branches["sketch"],
            data=DATA,
            license=LICENSE,
            scores={},
            training=training,
        )
        difference = _difference(sides, Encoder(write_manifest(Path(aside), manifest)), sizes)
        for file in Path(aside).iterdir():
            file.replace(folder / file.name)
    return difference


def _export_branch(
    module: nn.Module,
    side: Literal["photo", "sketch"],
    size: int,
    backbone: str,
    folder: Path,
    store: Callable[[Any], None],
) -> Branch:
    import onnx

    pixels = torch.zeros((2, size, size, 3) if side == "photo" else (2, size, size), dtype=torch.uint8)
    file = folder / f"{side}.onnx"
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (pixels,), str(file), input_names=["pixels"], output_names=["embedding", "cells"],
            dynamic_shapes={"pixels": {0: torch.export.Dim("batch")}}, opset_version=OPSET, dynamo=True,
            external_data=False, verbose=False,
        )  # fmt: skip
    graph = onnx.load(str(file))
    forget_origin(graph)
    parameters = sum(np.prod(item.dims, dtype=np.int64) for item in graph.graph.initializer)
    store(graph)
    onnx.save(graph, str(file))
    return Branch(file.name, file_digest(file), size, backbone, int(parameters))


def _difference(sides: Sides, encoder: Encoder, sizes: dict[str, int], tolerance: float = 0.05) -> float:
    random = np.random.default_rng(0)
    photos = random_pictures(random, (16, sizes["photo"], sizes["photo"], 3))
    sketches = np.where(random_pictures(random, (16, sizes["sketch"], sizes["sketch"])) > 127, 255, 0).astype(np.uint8)
    with torch.no_grad():
        expected = [sides[k](torch.from_numpy(x)) for k, x in (("photo", photos), ("sketch", sketches))]
    got = [encoder.encode_photo_pixels(photos), encoder.encode_sketch_pixels(sketches)]
    worst = max(float(np.abs(a.numpy() - b).max() / a.std()) for (a, _), b in zip(expected, got, strict=True))
    if not worst <= tolerance:
        raise ExportError(
            f"{encoder.package.path}: embeddings differ by {worst:.4f} of their spread.", remedy="Export in fp32."
        )
    return worst


def history(run: Path) -> dict[str, Any]:
    """What the manifest says of the run: its settings, and validation at the exported step."""
    settings = json.loads((run / "config.json").read_text(encoding="utf-8"))
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [line for line in lines if "validation" in line]
    last = {key: rows[-1][key] for key in ("step", "validation")}
    return {"recipe": "experiments/encoders", "encoders": settings, **last}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Export a run as a model package.")
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--doodlenet", type=Path, required=True)
    for name in SCALARS:
        parser.add_argument(f"--{name}", type=float)
    a = parser.parse_args()
    scalars = {name: getattr(a, name) for name in SCALARS}
    print(f"{export(a.run, a.folder, a.work, a.features, a.doodlenet, **scalars):.4f}")
