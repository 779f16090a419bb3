"""What a model costs: parameters, multiply-adds, bytes, and milliseconds beside bare onnxruntime."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sketchseek.datasets.chairv2 import load_chairv2
from sketchseek.encoder import CELLS, Encoder
from sketchseek.models.graph_check import without_output


def cost(encoder: Encoder, data: Path, repeats: int = 60) -> dict[str, Any]:
    """Parameters, multiply-adds, bytes, and milliseconds on one core, beside bare onnxruntime on the same graph.

    Args:
        encoder: The model.
        data: Folder that holds ``chairv2``, whose first photo and sketch are encoded.
        repeats: Timed calls of each; the median counts.

    Returns:
        By branch, ``photo`` and ``sketch``: ``backbone``, ``size``, ``parameters``, ``multiplications``, ``bytes``,
        ``milliseconds`` and ``ratio_to_bare_onnxruntime``.
    """
    encoder = Encoder(encoder.package, threads=1)
    chairs = load_chairv2(data / "chairv2")
    photo, sketch = chairs.photos[0].path, chairs.sketches[0].source
    return {
        "photo": _branch(encoder, "photo", lambda: encoder.encode_photo(photo), encoder.read_photo(photo), repeats),
        "sketch": _branch(
            encoder, "sketch", lambda: encoder.encode_sketch(sketch), encoder.read_sketch(sketch), repeats
        ),
    }


def _branch(
    encoder: Encoder, branch: Literal["photo", "sketch"], encode: Callable[[], Any], pixels: Any, repeats: int
) -> dict[str, Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    file = encoder.package.file(branch)
    graph = without_output(file.read_bytes(), CELLS)  # as the encoder does
    bare = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    ours, theirs = _medians([encode, lambda: bare.run(["embedding"], {"pixels": pixels[None]})], repeats)
    described = encoder.manifest.photo if branch == "photo" else encoder.manifest.sketch
    return {
        "backbone": described.backbone,
        "size": described.size,
        "parameters": described.parameters,
        "multiplications": multiplications(file),
        "bytes": file.stat().st_size,
        "milliseconds": round(ours, 2),
        "ratio_to_bare_onnxruntime": round(ours / theirs, 2),
    }


def _medians(calls: list[Callable[[], Any]], repeats: int) -> list[float]:
    """Median milliseconds of processor time of each call. They take turns, so that other load meets all of them."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for taken, call in zip(times, calls, strict=True):
            started = time.process_time()
            call()
            taken.append(1000 * (time.process_time() - started))
    return [float(np.median(taken)) for taken in times]


def multiplications(file: Path) -> int:
    """Multiply-adds of one picture through a graph's convolutions and linear layers, as far as its embedding needs."""
    import onnx

    model = onnx.shape_inference.infer_shapes(onnx.load(str(file)))
    graph = model.graph
    shapes = {item.name: list(item.dims) for item in graph.initializer}
    for item in [*graph.value_info, *graph.output]:
        shapes[item.name] = [max(d.dim_value, 1) for d in item.type.tensor_type.shape.dim]
    needed = {graph.output[0].name}  # the embedding
    total = 0
    for node in reversed(graph.node):  # in an ONNX graph, what a node needs comes before it
        if needed.isdisjoint(node.output):
            continue
        needed.update(node.input)
        if node.op_type == "Conv":
            total += int(np.prod(shapes[node.input[1]])) * int(np.prod(shapes[node.output[0]][2:]))
        elif node.op_type in ("Gemm", "MatMul"):
            total += int(np.prod(shapes[node.input[1]]))
    return total
