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
from onnx import numpy_helper
from torch import nn

from sketchseek.errors import ExportError
from sketchseek.training.export import _export_branch
from sketchseek.training.nn.backbones import Backbone, Normalization
from sketchseek.training.nn.heads import EmbeddingHead, HeadNorm
from sketchseek.training.nn.model import BranchConfig, BranchEncoder
from sketchseek.training.nn.pooling import Layout
from sketchseek.training.nn.stages import Split

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("norm", ["batch", "both"])
def test_batch_normalization_folds_into_the_linear_layer(tmp_path: Path, norm: HeadNorm) -> None:
    """The head's, and the backbone's into its convolutions: none is left in the graph."""
    torch.manual_seed(0)
    encoder = BranchEncoder(BranchConfig("shufflenet_v2_x0_5", 16), 8, norm)
    stage = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, bias=False), nn.BatchNorm2d(6), nn.ReLU())
    # Small: exporting takes its time.
    encoder.backbone = Backbone(Split([stage], Layout(), "mean", False, 6), Normalization((0.5,) * 3, (0.5,) * 3))
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


@pytest.mark.parametrize(
    ("name", "settings", "cells"),
    [
        ("test_vit", {"tune": "lora", "lora_rank": 2}, False),  # a class token, and updates that the graph has merged
        ("test_vit", {"pool": "mean"}, True),
        ("test_vit3", {}, False),  # attention pooling
        ("swin_tiny_patch4_window7_224", {}, True),  # (batch, rows, columns, channels)
    ],
)
def test_graphs_of_other_families_embed_as_their_models(
    tmp_path: Path, name: str, settings: dict[str, Any], cells: bool
) -> None:
    torch.manual_seed(0)
    encoder = BranchEncoder(BranchConfig(name, 32, **settings), 8, "none").eval()
    with torch.no_grad():
        for key, parameter in encoder.named_parameters():
            if key.endswith(".up"):
                parameter.normal_(0, 0.02)
    _export_branch(encoder, "photo", "euclidean", tmp_path / "photo.onnx", half_weights=False)
    session = onnxruntime.InferenceSession(tmp_path / "photo.onnx")
    pixels = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)
    outputs = session.run(None, {"pixels": pixels.numpy()})
    expected = encoder(pixels).detach().numpy()
    np.testing.assert_allclose(outputs[0], expected, rtol=1e-3, atol=1e-4)
    assert [output.name for output in session.get_outputs()] == ["embedding", "cells"][: 1 + cells]
    if cells:
        np.testing.assert_allclose(outputs[1].sum(axis=(1, 2)), expected, rtol=1e-3, atol=1e-4)
    assert not any(
        "parametrizations" in value.name for value in onnx.load(str(tmp_path / "photo.onnx")).graph.initializer
    )


class _FixedBatch(nn.Module):
    """A stage whose Python code reads the size of the batch, which the exporter then takes for a constant."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + x.new_zeros((len(x), 1, 1, 1))


def test_a_network_that_the_exporter_cannot_export_for_any_batch_is_named(tmp_path: Path) -> None:
    """Without the check, the graph would take two pictures at a time only."""
    encoder = BranchEncoder(BranchConfig("shufflenet_v2_x0_5", 16), 8, "none").eval()
    encoder.backbone = Backbone(
        Split([_FixedBatch()], Layout(), "mean", False, 3), Normalization((0.5,) * 3, (0.5,) * 3)
    )
    encoder.head = EmbeddingHead(3, 8, "none")
    with pytest.raises(ExportError, match="fixes the number of pictures"):
        _export_branch(encoder, "photo", "euclidean", tmp_path / "photo.onnx", half_weights=False)
