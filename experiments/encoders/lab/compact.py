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

from lab.export import ExportedPhoto, ExportedSketch, Sides
from sketchseek.training.export import store_half

SMALLEST = 2048
"""Number of weights from which on a tensor is stored in bytes."""


class Repeated(nn.Module):
    """A linear layer whose weights of four quarters are the same but for a scale of each of their inputs."""

    def __init__(self, layer: nn.Linear, channels: int) -> None:
        super().__init__()
        quarters = layer.weight.data[:, : 4 * channels].unflatten(1, (4, channels))
        scales = quarters.square().sum(dim=0).sqrt()  # (4, channels)
        self.scales = nn.Parameter(scales / scales.mean(dim=0).clamp_min(1e-12), requires_grad=False)
        self.shared = nn.Parameter(quarters.mean(dim=1), requires_grad=False)
        self.rest = nn.Parameter(layer.weight.data[:, 4 * channels :].clone(), requires_grad=False)
        self.bias = nn.Parameter(layer.bias.data.clone(), requires_grad=False)

    @property
    def weight(self) -> Tensor:
        """(out, in), as the linear layer had it."""
        return torch.cat([self.shared * self.scales[i] for i in range(4)] + [self.rest], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight, self.bias)


class Thin(nn.Module):
    """A linear layer that sees four quarters by way of ``rank`` channels, the same ones for each of them.

    Args:
        layer: The layer.
        quarters: (n, 4 * channels) inputs, for which the error is least.
        rank: Number of channels.
    """

    def __init__(self, layer: nn.Linear, quarters: Tensor, rank: int) -> None:
        super().__init__()
        channels = quarters.shape[1] // 4
        blocks = layer.weight.data[:, : 4 * channels].unflatten(1, (4, channels))
        stacked = blocks.transpose(0, 1).flatten(0, 1)  # (4 * out, channels)
        x = quarters.unflatten(1, (4, channels)).flatten(0, 1)
        _, _, directions = torch.linalg.svd((x - x.mean(dim=0)) @ stacked.T, full_matrices=False)
        basis = directions[:rank].T  # (4 * out, rank)
        self.reduce = nn.Parameter(basis.T @ stacked, requires_grad=False)
        self.mixed = nn.Parameter(basis.unflatten(0, (4, -1)).contiguous(), requires_grad=False)
        self.rest = nn.Parameter(layer.weight.data[:, 4 * channels :].clone(), requires_grad=False)
        self.bias = nn.Parameter(layer.bias.data.clone(), requires_grad=False)

    @property
    def weight(self) -> Tensor:
        """(out, in), nearly as the linear layer had it."""
        return torch.cat([self.mixed[i] @ self.reduce for i in range(4)] + [self.rest], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight, self.bias)


@torch.no_grad()
def compact(sides: Sides, photos: Tensor, sketches: Tensor, rank: int) -> None:
    """Make both branches smaller, in place; see the module.

    Args:
        sides: The branches.
        photos: (n, size, size, 3) uint8 for calibration.
        sketches: (n, size, size) uint8 for calibration.
        rank: Channels by which *which* sees quarters.
    """
    photo, sketch = sides["photo"], sides["sketch"]
    assert isinstance(photo, ExportedPhoto)
    assert isinstance(sketch, ExportedSketch)
    for branch, pixels in ((photo, photos), (sketch, sketches)):
        joined: Any = branch.joined
        before, inputs = _outputs(branch, pixels)
        channels = (photo if branch is photo else sketch.network).channels
        if branch is sketch:
            joined.what = Repeated(joined.what, channels)
        joined.which = Thin(joined.which, inputs[:, : 4 * channels], rank)
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
    store_half(model)
