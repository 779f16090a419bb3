"""A model package that is made in milliseconds: both sides average-pool to 8 × 8, project with one random matrix and
normalize, so that a picture and a sketch of equal brightness patterns have equal embeddings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sketchseek.file_digest import file_digest
from sketchseek.models.package import Branch, Distance, Manifest, ModelPackage, write_manifest
from sketchseek.sketches import RASTER_VERSION

SIZE, CELLS, EMBEDDING = 32, 8, 16


def write_tiny_package(
    folder: Path, *, seed: int = 0, name: str = "tiny", distance: Distance = "cosine", cells: bool = True
) -> ModelPackage:
    """Write a model package of two tiny encoders into ``folder``; another seed gives another embedding space.

    Without ``cells`` it lacks the output that explains a score.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weight = np.random.default_rng(seed).standard_normal((CELLS * CELLS, EMBEDDING)).astype(np.float32)
    sides = {}
    for side, channels in (("photo", 3), ("sketch", 1)):
        path = folder / f"{side}.onnx"
        onnx.save(_graph(channels, weight, distance, cells), str(path))
        sides[side] = Branch(
            file=path.name, sha256=file_digest(path), size=SIZE, backbone="tiny", parameters=weight.size
        )
    manifest = Manifest(
        name=name,
        dimensions=EMBEDDING,
        distance=distance,
        raster=RASTER_VERSION,
        photo=sides["photo"],
        sketch=sides["sketch"],
        data=["none"],
        license="Apache-2.0",
    )
    return write_manifest(folder, manifest)


def _graph(channels: int, weight: np.ndarray, distance: Distance, cells: bool) -> onnx.ModelProto:
    shape = ["batch", SIZE, SIZE, 3] if channels == 3 else ["batch", SIZE, SIZE]
    cell = SIZE // CELLS
    constants = {
        "weight": weight,
        "half": np.array(127.5, np.float32),
        "axes": np.array([3 if channels == 3 else 1], np.int64),
        "flat": np.array([-1, CELLS * CELLS], np.int64),
        "bias": np.full((EMBEDDING,), 1e-3, np.float32),
        "one": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["float", "half"], ["centered"]),
    ]
    if channels == 3:
        nodes += [
            helper.make_node("ReduceMean", ["centered", "axes"], ["gray3"], keepdims=0),
            helper.make_node("Unsqueeze", ["gray3", "one"], ["gray"]),
        ]
    else:
        nodes += [helper.make_node("Unsqueeze", ["centered", "axes"], ["gray"])]
    nodes += [
        helper.make_node("AveragePool", ["gray"], ["pooled"], kernel_shape=[cell, cell], strides=[cell, cell]),
        helper.make_node("Reshape", ["pooled", "flat"], ["flattened"]),
        helper.make_node("MatMul", ["flattened", "weight"], ["projected"]),
        helper.make_node("Add", ["projected", "bias"], ["shifted"]),
        helper.make_node("LpNormalization", ["shifted"], ["embedding"], axis=1, p=2)
        if distance == "cosine"
        else helper.make_node("Identity", ["shifted"], ["embedding"]),
    ]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", EMBEDDING])]
    if cells:
        constants |= {
            "two": np.array([2], np.int64),
            "small_bias": constants["bias"] / (CELLS * CELLS),
            "unit": np.ones((1, 1), np.float32),
            "grid": np.array([-1, CELLS, CELLS, EMBEDDING], np.int64),
        }
        nodes += [
            helper.make_node("Unsqueeze", ["flattened", "two"], ["each"]),
            helper.make_node("Mul", ["each", "weight"], ["each_projected"]),
            helper.make_node("Add", ["each_projected", "small_bias"], ["each_shifted"]),
            helper.make_node("ReduceL2", ["shifted", "one"], ["length"], keepdims=1)
            if distance == "cosine"
            else helper.make_node("Identity", ["unit"], ["length"]),
            helper.make_node("Unsqueeze", ["length", "two"], ["lengths"]),
            helper.make_node("Div", ["each_shifted", "lengths"], ["each_normalized"]),
            helper.make_node("Reshape", ["each_normalized", "grid"], ["cells"]),
        ]
        outputs.append(helper.make_tensor_value_info("cells", TensorProto.FLOAT, ["batch", CELLS, CELLS, EMBEDDING]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, shape)],
        outputs,
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
