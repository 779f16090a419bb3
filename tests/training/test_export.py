"""What an exported graph is made of; that it embeds as the model does is tested with training (``test_loop.py``)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from sketchseek.training.export import _export_branch, store_int8
from sketchseek.training.nn.backbones import Backbone, Normalization
from sketchseek.training.nn.heads import EmbeddingHead, HeadNorm
from sketchseek.training.nn.model import BranchConfig, BranchEncoder


@pytest.mark.parametrize("norm", ["batch", "both"])
def test_batch_normalization_folds_into_the_linear_layer(tmp_path: Path, norm: HeadNorm) -> None:
    """The head's, and the backbone's into its convolutions: none is left in the graph."""
    torch.manual_seed(0)
    encoder = BranchEncoder(BranchConfig("shufflenet_v2_x0_5", 16), 8, norm)
    stage = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, bias=False), nn.BatchNorm2d(6), nn.ReLU())
    encoder.backbone = Backbone([stage], 6, Normalization((0.5,) * 3, (0.5,) * 3))  # small: exporting takes its time
    encoder.head = EmbeddingHead(6, 8, norm)
    head: Any = encoder.head
    with torch.no_grad():
        head.batch.weight.uniform_(0.5, 2)
        head.batch.bias.normal_()
    for _ in range(3):
        encoder.train()(torch.randint(0, 256, (8, 16, 16, 3), dtype=torch.uint8))
    head = encoder.eval().head
    _export_branch(encoder, "photo", "euclidean", tmp_path / "photo.onnx", half_weights=False)
    assert str(Path.cwd()).encode() not in (tmp_path / "photo.onnx").read_bytes()  # nothing of the exporting machine
    graph = onnx.load(str(tmp_path / "photo.onnx")).graph
    assert not any(node.metadata_props or node.doc_string for node in graph.node)
    kinds = Counter(node.op_type for node in graph.node)
    assert kinds["BatchNormalization"] == 0
    assert kinds["Gemm"] == 2
    node = next(node for node in graph.node if node.op_type == "Gemm")
    assert sum(np.prod(value.dims) == 8 * 6 for value in graph.initializer) == 1  # one weight for both outputs
    stored = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    weight, bias = stored[node.input[1]], stored[node.input[2]]
    if weight.shape != (8, 6):
        weight = weight.T
    batch, linear = head.batch, head.linear
    scale = batch.weight / (batch.running_var + batch.eps).sqrt()
    np.testing.assert_allclose(weight, (linear.weight * scale[:, None]).detach().numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(bias, (batch.bias - batch.running_mean * scale).detach().numpy(), rtol=1e-4, atol=1e-5)
    assert kinds["ReduceL2"] == (2 if norm == "both" else 0)  # for each output


def test_weights_stored_in_int8_keep_a_scale_for_each_output_channel(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    kernel = random.standard_normal((64, 16, 3, 3)).astype(np.float32) * np.logspace(-3, 1, 64)[:, None, None, None]
    weight = random.standard_normal((64, 200)).astype(np.float32) * np.logspace(-2, 2, 200)
    stored = {"kernel": kernel.astype(np.float32), "weight": weight.astype(np.float32)}
    model = helper.make_model(
        helper.make_graph(
            [
                helper.make_node("Conv", ["x", "kernel"], ["c"]),
                helper.make_node("GlobalAveragePool", ["c"], ["p"]),
                helper.make_node("Flatten", ["p"], ["f"]),
                helper.make_node("MatMul", ["f", "weight"], ["y"]),
            ],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 16, 9, 9])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 200])],
            [numpy_helper.from_array(values, name) for name, values in stored.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    onnx.save(model, str(tmp_path / "plain.onnx"))
    store_int8(model)
    onnx.checker.check_model(model)
    onnx.save(model, str(tmp_path / "int8.onnx"))
    sizes = [(tmp_path / f"{name}.onnx").stat().st_size for name in ("plain", "int8")]
    assert sizes[1] < 0.3 * sizes[0]
    x = random.standard_normal((4, 16, 9, 9)).astype(np.float32)
    plain, int8 = (
        onnxruntime.InferenceSession(str(tmp_path / f"{name}.onnx")).run(None, {"x": x})[0]
        for name in ("plain", "int8")
    )
    # With one scale for the whole matrix, the columns of the smallest weights would be all zero.
    assert (np.linalg.norm(plain - int8, axis=0) < 0.08 * np.linalg.norm(plain, axis=0)).all()
