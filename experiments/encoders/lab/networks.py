"""The dual encoder: two frozen-or-slow networks and linear heads. An embedding says *what* (category) and *which*.

The *what* part starts as principal components of ImageNet features and is held near them; the *which* part is learned
from pairs alone. Each has unit length; together they are weighted so that one inner product is the weighted sum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lab.config import RunConfig
from lab.sketch_network import Features

SHARPNESS = 24.0
"""Scale of cosines in the softmax over words by which photos are refined."""
SURE = 0.5
"""Probability of a word from which on doodleNet counts as sure of it."""


@dataclass
class Parts:
    """Embeddings in two parts, each (n, d) of unit length."""

    what: Tensor
    which: Tensor

    def __getitem__(self, rows: object) -> Parts:
        return Parts(self.what[rows], self.which[rows])  # type: ignore[index]

    def joined(self, weight: float) -> Tensor:
        """One embedding of unit length, in which ``which`` has the weight ``weight`` from 0 to 1."""
        return torch.cat([self.what * (1 - weight) ** 0.5, self.which * weight**0.5], dim=1)


def refined(what: Tensor, words: Tensor, strength: float) -> Tensor:
    """Photos' *what*, moved toward the words that it is near: by all of ``strength`` where it is sure of one.

    Only photos are refined: sketches are less often right about their word.

    Args:
        what: (n, what) of unit length.
        words: (words, what), the word classifier, of unit length.
        strength: Scalar.
    """
    return F.normalize(what + strength * F.softmax(SHARPNESS * what @ words.T, dim=1) @ words, dim=1)


class PhotoHead(nn.Module):
    """From a frozen photo network's features to an embedding: fixed principal components, then two linear layers.

    Args:
        config: The run.
        features: (n, channels) features of training photos that principal components are fitted to.
        channels: Channels of the last layer; the first ``4 * channels`` features are its quarters.
    """

    def __init__(self, config: RunConfig, features: Tensor | None, channels: int, width: int) -> None:
        super().__init__()
        self.channels = channels
        k = config.inputs
        self.register_buffer("middle_scale", torch.ones(()))
        if features is not None and features.shape[1] > 4 * channels:
            # Quarters and middle layer get the same fraction of the variance.
            quarters, middle = (_spread(part) for part in self._rest(features))
            self.middle_scale.copy_(quarters / middle)
        if features is None:
            parts = [(torch.zeros(w), torch.zeros(k, w)) for w in (channels, width)]
        else:
            mean, rest = self._split(features)
            parts = [half_whitening(mean, k), half_whitening(rest, k)]
        for name, (center, projection) in zip(("mean", "rest"), parts, strict=True):
            self.register_buffer(f"{name}_center", center)
            self.register_buffer(f"{name}_projection", projection)
        self.what = nn.Linear(k, config.what)
        self.which = nn.Linear(2 * k, config.which)
        generator = torch.Generator().manual_seed(config.seed)
        with torch.no_grad():
            self.what.weight.copy_(torch.eye(config.what, k))
            mixed = torch.randn(config.which, 2 * k, generator=generator) / k**0.5
            self.which.weight.copy_(0.5 * torch.eye(config.which, 2 * k).roll(k, dims=1) + 0.5 * mixed)
            self.what.bias.zero_()
            self.which.bias.zero_()

    def _rest(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """How quarters differ from their mean, and the middle layer."""
        quarters = features[:, : 4 * self.channels].unflatten(1, (4, self.channels))
        different = (quarters - quarters.mean(dim=1, keepdim=True)).flatten(1)
        return different, self.middle_scale * features[:, 4 * self.channels :]

    def _split(self, features: Tensor) -> tuple[Tensor, Tensor]:
        mean = features[:, : 4 * self.channels].unflatten(1, (4, self.channels)).mean(dim=1)
        return mean, torch.cat(self._rest(features), dim=1)

    def inputs(self, features: Tensor) -> Tensor:
        """(n, features) to (n, 2 * inputs): fixed, so it can be cached."""
        mean, rest = self._split(features)
        return torch.cat(
            [
                (mean - self.mean_center) @ self.mean_projection.T,
                (rest - self.rest_center) @ self.rest_projection.T,
            ],
            dim=1,
        )

    def forward(self, inputs: Tensor) -> Parts:
        """From ``inputs`` to the two parts."""
        half = inputs[:, : inputs.shape[1] // 2]
        return Parts(F.normalize(self.what(half), dim=1), F.normalize(self.which(inputs), dim=1))


class SketchHead(nn.Module):
    """From a sketch network's features to the two parts. Features are standardized by fixed statistics.

    What doodleNet recognizes is added to *what*: the prototypes of words, each by its probability, times a gate that
    the features open. DoodleNet is good at simple sketches of its words, and often wrong about elaborate ones.
    """

    def __init__(self, config: RunConfig, channels: int, doodle: int, words: int, middle: int = 0) -> None:
        super().__init__()
        self.channels, self.doodle_words = channels, words
        self.own_dropout = config.own_dropout
        for name, width in (("quarters", 4 * channels), ("doodle", doodle), ("middle", middle)):
            self.register_buffer(f"{name}_mean", torch.zeros(width))
            self.register_buffer(f"{name}_scale", torch.ones(width))
        self.what = nn.Linear(channels + doodle, config.what)
        self.which = nn.Linear(4 * channels + doodle + middle, config.which)
        self.gate = nn.Linear(channels + doodle, 1)
        nn.init.zeros_(self.gate.weight)
        nn.init.constant_(self.gate.bias, 0.5413)  # softplus of it is 1
        self.dropout = nn.Dropout(config.dropout)

    def standardized(self, features: Features) -> tuple[Tensor, Tensor]:
        """The inputs of both linear layers."""
        quarters = (features.quarters - self.quarters_mean) * self.quarters_scale
        doodle = (features.doodle - self.doodle_mean) * self.doodle_scale
        middle = (features.middle - self.middle_mean) * self.middle_scale
        mean = quarters.unflatten(1, (4, self.channels)).mean(dim=1)
        return torch.cat([mean, doodle], dim=1), torch.cat([quarters, doodle, middle], dim=1)

    def forward(self, features: Features, prototypes: Tensor) -> Parts:
        """From the network's features, and the prototypes (words, what) of doodleNet's words, to the two parts."""
        inputs, which = (self.dropout(x) for x in self.standardized(features))
        chances = features.doodle[:, -self.doodle_words :]
        seen = F.normalize(self.what(inputs), dim=1)
        if self.training and self.own_dropout:
            sure = chances.amax(dim=1) > SURE
            seen = seen * ~(sure & (torch.rand(len(seen)) < self.own_dropout))[:, None]
        what = seen + F.softplus(self.gate(inputs)) * (chances @ prototypes)
        return Parts(F.normalize(what, dim=1), F.normalize(self.which(which), dim=1))

    @torch.no_grad()
    def fix_gate(self, value: float) -> None:
        """Make the gate a constant that training does not change."""
        self.gate.requires_grad_(False)
        self.gate.weight.zero_()
        self.gate.bias.fill_(math.log(math.expm1(value)))

    @torch.no_grad()
    def set_statistics(self, name: str, x: Tensor) -> None:
        """Set the mean and scale of one kind of features from those of n sketches."""
        if x.shape[1]:
            getattr(self, f"{name}_mean").copy_(x.mean(dim=0))
            getattr(self, f"{name}_scale").copy_(1 / (x.std(dim=0) + 0.02 * x.std()))

    @torch.no_grad()
    def fit(self, features: Features, target: Parts, paired: Tensor, ridge: float = 0.3) -> None:
        """Set statistics, and both layers by ridge regression, so that training starts from a useful mapping.

        Args:
            features: Of n sketches.
            target: Parts that they should map to. ``which`` counts only for ``paired`` (n,) bool.
            ridge: Strength, relative to the mean variance of the inputs.
        """
        for name, x in features._asdict().items():
            self.set_statistics(name, x)
        inputs = self.standardized(features)
        everything = torch.ones_like(paired)
        for layer, x, y, rows in (
            (self.what, inputs[0], target.what, everything),
            (self.which, inputs[1], target.which, paired),
        ):
            x, y = x[rows], y[rows]
            gram = x.T @ x + ridge * len(x) * torch.eye(x.shape[1])
            layer.weight.copy_(torch.linalg.solve(gram, x.T @ (y - y.mean(dim=0)), left=True).T)
            layer.bias.copy_(y.mean(dim=0) - layer.weight @ x.mean(dim=0))


def _spread(x: Tensor) -> Tensor:
    return x.var(dim=0).sum().sqrt()


def half_whitening(x: Tensor, components: int) -> tuple[Tensor, Tensor]:
    """Center (c,) and projection (components, c) of PCA with half whitening, scaled to a mean length of 1."""
    center = x.mean(dim=0)
    torch.manual_seed(0)
    _, s, v = torch.svd_lowrank(x - center, q=min(components + 64, len(x)), niter=2)
    spread = s[:components] / len(x) ** 0.5
    projection = v[:, :components].T / spread[:, None].sqrt()
    length = ((x - center) @ projection.T).norm(dim=1).mean()
    return center, projection / length
