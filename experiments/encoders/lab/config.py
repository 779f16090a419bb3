"""Settings of a run, read from YAML."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class BatchConfig:
    """What is in a batch.

    Attributes:
        drawn: Sketches of Sketchy photos. A category is drawn by its number of sketches to the power ``balance``.
        chairs: Sketches of ChairV2.
        unpaired: Sketches without photos, by source.
        pseudo: Pseudo-sketches (``lab.pseudo``), each of another photo.
        unchanged: Fraction of sketches as they were drawn; the others are one of the bank's variants.
        undrawn: Photos without sketches among the negatives of a step, beside every photo with sketches.
    """

    drawn: int = 48
    balance: float = 0.5
    chairs: int = 8
    unpaired: dict[str, int] = field(default_factory=lambda: {"quickdraw": 28, "tuberlin": 12})
    pseudo: int = 0
    unchanged: float = 0.25
    undrawn: int = 700

    @property
    def size(self) -> int:
        """Sketches in a batch."""
        return self.drawn + self.chairs + sum(self.unpaired.values()) + self.pseudo


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses, and their constants."""

    instance: float = 1.0
    softness: float = 0.15
    soft_temperature: float = 0.1
    category: float = 0.4
    category_temperature: float = 0.07
    sketch_words: float = 0.6
    photo_words: float = 0.2
    neighborhood: float = 1.0
    smoothing: float = 0.1


@dataclass(frozen=True)
class RunConfig:
    """One run.

    Attributes:
        name: Of the run and of the exported model.
        sketch_backbone, sketch_size: Sketch network; the size must be the bank's.
        sketch_middle: Stages of the sketch network before the middle layer whose 4 × 4 fields *which* sees; 0 for none.
        photo_backbone, photo_size, photo_middle: The frozen photo network (``lab.photo_features``).
        what, which: Dimensions of the two parts of an embedding.
        inputs: Principal components of a photo's features that the photo head sees, of the mean and of the rest.
        without: Lists of invalid sketches that are left out of training.
        gate: Fixed gate of doodleNet's words, or 0 for one that is learned. Training closes a gate that it can change,
            through its weights or through its inputs, because the network knows its training sketches by heart better
            than doodleNet does.
        own_dropout: Probability that *what* is left to doodleNet alone in training, where it is sure of a word.
    """

    name: str
    sketch_backbone: str = "tf_efficientnet_lite0"
    sketch_size: int = 112
    sketch_middle: int = 0
    photo_backbone: str = "tf_efficientnet_lite2"
    photo_size: int = 260
    photo_middle: int = 5
    what: int = 160
    which: int = 96
    inputs: int = 512
    batch: BatchConfig = BatchConfig()
    loss: LossConfig = LossConfig()
    without: list[str] = field(default_factory=lambda: ["error"])
    steps: int = 6000
    warmup: int = 200
    rate: float = 4.0e-4
    head_rate: float = 1.0e-3
    photo_head_rate: float = 2.0e-4
    weight_decay: float = 0.03
    ema: float = 0.998
    sketch_strength: float = 1.0
    dropout: float = 0.15
    gate: float = 0.0
    own_dropout: float = 0.0
    photo_dropout: float = 0.1
    evaluate_every: int = 500
    seed: int = 0


def read_config(file: Path, overrides: list[str] | None = None) -> RunConfig:
    """Read a run's settings; ``overrides`` are ``key=value`` or ``group.key=value``."""
    data: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    for text in overrides or []:
        key, _, value = text.partition("=")
        group, _, name = key.rpartition(".")
        (data.setdefault(group, {}) if group else data)[name] = yaml.safe_load(value)
    return as_config(data)


def as_config(data: dict[str, Any]) -> RunConfig:
    """Settings from plain values."""
    sections = {"batch": BatchConfig(**data.get("batch", {})), "loss": LossConfig(**data.get("loss", {}))}
    return RunConfig(**(data | sections))


def as_dict(config: RunConfig) -> dict[str, Any]:
    """The settings as plain values."""
    return dataclasses.asdict(config)
