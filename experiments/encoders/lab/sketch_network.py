"""The sketch network: an ImageNet network without batch normalization beside doodleNet, fast to train on a CPU.

Profiled on one core of an EPYC with bf16: four fifths of a step was the backward pass of depthwise convolutions, nearly
all of it for their weights, which are 4 % of the network. So these stay as ImageNet left them; their biases and all
other layers are trained. Batch normalization is recalibrated on sketches and folded into the convolutions first.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lab.photo_features import regions
from lab.weights import AROUND_127, load_pretrained
from sketchseek.training.doodlenet import FEATURES, DoodleNet

FROZEN = 2
"""Stages of the network that stay as ImageNet left them."""
FIELDS = 4
"""Fields down and across into which the middle layer is averaged."""


class Features(NamedTuple):
    """What heads see of sketches: (batch, 4 * channels), doodleNet's (batch, ...), (batch, 16 * middle channels)."""

    quarters: Tensor
    doodle: Tensor
    middle: Tensor


class _Depthwise(torch.autograd.Function):
    """A depthwise convolution with fixed weights, which passes the gradient on by a forward convolution."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.stride, ctx.padding, ctx.shape = stride, padding, x.shape
        return F.conv2d(x, weight.to(x.dtype), bias.to(x.dtype), stride, padding, 1, len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,), (weight,) = gradients, ctx.saved_tensors
        kernel, stride, padding = weight.shape[-1], ctx.stride, ctx.padding
        if stride == 1:
            flipped = weight.flip(2, 3).to(gradient.dtype)
            back = F.conv2d(gradient, flipped, None, 1, kernel - 1 - padding, 1, len(weight))
        else:
            beyond = [
                n + 2 * padding - kernel - (m - 1) * stride
                for n, m in zip(ctx.shape[2:], gradient.shape[2:], strict=True)
            ]
            back = F.conv_transpose2d(gradient.float(), weight, None, stride, padding, beyond, len(weight)).to(
                gradient.dtype
            )
        return back, None, gradient.sum(dim=(0, 2, 3), dtype=torch.float32), None, None


class Convolution(nn.Module):
    """A convolution with TensorFlow's padding, batch normalization folded in, and ReLU6 where there was one."""

    def __init__(self, convolution: Any, norm: Any, active: bool) -> None:
        super().__init__()
        scale = norm.weight.data / (norm.running_var + norm.eps).sqrt()
        self.weight = nn.Parameter(convolution.weight.data * scale.view(-1, 1, 1, 1))
        self.bias = nn.Parameter(norm.bias.data - norm.running_mean * scale)
        self.stride, self.kernel = int(convolution.stride[0]), int(convolution.kernel_size[0])
        self.depthwise, self.active = convolution.groups > 1, active
        self.same = type(convolution).__name__ == "Conv2dSame"
        self.padding = 0 if self.same else int(convolution.padding[0])

    def forward(self, x: Tensor) -> Tensor:
        padding = self.padding
        if self.same:
            total = [max(0, (-(-n // self.stride) - 1) * self.stride + self.kernel - n) for n in x.shape[2:]]
            if total[0] % 2 or total[0] != total[1]:
                high, wide = total
                x = F.pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2))
            else:
                padding = total[0] // 2
        if self.depthwise and self.training and torch.is_grad_enabled() and self.bias.requires_grad:
            x = cast(Tensor, _Depthwise.apply(x, self.weight, self.bias, self.stride, padding))
        else:
            groups = len(self.weight) if self.depthwise else 1
            x = F.conv2d(x, self.weight, self.bias, self.stride, padding, 1, groups)
        return F.relu6(x) if self.active else x


class Block(nn.Module):
    """Convolutions in a row, with a shortcut around them where the network has one."""

    def __init__(self, parts: Iterable[Convolution], shortcut: bool) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for part in self.parts:
            y = part(y)
        return x + y if self.shortcut else y


class SketchNetwork(nn.Module):
    """Sketches to features of four quarters, and doodleNet's view of the same sketch.

    Args:
        backbone: Name in timm.
        weights: Folder of converted ImageNet weights.
        doodlenet: Folder of doodleNet.
        recalibration: Batches (n, size, size) of sketches, 0 to 255, whose statistics batch normalization gets.
        middle: Number of stages before the middle layer; 0 for none.
    """

    def __init__(
        self, backbone: str, weights: Path, doodlenet: Path, recalibration: Iterable[Tensor], middle: int = 0
    ) -> None:
        super().__init__()
        net = load_pretrained(backbone, weights)
        stem = net.conv_stem
        stem.weight = nn.Parameter(stem.weight.data.sum(dim=1, keepdim=True))
        stem.in_channels = 1
        mean, std = AROUND_127 if "lite" in backbone else ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
        self.mean, self.std = sum(mean) / 3, sum(std) / 3
        _recalibrate(net, ((batch.unsqueeze(1).float() - self.mean) / self.std for batch in recalibration))
        blocks = [Block([Convolution(stem, net.bn1, True)], False)]
        self.frozen, self.middle, self.middle_channels = 1, 0, 0
        for number, stage in enumerate(net.blocks):
            blocks += [_folded(block) for block in stage]
            if number < FROZEN:
                self.frozen = len(blocks)
            if number == middle - 1:
                self.middle = len(blocks)
                self.middle_channels = FIELDS**2 * cast(Convolution, blocks[-1].parts[-1]).weight.shape[0]
        blocks.append(Block([Convolution(net.conv_head, net.bn2, True)], False))
        self.blocks = nn.ModuleList(blocks)
        for number, block in enumerate(blocks):
            for part in block.parts:
                part.requires_grad_(number >= self.frozen)
                if cast(Convolution, part).depthwise:
                    cast(Convolution, part).weight.requires_grad_(False)
        self.channels = int(net.num_features)
        self.doodlenet = DoodleNet(doodlenet)
        self.doodle_channels = FEATURES + 2 * len(self.doodlenet.words)

    def forward(self, pixels: Tensor) -> Features:
        """(batch, size, size), 255 paper to 0 ink, to features."""
        last, doodle, middle = self.maps(pixels)
        fields = pixels.new_zeros(len(pixels), 0) if middle is None else regions(middle.float(), FIELDS)
        return Features(regions(last.float(), 2), doodle, fields)

    def maps(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """The last feature map (batch, channels, h, w), doodleNet's features, and the middle layer's feature map."""
        x = ((pixels.unsqueeze(1).float() - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        with torch.no_grad() if self.training else nullcontext():
            for block in self.blocks[: self.frozen]:
                x = block(x)
        middle = None
        for number, block in enumerate(self.blocks[self.frozen :], self.frozen + 1):
            x = block(x)
            if number == self.middle:
                middle = x
        logits, features = self.doodlenet(1 - pixels.unsqueeze(1).float() / 255)
        log = logits.float().log_softmax(dim=1)
        return x, torch.cat([features.float(), log / 10, log.exp()], dim=1), middle


def _recalibrate(net: Any, batches: Iterable[Tensor]) -> None:
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over batches
    net.train()
    with torch.no_grad():
        for batch in batches:
            net.forward_features(batch)
    net.eval()


def _folded(block: Any) -> Block:
    if hasattr(block, "conv_pwl"):  # an inverted residual
        parts = [
            Convolution(block.conv_pw, block.bn1, True),
            Convolution(block.conv_dw, block.bn2, True),
            Convolution(block.conv_pwl, block.bn3, False),
        ]
    else:  # depthwise and pointwise
        parts = [Convolution(block.conv_dw, block.bn1, True), Convolution(block.conv_pw, block.bn2, False)]
    return Block(parts, bool(block.has_skip))
