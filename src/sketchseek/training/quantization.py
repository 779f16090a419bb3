"""INT8 quantization of a model package: static, per channel, calibrated with its training data.

Whether it helps depends on the network and the processor. Depthwise convolutions, whose channels have very different
ranges, lose accuracy (onnxruntime#11415). The result is therefore a second model package, to be evaluated before use.

The calibration method determines the range of an activation: the largest observed range (``minmax``), the range that
loses least information (``entropy``), or a range without outliers (``percentile``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sketchseek.encoder import Encoder, load_encoder
from sketchseek.errors import ConfigError, InputError, MissingExtraError
from sketchseek.file_digest import file_digest
from sketchseek.models.package import ModelPackage, load_model_package, write_manifest
from sketchseek.training.config import parse_config
from sketchseek.training.data import load_sources
from sketchseek.training.nn.model import BRANCHES
from sketchseek.training.pseudo_sketches import sketch_source

Pixels = npt.NDArray[np.uint8]
Images = tuple[Pixels, Pixels]
"""Photos (n, size, size, 3) and sketches (n, size, size), as the encoders of a model package take them."""
Calibration = Literal["minmax", "entropy", "percentile"]


def quantize_model(
    source: ModelPackage, images: Images, folder: Path, calibration: Calibration = "minmax"
) -> ModelPackage:
    """Write a model package whose convolutions and linear layers compute in INT8.

    Args:
        source: The model package to quantize.
        images: Calibration images (``calibration_set``).
        folder: Folder of the new model package.
        calibration: Calibration method for activation ranges.

    Raises:
        MissingExtraError: onnx is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest = source.manifest
    with tempfile.TemporaryDirectory(dir=folder, prefix=".quantize-") as aside:
        branches = {}
        for name, pixels in zip(BRANCHES, images, strict=True):
            branch = manifest.photo if name == "photo" else manifest.sketch
            file = Path(aside) / f"{name}.onnx"
            _quantize(source.file(name), pixels, file, calibration)
            branches[name] = dataclasses.replace(branch, file=file.name, sha256=file_digest(file))
        quantized = {"from": manifest.fingerprint, "calibration": calibration, "images": len(images[0])}
        training = manifest.training | {"quantized": quantized}
        changed = dataclasses.replace(
            manifest,
            name=f"{manifest.name}-int8",
            photo=branches["photo"],
            sketch=branches["sketch"],
            training=training,
        )
        write_manifest(Path(aside), changed)
        for file in Path(aside).iterdir():
            file.replace(folder / file.name)
    return load_model_package(folder)


def calibration_set(source: ModelPackage, data: Path, count: int, seed: int = 0) -> Images:
    """A random sample of a model package's training data, at most ``count`` photos and ``count`` sketches.

    Args:
        source: The model package.
        data: The data folder of its training.
        count: Maximum number of images for each branch.
        seed: Seed of the sample.

    Raises:
        ConfigError: The manifest does not name the training data.
        DatasetError: The data is missing.
    """
    settings = source.manifest.training.get("settings")
    if not settings:
        raise ConfigError(
            "its manifest does not name its training data.", subject=source.path, remedy="Export it from its run again."
        )
    config = parse_config(settings)
    training = load_sources(config.sources, data, config.validation, config.validation_seed, fold=config.fold).training
    encoder = load_encoder(source.path)
    random = np.random.default_rng(seed)
    photos = [encoder.read_photo(p.path) for p in _some(random, training.photos, count)]
    sketches = []
    for sketch in _some(random, training.sketches, count):
        try:
            sketches.append(encoder.read_sketch(sketch_source(sketch)))
        except InputError:  # such as a pseudo-sketch of a photo without lines
            continue
    return np.stack(photos), np.stack(sketches)


def agreement(first: Encoder, second: Encoder, images: Images) -> dict[str, float]:
    """Agreement of two model packages on the same images.

    Returns:
        ``photo_cosine`` and ``sketch_cosine``, the mean cosine between their embeddings, and ``first_ten_shared``, the
        fraction of the first ten photos that both find.
    """
    photos, sketches = images
    ours = [_unit(first.encode_photo_pixels(photos)), _unit(first.encode_sketch_pixels(sketches))]
    theirs = [_unit(second.encode_photo_pixels(photos)), _unit(second.encode_sketch_pixels(sketches))]
    ten = [np.argsort(-(queries @ gallery.T), axis=1)[:, :10] for gallery, queries in (ours, theirs)]
    same = [len(set(a.tolist()) & set(b.tolist())) / len(a) for a, b in zip(*ten, strict=True)]
    photo, sketch = (float((a * b).sum(axis=1).mean()) for a, b in zip(ours, theirs, strict=True))
    return {"photo_cosine": photo, "sketch_cosine": sketch, "first_ten_shared": float(np.mean(same))}


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    unit: npt.NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def _some(random: np.random.Generator, items: Any, count: int) -> list[Any]:
    return [items[i] for i in random.choice(len(items), min(count, len(items)), replace=False)]


def _quantize(graph: Path, pixels: Pixels, out: Path, calibration: Calibration) -> None:
    try:
        import onnx
        import onnx.utils
        from onnxruntime.quantization import (
            CalibrationDataReader,
            CalibrationMethod,
            QuantFormat,
            QuantType,
            quantize_static,
        )
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise MissingExtraError(
            f"Quantization needs {error.name}.", remedy="pip install 'sketchseek[train]'"
        ) from error

    class Batches(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches: Iterator[Pixels] = iter(np.array_split(pixels, max(1, len(pixels) // 16)))

        def get_next(self) -> dict[str, Pixels] | None:
            batch = next(self._batches, None)
            return None if batch is None else {"pixels": batch}

    with tempfile.TemporaryDirectory(dir=out.parent) as aside:
        plain, ready = Path(aside) / "plain.onnx", Path(aside) / "ready.onnx"
        model = onnx.load(str(graph))
        if any(output.name == "cells" for output in model.graph.output):
            # In INT8, the cells would not sum to the embedding.
            model = onnx.utils.Extractor(model).extract_model(["pixels"], ["embedding"])
        _weights_in_fp32(model)
        onnx.save(model, str(plain))
        quant_pre_process(str(plain), str(ready), skip_symbolic_shape=True)
        with contextlib.redirect_stdout(sys.stderr):  # the calibrators print to stdout, which is for results
            quantize_static(
                str(ready),
                str(out),
                Batches(),
                calibrate_method={
                    "minmax": CalibrationMethod.MinMax,
                    "entropy": CalibrationMethod.Entropy,
                    "percentile": CalibrationMethod.Percentile,
                }[calibration],
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=["Conv", "Gemm", "MatMul", "Add"],
            )


def _weights_in_fp32(model: Any) -> None:
    """Undo the fp16 storage of ``export``: the quantizer does not find weights behind a cast."""
    from onnx import numpy_helper

    halves = {item.name: item for item in model.graph.initializer if item.name.endswith(".half")}
    for node in [node for node in model.graph.node if node.op_type == "Cast" and node.input[0] in halves]:
        half = halves[node.input[0]]
        half.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(half).astype(np.float32), node.output[0]))
        model.graph.node.remove(node)
