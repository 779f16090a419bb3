"""Both branches as they are exported.

Principal components, linear heads and statistics are folded into one linear layer a part.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lab.networks import SHARPNESS, PhotoHead, SketchHead
from lab.photo_features import PhotoTrunk, field_weights
from lab.sketch_network import FIELDS, SketchNetwork
from sketchseek.training.nn.cells import linear_cells, normalized_cells, on_grid


class Joined(nn.Module):
    """Two parts to one embedding: each of unit length, weighted, turned so that its first dimensions say most."""

    def __init__(self, what: tuple[Tensor, Tensor], which: tuple[Tensor, Tensor], weight: float, turn: Tensor) -> None:
        super().__init__()
        self.what, self.which = _linear(*what), _linear(*which)
        self.scale_what, self.scale_which = (1 - weight) ** 0.5, weight**0.5
        self.turn = _linear(turn.T.contiguous(), None)

    def forward(self, what: Tensor, which: Tensor) -> Tensor:
        """From the inputs of both parts to (batch, d) of unit length."""
        both = [F.normalize(what, dim=1) * self.scale_what, F.normalize(which, dim=1) * self.scale_which]
        out: Tensor = self.turn(torch.cat(both, dim=1))
        return out

    def cells(self, what_cells: Tensor, which_cells: Tensor, what: Tensor, which: Tensor) -> Tensor:
        """Each cell's share, (batch, rows, columns, d), from those of the two linear layers."""
        both = [
            normalized_cells(what_cells, what) * self.scale_what,
            normalized_cells(which_cells, which) * self.scale_which,
        ]
        out: Tensor = self.turn(torch.cat(both, dim=3))
        return out


class ExportedPhoto(nn.Module):
    """Photo pixels to an embedding and each cell's part of it."""

    def __init__(
        self, trunk: PhotoTrunk, head: PhotoHead, words: Tensor, weight: float, refine: float, turn: Tensor
    ) -> None:
        super().__init__()
        self.trunk, self.channels = trunk, head.channels
        self.joined = Joined(*fold_photo_head(head, trunk.middle > 0), weight, turn)
        self.words, self.refine = _linear(words, None), refine

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        trunk = self.trunk
        mean, std = (torch.tensor(v, dtype=torch.float32).view(1, -1, 1, 1) for v in (trunk.mean, trunk.std))
        middle = trunk.first((pixels.permute(0, 3, 1, 2).float() - mean) / std)
        last = trunk.last(middle)
        what_layer, which_layer = self.joined.what, self.joined.which
        seen = what_layer(last.mean(dim=(2, 3)))
        unit = F.normalize(seen, dim=1)
        moved = self.refine * F.softmax(SHARPNESS * self.words(unit), dim=1) @ self.words.weight
        quarters, fields = (_fields(x, n) for x, n in ((last, 2), (middle, 4)))
        parts = [_pooled(last, *quarters)] + ([_pooled(middle, *fields)] if trunk.middle else [])
        which = which_layer(torch.cat(parts, dim=1))
        what_cells = linear_cells(last, what_layer.weight, what_layer.bias)
        split = 4 * self.channels
        which_cells = _field_cells(last, *quarters, which_layer.weight[:, :split])
        if trunk.middle:
            more = _field_cells(middle, *fields, which_layer.weight[:, split:])
            which_cells = which_cells + on_grid(more, *which_cells.shape[1:3])
        which_cells = which_cells + which_layer.bias / (which_cells.shape[1] * which_cells.shape[2])
        # What moves a photo toward its words has no place: the cells share it.
        what_cells = normalized_cells(what_cells, seen)
        what_cells = what_cells + moved[:, None, None] / (what_cells.shape[1] * what_cells.shape[2])
        what = unit + moved
        return self.joined(what, which), self.joined.cells(what_cells, which_cells, what, which)


class ExportedSketch(nn.Module):
    """Sketch pixels to an embedding and each cell's part of what depends on a place: all but doodleNet's part."""

    def __init__(
        self, network: SketchNetwork, head: SketchHead, prototypes: Tensor, weight: float, turn: Tensor
    ) -> None:
        super().__init__()
        self.network, self.split, self.words = network, 4 * network.channels, head.doodle_words
        what, which, gate = fold_sketch_head(head)
        self.joined = Joined(what, which, weight, turn)
        # What depends on a place is centered by what it is on average, so its constant is shared by the cells.
        doodle = head.doodle_mean
        for name, (layer, bias) in (("what", what), ("which", which)):
            self.register_buffer(
                f"{name}_constant", (bias + layer[:, self.split : self.split + len(doodle)] @ doodle).detach()
            )
        self.gate, self.prototypes = _linear(*gate), _linear(prototypes.T.contiguous(), None)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        last, doodle, middle = self.network.maps(pixels)
        quarters = _fields(last, 2)
        inputs = torch.cat([_pooled(last, *quarters), doodle], dim=1)
        seen = self.joined.what(inputs)
        fields = None if middle is None else _fields(middle, FIELDS)
        which = self.joined.which(
            inputs if middle is None or fields is None else torch.cat([inputs, _pooled(middle, *fields)], dim=1)
        )
        recognized = self.prototypes(doodle[:, -self.words :])
        what = F.normalize(seen, dim=1) + F.softplus(self.gate(inputs)) * recognized
        count = last.shape[2] * last.shape[3]
        what_cells, which_cells = (
            _field_cells(last, *quarters, layer.weight[:, : self.split]) + constant / count
            for layer, constant in ((self.joined.what, self.what_constant), (self.joined.which, self.which_constant))
        )
        if middle is not None and fields is not None:
            more = _field_cells(middle, *fields, self.joined.which.weight[:, self.split + len(doodle[0]) :])
            which_cells = which_cells + on_grid(more, *last.shape[2:])
        cells = self.joined.cells(normalized_cells(what_cells, seen), which_cells, what, which)
        return self.joined(what, which), cells


