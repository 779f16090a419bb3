"""Export a trained model as a model package, and compare the package's embeddings with the model's."""

from __future__ import annotations

import copy
import dataclasses
import logging
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sketchseek.encoder import Encoder
from sketchseek.errors import ExportError, MissingExtraError
from sketchseek.file_digest import file_digest
from sketchseek.models.package import Branch, Distance, Manifest, ModelPackage, write_manifest
from sketchseek.sketches import RASTER_VERSION
from sketchseek.training.config import TrainConfig
from sketchseek.training.nn.backbones import Backbone
from sketchseek.training.nn.cells import normalized_cells
from sketchseek.training.nn.model import BRANCHES, BranchEncoder, BranchName, DualEncoder
from sketchseek.training.nn.tuning import merged

OPSET = 18


@dataclass(frozen=True)
class Parity:
    """Comparison of a model package with the model that it was exported from.

    Attributes:
        difference: Largest absolute difference between embedding components, divided by their standard deviation.
        agreement: Fraction of queries with the same ranking. Photos whose scores differ by less than twice the largest
            score difference may change places.
    """

    difference: float
    agreement: float


class _Exported(nn.Module):
    """One branch as it is exported: pixels in; comparable embedding and each cell's contribution to it out.

    A branch whose pooling is no mean has no cells.
    """

    def __init__(self, encoder: BranchEncoder, distance: Distance) -> None:
        super().__init__()
        self.encoder = copy.copy(encoder)  # the model itself keeps its head
        self.encoder._modules = dict(encoder._modules)
        # One weight then serves both outputs. The exporter would fold batch normalization into a copy of it.
        self.encoder.head = encoder.head.folded()
        self.encoder.backbone = cast(Backbone, merged(encoder.backbone))
        self.distance = distance

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        features = self.encoder.feature_map(pixels)
        embedding: Tensor = self.encoder.head(features)
        if not self.encoder.has_cells:
            return (embedding if self.distance == "euclidean" else F.normalize(embedding, dim=1),)
        cells = self.encoder.head.cells(features)
        if self.distance == "euclidean":
            return embedding, cells
        return F.normalize(embedding, dim=1), normalized_cells(cells, embedding)


def export_model(
    model: DualEncoder,
    config: TrainConfig,
    folder: Path,
    *,
    half_weights: bool = True,
    scores: dict[str, Any] | None = None,
    training: dict[str, Any] | None = None,
    license_text: str = "",
) -> tuple[ModelPackage, Parity]:
    """Write a model package and check it.

    Args:
        model: The trained model.
        config: Its experiment.
        folder: Folder of the model package. Files are moved into it after the check has passed.
        half_weights: Store weights as fp16, for half the size. The graph computes in fp32.
        scores, training, license_text: Entries of the manifest.

    Raises:
        ExportError: The embeddings or rankings of the package differ from the model's, or torch cannot export the
            network for batches of any size.
        MissingExtraError: onnx or onnxscript is not installed.
    """
    model = model.to("cpu").eval()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as aside:
        branches = {
            name: _export_branch(model.branch(name), name, config.distance, Path(aside) / f"{name}.onnx", half_weights)
            for name in BRANCHES
        }
        manifest = Manifest(
            name=config.name,
            dimensions=model.embedding,
            distance=config.distance,
            raster=RASTER_VERSION,
            photo=branches["photo"],
            sketch=branches["sketch"],
            data=[source.terms or f"{source.kind}: {source.path}" for source in config.sources],
            license=license_text,
            scores=scores or {},
            training=(training or {}) | {"settings": dataclasses.asdict(config)},
        )
        parity = check_parity(model, Encoder(write_manifest(Path(aside), manifest)))
        for file in Path(aside).iterdir():
            file.replace(folder / file.name)
    return ModelPackage(folder, manifest), parity


