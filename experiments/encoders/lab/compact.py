"""Smaller graphs of exported branches: fewer weights behind the networks, and weights of one byte.

Weights are rounded to 255 steps of each output channel. That shifts what comes out, so the biases of both parts are
corrected by the mean shift over calibration pictures. In the graph a weight is an int8 tensor, a cast and a
multiplication by its channels' scales, which onnxruntime folds when it opens the graph: it computes in fp32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lab.export import Sides
from lab.exported_modules import ExportedPhoto, ExportedSketch
from sketchseek.training.export import store_half

SMALLEST = 2048
"""Number of weights from which on a tensor is stored in bytes."""
RANK = 64
"""Channels by which *which* sees the four quarters of a feature map."""
WHAT_RANK, WHICH_RANK = 80, 40
"""Channels by which the two layers see everything else."""


def low_rank(weight: Tensor, x: Tensor, rank: int) -> tuple[nn.Parameter, nn.Parameter]:
    """Two matrices (out, rank) and (rank, in) whose product stands for a weight (out, in) on inputs like x (n, in)."""
    _, _, directions = torch.linalg.svd((x - x.mean(dim=0)) @ weight.T, full_matrices=False)
    up = directions[:rank].T.contiguous()
    return nn.Parameter(up, requires_grad=False), nn.Parameter(up.T @ weight, requires_grad=False)


class Compact(nn.Module):
    """A linear layer of four quarters of a feature map and of the rest, with fewer weights.

    Args:
        layer: The layer.
        x: (n, in) inputs, for which the error is least.
        channels: Inputs of each quarter.
        repeated: Whether the weights of the quarters are the same but for a scale of each input, which is exact for
            *what*. Otherwise the quarters share ``RANK`` channels.
    """

    def __init__(self, layer: nn.Linear, x: Tensor, channels: int, repeated: bool) -> None:
        super().__init__()
        weight = layer.weight.data
        quarters = weight[:, : 4 * channels].unflatten(1, (4, channels)).transpose(0, 1)  # (4, out, channels)
        if repeated:
            scales = quarters.square().sum(dim=1).sqrt()
            self.scales = nn.Parameter(scales / scales.mean(dim=0).clamp_min(1e-12), requires_grad=False)
            self.shared = nn.Parameter(quarters.mean(dim=0), requires_grad=False)
        else:
            each = x[:, : 4 * channels].unflatten(1, (4, channels)).flatten(0, 1)
            self.up, self.shared = low_rank(quarters.flatten(0, 1), each, RANK)
        self.repeated = repeated
        rank = WHAT_RANK if repeated else WHICH_RANK
        self.rest_up, self.rest = low_rank(weight[:, 4 * channels :], x[:, 4 * channels :], rank)
        self.bias = nn.Parameter(layer.bias.data.clone(), requires_grad=False)

    @property
    def weight(self) -> Tensor:
        """(out, in), nearly as the layer had it."""
        if self.repeated:
            quarters = [self.shared * self.scales[i] for i in range(4)]
        else:
            quarters = [up @ self.shared for up in self.up.chunk(4)]
        return torch.cat([*quarters, self.rest_up @ self.rest], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight, self.bias)


@torch.no_grad()
def compact(sides: Sides, photos: Tensor, sketches: Tensor) -> None:
    """Make both branches smaller, in place; see the module.

    Args:
        sides: The branches.
        photos: (n, size, size, 3) uint8 for calibration.
        sketches: (n, size, size) uint8 for calibration.
    """
    photo, sketch = sides["photo"], sides["sketch"]
    assert isinstance(photo, ExportedPhoto)
    assert isinstance(sketch, ExportedSketch)
    for branch, pixels in ((photo, photos), (sketch, sketches)):
        joined: Any = branch.joined
        before, inputs = _outputs(branch, pixels)
        channels = (photo if branch is photo else sketch.network).channels
        if branch is sketch:
            joined.what = Compact(joined.what, inputs[:, : joined.what.weight.shape[1]], channels, True)
        joined.which = Compact(joined.which, inputs, channels, False)
        for parameter in branch.parameters():
            if parameter.ndim > 1 and parameter.numel() >= SMALLEST:
                parameter.copy_(rounded(parameter))
        after, _ = _outputs(branch, pixels)
        for layer, was, now in zip((joined.what, joined.which), before, after, strict=True):
            layer.bias += (was - now).mean(dim=0)
            print(f"{now.sub(was).sub((now - was).mean(dim=0)).std() / was.std():.4f} of the spread", flush=True)


def _outputs(branch: Any, pixels: Tensor) -> tuple[list[Tensor], Tensor]:
    """What the layers of both parts give, and the inputs of the second one."""
    out: list[list[Tensor]] = [[], [], []]
    hooks = [
        branch.joined.what.register_forward_hook(lambda _, x, y: out[0].append(y)),
        branch.joined.which.register_forward_hook(lambda _, x, y: (out[1].append(y), out[2].append(x[0]))[0]),
    ]
    for some in pixels.split(32):
        branch(some)
    for hook in hooks:
        hook.remove()
    what, which, inputs = (torch.cat(each) for each in out)
    return [what, which], inputs


def rounded(weight: Tensor) -> Tensor:
    """Weights rounded to 255 steps of each output channel, the first dimension."""
    rows = weight.flatten(1)
    scale = rows.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / 127
    return ((rows / scale).round() * scale).view_as(weight)


def store_bytes(model: Any) -> None:
    """Store weights that ``rounded`` has rounded as int8 with a scale for each channel, other large ones as fp16."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = []
    for initializer in list(model.graph.initializer):
        values = numpy_helper.to_array(initializer)
        if values.dtype != np.float32 or values.ndim < 2 or values.size < SMALLEST:
            continue
        for axis in (0, values.ndim - 1):
            others = tuple(i for i in range(values.ndim) if i != axis)
            scale = np.maximum(np.abs(values).max(axis=others, keepdims=True), 1e-12) / np.float32(127)
            steps = np.rint(values / scale)
            if np.abs(steps * scale - values).max() <= 1e-3 * scale.max():
                break
        else:
            continue
        name = initializer.name
        initializer.CopyFrom(numpy_helper.from_array(steps.astype(np.int8), f"{name}.bytes"))
        model.graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}.scale"))
        nodes += [
            helper.make_node("Cast", [f"{name}.bytes"], [f"{name}.float"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}.float", f"{name}.scale"], [name]),
        ]
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
    del model.graph.value_info[:]
    for node in model.graph.node:
        node.ClearField("name")
    store_half(model)
