"""From a finished run to a model artifact: two ONNX graphs and a manifest, with a parity check.

``python -m lab.export RUN FOLDER`` writes ``photo.onnx``, ``sketch.onnx`` and ``manifest.json`` in the package format.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lab.config import RunConfig, as_dict, read_config
from lab.loop import load_run
from lab.networks import PhotoBranch, SketchBranch
from sketchseek.encoder import Encoder
from sketchseek.errors import ExportError
from sketchseek.models.package import Branch, Manifest, sha256_of, write_manifest
from sketchseek.sketches import RASTER_VERSION
from sketchseek.training.export import OPSET, _blobs, _forget, store_half

DATA = [
    "The Sketchy Database (Sangkloy et al. 2016), research use",
    "TU-Berlin (Eitz et al. 2012), 37 categories, CC BY 4.0",
    "Quick, Draw! (Google), CC BY 4.0",
    "doodleNet (ml5), MIT, as a teacher",
    "Fluent Emoji 3D (Microsoft), MIT",
    "ImageNet sample, research use",
    "QMUL-Chair-V2 (Yu et al. 2016), training split, research use",
    "clothing-dataset-small (Grigorev), CC0",
]
LICENSE = (
    "Apache-2.0 as far as they are ours. They start from ImageNet weights (Apache-2.0) and were trained on data of "
    "which The Sketchy Database, QMUL-Chair-V2 and the ImageNet sample are for research use: check their terms before "
    "commercial use."
)


def export_run(run: Path, folder: Path, name: str = "") -> float:
    """Write an artifact; returns the largest difference of an embedding from the run's own, relative to their spread.

    Raises:
        ExportError: The artifact's embeddings differ from the run's.
    """
    config = read_config(run / "config.yaml")
    sketch, photo = (
        SketchBranch(config.sketch, config.dimensions, None),
        PhotoBranch(config.photo, config.dimensions, None),
    )
    load_run(run, sketch, photo)
    branches: dict[str, nn.Module] = {"photo": photo.eval(), "sketch": sketch.eval()}
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as aside:
        sides = {side: _export_branch(branch, side, config, Path(aside)) for side, branch in branches.items()}
        manifest = Manifest(
            name=name or config.name,
            embedding=config.dimensions,
            distance="cosine",
            raster=RASTER_VERSION,
            photo=sides["photo"],
            sketch=sides["sketch"],
            data=DATA,
            license=LICENSE,
            scores={"validation": _last_validation(run)},
            training={"settings": as_dict(config)},
        )
        difference = _difference(branches, Encoder(write_manifest(Path(aside), manifest)), config)
        for file in Path(aside).iterdir():
            file.replace(folder / file.name)
    return difference


def _export_branch(branch: nn.Module, side: str, config: RunConfig, folder: Path) -> Branch:
    import onnx

    settings = config.photo if side == "photo" else config.sketch
    size = settings.size
    pixels = torch.zeros((2, size, size, 3) if side == "photo" else (2, size, size), dtype=torch.uint8)
    file = folder / f"{side}.onnx"
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            branch,
            (pixels,),
            str(file),
            input_names=["pixels"],
            output_names=["embedding"],
            dynamic_shapes={"pixels": {0: torch.export.Dim("batch")}},
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    graph = onnx.load(str(file))
    _forget(graph)
    store_half(graph)
    onnx.save(graph, str(file))
    parameters = sum(parameter.numel() for parameter in branch.parameters())
    return Branch(file.name, sha256_of(file), size, settings.backbone, parameters)


def _difference(branches: dict[str, nn.Module], encoder: Encoder, config: RunConfig, tolerance: float = 0.05) -> float:
    random = np.random.default_rng(0)
    photos = _blobs(random, (16, config.photo.size, config.photo.size, 3))
    sketches = np.where(_blobs(random, (16, config.sketch.size, config.sketch.size)) > 127, 255, 0).astype(np.uint8)
    with torch.no_grad():
        expected = [branches[k](torch.from_numpy(x)).numpy() for k, x in (("photo", photos), ("sketch", sketches))]
    got = [encoder.encode_photo_pixels(photos), encoder.encode_sketch_pixels(sketches)]
    worst = max(float(np.abs(a - b).max() / a.std()) for a, b in zip(expected, got, strict=True))
    if not worst <= tolerance:
        raise ExportError(
            f"{encoder.package.path}: embeddings differ by {worst:.4f} of their spread.", remedy="Export in fp32."
        )
    return worst


def _last_validation(run: Path) -> dict[str, Any]:
    file = run / "log.jsonl"
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []
    found: list[dict[str, Any]] = [line["validation"] for line in lines if "validation" in line]
    return found[-1] if found else {}


if __name__ == "__main__":
    print(export_run(Path(sys.argv[1]), Path(sys.argv[2]), *(sys.argv[3:4])))