def check_parity(model: DualEncoder, encoder: Encoder, *, count: int = 48, tolerance: float = 0.02) -> Parity:
    """Compare embeddings and rankings of a model package with the model's, on random images.

    Args:
        model: The model that was exported.
        encoder: The model package.
        count: Number of photos, and number of sketches.
        tolerance: Maximum ``Parity.difference``. Weights in fp16 give about 0.005.

    Raises:
        ExportError: The difference exceeds the tolerance, or a ranking differs.
    """
    random = np.random.default_rng(0)
    photos = random_pictures(random, (count, model.photo.config.size, model.photo.config.size, 3))
    sketches = np.where(
        random_pictures(random, (count, model.sketch.config.size, model.sketch.config.size)) > 127, 255, 0
    )
    sketches = sketches.astype(np.uint8)
    cosine = encoder.manifest.distance == "cosine"
    with torch.no_grad():
        expected = [
            _Exported(model.branch(name), encoder.manifest.distance).eval()(torch.from_numpy(pixels))[0].numpy()
            for name, pixels in zip(BRANCHES, (photos, sketches), strict=True)
        ]
    got = [encoder.encode_photo_pixels(photos), encoder.encode_sketch_pixels(sketches)]
    difference = max(float(np.abs(a - b).max() / a.std()) for a, b in zip(expected, got, strict=True))
    before, after = (_scores(sketches=pair[1], photos=pair[0], cosine=cosine) for pair in (expected, got))
    slack = 2 * float(np.abs(before - after).max())
    order = np.argsort(-after, axis=1)
    ranked = np.take_along_axis(before, order, axis=1)
    agreement = float(np.mean((np.diff(ranked, axis=1) <= slack).all(axis=1)))
    if not difference <= tolerance or agreement < 1.0:
        raise ExportError(
            "the exported model differs from its source: embeddings by up to "
            f"{difference:.4f} of their spread (tolerance {tolerance}), rankings agree for {agreement:.0%}.",
            subject=encoder.package.path,
            remedy="Export with fp32 weights (--fp32); if that fails too, this backbone cannot be exported faithfully.",
        )
    return Parity(difference, agreement)


def _export_branch(
    encoder: BranchEncoder, name: BranchName, distance: Distance, file: Path, half_weights: bool
) -> Branch:
    size = encoder.config.size
    # A batch of two, since the exporter treats a batch size of one as a constant.
    pixels = torch.zeros((2, size, size, 3) if name == "photo" else (2, size, size), dtype=torch.uint8)
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(f"Exporting needs {error.name}.", remedy="pip install 'sketchseek[train]'") from error
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter uses deprecated functions
        torch.onnx.export(
            _Exported(encoder, distance).eval(),
            (pixels,),
            str(file),
            input_names=["pixels"],
            output_names=["embedding", "cells"][: 1 + encoder.has_cells],
            dynamic_shapes={"pixels": {0: torch.export.Dim("batch")}},
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    graph = onnx.load(str(file))
    if not graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param:
        raise ExportError(
            "the exporter fixes the number of pictures in a batch.",
            subject=encoder.config.backbone,
            remedy="This network can be trained and evaluated, but not exported. Distil it into another one.",
        )
    forget_origin(graph)
    if half_weights:
        store_half(graph)
    onnx.save(graph, str(file))
    return Branch(
        file=file.name,
        sha256=file_digest(file),
        size=size,
        backbone=encoder.config.backbone,
        parameters=sum(parameter.numel() for parameter in encoder.parameters()),
    )


def forget_origin(model: Any) -> None:
    """Remove the exporter's notes on the origin of each node, which contain local paths and take 0.3 MB per graph."""
    for items in (model.graph.node, model.graph.value_info, model.graph.input, model.graph.output):
        for item in items:
            item.ClearField("metadata_props")
            item.ClearField("doc_string")
    model.graph.ClearField("metadata_props")
    model.graph.ClearField("value_info")


def store_half(model: Any, smallest: int = 8192) -> None:
    """Store large weights as fp16, each with a cast to fp32, which onnxruntime folds when it opens the graph.

    Small weights, those of the first layer and of depthwise layers, stay fp32: in two EfficientNets they are 1.4 % of
    the bytes but cause four fifths of the rounding error.
    """
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for initializer in model.graph.initializer:
        values = numpy_helper.to_array(initializer)
        if values.dtype == np.float32 and values.size >= smallest and np.abs(values).max() < 60_000:
            name = initializer.name
            initializer.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    for node in reversed(casts):
        model.graph.node.insert(0, node)


def random_pictures(random: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Random smooth images. With plain noise, all images would have nearly the same embedding."""
    small = torch.from_numpy(random.standard_normal((shape[0], 3 if len(shape) == 4 else 1, 6, 6)).astype(np.float32))
    smooth = F.interpolate(small, size=shape[1:3], mode="bicubic").sigmoid() * 255
    rows = smooth.permute(0, 2, 3, 1).squeeze(-1) if len(shape) == 3 else smooth.permute(0, 2, 3, 1)
    return np.ascontiguousarray(rows.numpy().astype(np.uint8))


def _scores(*, sketches: Any, photos: Any, cosine: bool) -> Any:
    if cosine:
        return sketches @ photos.T
    return -np.linalg.norm(sketches[:, None] - photos[None], axis=2)
