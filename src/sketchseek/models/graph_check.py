"""Which ONNX graphs may be opened: tensor operators only, nothing that loops, and nothing outside of the file. And a
graph without one of its outputs.

onnxruntime runs whatever a graph says. A loop without end or a reference to another file is valid ONNX, so a graph is
checked before onnxruntime sees it. Only the fields that matter are read; weights are skipped, so this takes
milliseconds. The onnx package is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator

OPERATORS = frozenset(
    """
    Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast CastLike Ceil Celu Clip Concat Constant
    ConstantOfShape Conv ConvInteger ConvTranspose Cos CumSum DepthToSpace DequantizeLinear Div Dropout
    DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand Flatten Floor Gather GatherElements GatherND Gelu Gemm
    GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish
    Identity InstanceNormalization IsInf IsNaN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax
    LpNormalization LpPool LRN MatMul MatMulInteger Max MaxPool Mean MeanVarianceNormalization Min Mish Mod Mul Neg Not
    OneHot Or PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum
    ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize Round
    ScatterElements ScatterND Selu Shape Sigmoid Sign Sin Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt
    Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Upsample Where Xor
    """.split()  # noqa: SIM905  a list of 130 strings would take 130 lines
)
"""Operators of the standard ONNX domain that a graph may use."""

_STANDARD = frozenset({b"", b"ai.onnx"})
_EXTERNAL = 1
_MAX_OPERATORS = 100_000

# Field numbers of ONNX's protocol buffers.
_MODEL_GRAPH, _MODEL_TRAINING, _MODEL_FUNCTIONS = 7, 20, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_OUTPUT, _GRAPH_SPARSE_INITIALIZER = 1, 5, 12, 15
_NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_TENSOR_EXTERNAL_DATA, _TENSOR_LOCATION = 13, 14
_VALUE_NAME = 1


class RefusedGraphError(ValueError):
    """A graph is damaged, or uses something that is not allowed."""


def check_graph(graph: bytes) -> None:
    """Check a serialized ONNX model.

    Raises:
        RefusedGraphError: It is damaged; uses an operator that is not in ``OPERATORS``, a subgraph or a function; or
            refers to data in another file.
    """
    found = 0
    for number, value in _fields(memoryview(graph)):
        if number in (_MODEL_FUNCTIONS, _MODEL_TRAINING):
            raise RefusedGraphError("it defines functions")
        if number == _MODEL_GRAPH:
            found += _check_nodes(_message(value))
    if not found:
        raise RefusedGraphError("it has no operators")


def without_output(graph: bytes, name: str) -> bytes:
    """Remove an output of a serialized ONNX model, so that onnxruntime does not compute what only that output needs.

    Its run option for that, ``only_execute_path_to_fetches``, has no effect in version 1.32.

    Args:
        graph: The model.
        name: Of the output. The graph is returned as it is if it does not have it.

    Raises:
        RefusedGraphError: The graph is damaged.
    """
    parts: list[bytes | memoryview] = []
    for number, value, whole in _whole_fields(memoryview(graph)):
        if number != _MODEL_GRAPH:
            parts.append(whole)
            continue
        kept = [
            field
            for kind, content, field in _whole_fields(_message(value))
            if kind != _GRAPH_OUTPUT or _name(_message(content)) != name.encode()
        ]
        parts += [bytes([_MODEL_GRAPH << 3 | 2]), _encoded(sum(map(len, kept))), *kept]
    return b"".join(parts)  # the only copy of the weights


def _name(value: memoryview) -> bytes:
    return b"".join(bytes(_message(content)) for number, content in _fields(value) if number == _VALUE_NAME)


def _encoded(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _check_nodes(graph: memoryview) -> int:
    count = 0
    for number, value in _fields(graph):
        if number == _GRAPH_NODE:
            count += 1
            if count > _MAX_OPERATORS:
                raise RefusedGraphError(f"it has more than {_MAX_OPERATORS:,} operators")
            _check_node(_message(value))
        elif number == _GRAPH_INITIALIZER:
            _check_tensor(_message(value))
        elif number == _GRAPH_SPARSE_INITIALIZER:
            raise RefusedGraphError("it has sparse weights")
    return count


def _check_node(node: memoryview) -> None:
    operator = domain = b""
    for number, value in _fields(node):
        if number == _NODE_OPERATOR:
            operator = bytes(_message(value))
        elif number == _NODE_DOMAIN:
            domain = bytes(_message(value))
        elif number == _NODE_ATTRIBUTE:
            _check_attribute(_message(value))
    name = operator.decode("ascii", "replace")
    if domain not in _STANDARD or name not in OPERATORS:
        full = f"{domain.decode('ascii', 'replace')}.{name}" if domain not in _STANDARD else name
        raise RefusedGraphError(f"the operator {full[:80]!r} is not allowed")


def _check_attribute(attribute: memoryview) -> None:
    for number, value in _fields(attribute):
        if number in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
            raise RefusedGraphError("it has a subgraph, such as a loop")
        if number in (_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS):
            _check_tensor(_message(value))


def _check_tensor(tensor: memoryview) -> None:
    for number, value in _fields(tensor):
        if number == _TENSOR_EXTERNAL_DATA or (number == _TENSOR_LOCATION and value == _EXTERNAL):
            raise RefusedGraphError("it refers to weights in another file")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise RefusedGraphError("it is not an ONNX graph")
    return value


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the fields of a message: its number, and an integer or the bytes of a text or of a message."""
    for number, value, _ in _whole_fields(message):
        yield number, value


def _whole_fields(message: memoryview) -> Iterator[tuple[int, int | memoryview, memoryview]]:
    """Yield the fields of a message as ``_fields`` does, and the bytes of the whole field."""
    at, end = 0, len(message)
    while at < end:
        start = at
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        value: int | memoryview
        if kind == 0:
            value, at = _varint(message, at)
        elif kind in (1, 5):
            value, at = message[at : at + (8 if kind == 1 else 4)], at + (8 if kind == 1 else 4)
        elif kind == 2:
            length, at = _varint(message, at)
            value, at = message[at : at + length], at + length
        else:
            raise RefusedGraphError("it is not an ONNX graph")
        if at > end:
            raise RefusedGraphError("it is truncated")
        yield number, value, message[start:at]


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise RefusedGraphError("it is truncated")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