@torch.no_grad()
def fold_photo_head(head: PhotoHead, middle: bool) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Weights and biases of both parts: *what* of the mean over quarters, *which* of all features."""
    k = len(head.mean_projection)
    what = head.what.weight @ head.mean_projection
    what_bias = head.what.bias - what @ head.mean_center
    by_mean, by_rest = head.which.weight[:, :k] @ head.mean_projection, head.which.weight[:, k:] @ head.rest_projection
    bias = head.which.bias - by_mean @ head.mean_center - by_rest @ head.rest_center
    split = 4 * head.channels
    quarters = by_rest[:, :split].unflatten(1, (4, head.channels))
    # The rest is what differs from the mean over quarters, and the mean is a quarter of each.
    quarters = quarters - quarters.mean(dim=1, keepdim=True) + by_mean[:, None] / 4
    parts = [quarters.flatten(1)] + ([by_rest[:, split:] * head.middle_scale] if middle else [])
    return (what, what_bias), (torch.cat(parts, dim=1), bias)


@torch.no_grad()
def fold_sketch_head(head: SketchHead) -> list[tuple[Tensor, Tensor]]:
    """Weights and biases of *what*, *which* and the gate, of features that are not standardized."""
    c = head.channels
    mean = torch.cat([head.quarters_mean, head.doodle_mean])
    scale = torch.cat([head.quarters_scale, head.doodle_scale])
    which_mean, which_scale = torch.cat([mean, head.middle_mean]), torch.cat([scale, head.middle_scale])

    def spread(weight: Tensor) -> Tensor:  # from the mean over quarters to each of them
        return torch.cat([weight[:, :c].repeat(1, 4) / 4, weight[:, c:]], dim=1)

    layers = [
        (spread(head.what.weight) * scale, head.what.bias, mean),
        (head.which.weight * which_scale, head.which.bias, which_mean),
        (spread(head.gate.weight) * scale, head.gate.bias, mean),
    ]
    return [(weight, bias - weight @ middle) for weight, bias, middle in layers]


@torch.no_grad()
def turn_of(embeddings: Tensor) -> Tensor:
    """(d, d) orthogonal: after it, the first dimensions of these embeddings say most, so they can be cut short."""
    _, _, v = torch.linalg.svd(embeddings - embeddings.mean(dim=0), full_matrices=True)
    return v.T.contiguous()


Weights = npt.NDArray[np.float32]


def _fields(x: Tensor, count: int) -> tuple[Weights, Weights]:
    down, across = (field_weights(int(side), count) for side in x.shape[2:])
    return down, across


def _pooled(x: Tensor, down: Weights, across: Weights) -> Tensor:
    fields = torch.from_numpy(np.kron(down, across).T.copy())  # one product is faster than an einsum in onnxruntime
    return (x.flatten(2) @ fields).transpose(1, 2).flatten(1)


def _field_cells(x: Tensor, down: Weights, across: Weights, weight: Tensor) -> Tensor:
    """Split a linear layer behind weighted means over fields: (batch, rows, columns, d), whose sum is its output.

    Most cells lie in one field, and the others are left out, so this costs little more than one projection.
    """
    weights = weight.unflatten(1, (len(down), len(across), -1))
    by_cell = x.permute(0, 2, 3, 1)
    rows, columns = x.shape[2:]
    total = torch.zeros(())
    for i, rows_of in enumerate(down):
        for j, columns_of in enumerate(across):
            high, wide = np.flatnonzero(rows_of), np.flatnonzero(columns_of)
            top, bottom, left, right = int(high[0]), int(high[-1]) + 1, int(wide[0]), int(wide[-1]) + 1
            shares = torch.from_numpy(np.outer(rows_of[top:bottom], columns_of[left:right]))
            some = torch.matmul(by_cell[:, top:bottom, left:right], weights[:, i, j].t()) * shares[..., None]
            total = total + F.pad(some, (0, 0, left, columns - right, top, rows - bottom))
    return total


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.weight = nn.Parameter(weight.clone(), requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.clone(), requires_grad=False)
    return layer
