"""From a finished run to a model package: two ONNX graphs and a manifest, with a parity check.

``python -m lab.export RUN FOLDER --work WORK --doodlenet DOODLENET`` writes ``photo.onnx``, ``sketch.onnx`` and
``manifest.json``.
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
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from lab.config import RunConfig
from lab.exported_modules import ExportedPhoto, ExportedSketch, turn_of
from lab.networks import Parts, PhotoHead, SketchHead, refined
from lab.pack import read_pack
from lab.photo_features import PhotoTrunk
from lab.select import SCALARS
from lab.sketch_network import SketchNetwork
from lab.store import places_of, words_of
from lab.train import load_config, part_of
from sketchseek.encoder import Encoder
from sketchseek.errors import ExportError
from sketchseek.file_digest import file_digest
from sketchseek.models.package import Branch, Manifest, write_manifest
from sketchseek.sketches import RASTER_VERSION
from sketchseek.training.export import OPSET, forget_origin, random_pictures, store_half

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
            dimensions=config.what + config.which,
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
