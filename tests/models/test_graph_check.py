from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from sketchseek.encoder import Encoder
from sketchseek.errors import ModelPackageError
from sketchseek.file_digest import file_digest
from sketchseek.models.graph_check import OPERATORS, RefusedGraphError, check_graph, without_output
from sketchseek.models.package import Branch, Manifest, ModelPackage, bundled_models, load_model_package, write_manifest
from sketchseek.sketches import RASTER_VERSION
from tiny_model import write_tiny_package


def model(nodes: list[onnx.NodeProto], **more: object) -> onnx.ModelProto:
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", 8, 8])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [pixels], [embedding], more.pop("initializers", []))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9, **more)


def endless_loop() -> onnx.ModelProto:
    """What hung the encoder: a loop whose condition is always true and whose body never ends it."""
    boolean = helper.make_tensor_value_info("again", TensorProto.BOOL, [])
    body = helper.make_graph(
        [helper.make_node("Identity", ["before"], ["again"]), helper.make_node("Identity", ["x"], ["y"])],
        "body",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("before", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        ],
        [boolean, helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    return model(
        [
            helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Loop", ["", "yes", "float"], ["embedding"], body=body),
        ],
        initializers=[numpy_helper.from_array(np.array(True), "yes")],
    )


def package(folder: Path, graph: onnx.ModelProto) -> ModelPackage:
    folder.mkdir(exist_ok=True)
    sides = {}
    for side in ("photo", "sketch"):
        onnx.save(graph, str(folder / f"{side}.onnx"))
        sides[side] = Branch(f"{side}.onnx", file_digest(folder / f"{side}.onnx"), 8, "none", 0)
    return write_manifest(folder, Manifest("odd", 64, "cosine", RASTER_VERSION, sides["photo"], sides["sketch"]))


@pytest.mark.parametrize("name", bundled_models())
def test_bundled_graphs_pass(name: str) -> None:
    load_model_package(name).verify()


def test_every_allowed_operator_is_an_onnx_one_without_subgraphs() -> None:
    for name in OPERATORS - {"Upsample"}:  # deprecated, and still in older exports
        schema = onnx.defs.get_schema(name)
        assert not any(attribute.type == onnx.defs.OpSchema.AttrType.GRAPH for attribute in schema.attributes.values())


def test_an_endless_loop_is_refused(tmp_path: Path) -> None:
    odd = package(tmp_path, endless_loop())
    with pytest.raises(ModelPackageError, match=r"'Loop' is not allowed|subgraph"):
        Encoder(odd).encode_sketch([[[0, 5], [0, 5]]])
    with pytest.raises(ModelPackageError, match=r"not allowed|subgraph"):
        odd.verify()


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (model([helper.make_node("FusedMatMul", ["a", "b"], ["c"], domain="com.microsoft")]), "com.microsoft"),
        (model([helper.make_node("StringNormalizer", ["a"], ["b"])]), "StringNormalizer"),
        (model([helper.make_node("Relu", ["a"], ["b"], domain="custom")]), "custom.Relu"),
        (
            model(
                [helper.make_node("Relu", ["a"], ["b"])],
                functions=[helper.make_function("custom", "F", [], [], [], [helper.make_opsetid("", 18)])],
            ),
            "functions",
        ),
        (model([]), "no operators"),
    ],
)
def test_other_operators_and_functions_are_refused(graph: onnx.ModelProto, reason: str) -> None:
    with pytest.raises(RefusedGraphError, match=reason):
        check_graph(graph.SerializeToString())


def test_weights_in_another_file_are_refused() -> None:
    weight = numpy_helper.from_array(np.ones(3, np.float32), "w")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/passwd")
    for graph in (
        model([helper.make_node("Relu", ["w"], ["b"])], initializers=[weight]),
        model([helper.make_node("Constant", [], ["b"], value=weight)]),
    ):
        with pytest.raises(RefusedGraphError, match="another file"):
            check_graph(graph.SerializeToString())


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_graphs_are_refused_or_pass_but_never_crash(data: st.DataObject) -> None:
    graph = bytearray(endless_loop().SerializeToString())
    for _ in range(data.draw(st.integers(1, 5))):
        graph[data.draw(st.integers(0, len(graph) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(RefusedGraphError):
        check_graph(bytes(graph[: data.draw(st.integers(0, len(graph)))]))


def test_a_damaged_graph_that_still_loads_is_refused(tmp_path: Path) -> None:
    """One changed weight is a valid graph with wrong embeddings."""
    tiny = write_tiny_package(tmp_path)
    for side in ("photo", "sketch"):
        graph = onnx.load(str(tmp_path / f"{side}.onnx"))
        weight = next(item for item in graph.graph.initializer if item.name == "weight")
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * 2, "weight"))
        onnx.save(graph, str(tmp_path / f"{side}.onnx"))
    encoder = Encoder(tiny)
    with pytest.raises(ModelPackageError, match="SHA-256 differs"):
        encoder.encode_photo_pixels(np.zeros((1, 32, 32, 3), np.uint8))
    with pytest.raises(ModelPackageError, match="SHA-256 differs"):
        encoder.encode_sketch_pixels(np.zeros((1, 32, 32), np.uint8))


@pytest.mark.slow
def test_a_first_run_that_does_not_end_in_time_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many large products, each allowed: onnxruntime is told to stop between two of them."""
    side = 600
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], keepdims=0),
        helper.make_node("Add", ["mean", "weight"], ["x0"]),
        *(helper.make_node("MatMul", [f"x{i}", "weight"], [f"x{i + 1}"]) for i in range(2000)),
        helper.make_node("Identity", ["x2000"], ["embedding"]),
    ]
    weight = numpy_helper.from_array(np.full((side, side), 1 / side, np.float32), "weight")
    slow = package(tmp_path, model(nodes, initializers=[weight]))
    monkeypatch.setattr("sketchseek.encoder.FIRST_RUN_SECONDS", 0.2)
    with pytest.raises(ModelPackageError, match="did not encode 1 inputs within"):
        Encoder(slow, threads=1).encode_sketch([[[0, 5], [0, 5]]])


@pytest.mark.parametrize("side", ["photo", "sketch"])
def test_graph_without_an_output_gives_the_others_bit_by_bit(side: str) -> None:
    import onnxruntime

    graph = (load_model_package("small").path / f"{side}.onnx").read_bytes()
    before = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    after = onnxruntime.InferenceSession(without_output(graph, "cells"), providers=["CPUExecutionProvider"])
    shape = [1, *before.get_inputs()[0].shape[1:]]
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    assert [output.name for output in before.get_outputs()] == ["embedding", "cells"]
    assert [output.name for output in after.get_outputs()] == ["embedding"]
    np.testing.assert_array_equal(*(s.run(["embedding"], {"pixels": pixels})[0] for s in (before, after)))


def test_graph_without_an_output_that_it_lacks_is_the_same() -> None:
    graph = model([helper.make_node("Cast", ["pixels"], ["embedding"], to=TensorProto.FLOAT)]).SerializeToString()
    assert onnx.load_from_string(without_output(graph, "cells")) == onnx.load_from_string(graph)
    assert not onnx.load_from_string(without_output(graph, "embedding")).graph.output


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_damaged_graph_is_refused_or_returned_when_an_output_is_removed(graph: bytes) -> None:
    with contextlib.suppress(RefusedGraphError):
        assert isinstance(without_output(graph, "cells"), bytes)
