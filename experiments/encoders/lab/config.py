"""Settings of a run, read from YAML."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab.networks import BranchConfig


@dataclass(frozen=True)
class BatchConfig:
    """What is in a batch.

    Attributes:
        drawn: Photos with sketches; ``balanced`` of them evenly over categories, ``photos_a_category`` of one at most.
        sketches_a_photo: Sketches of each of them.
        chairs: ChairV2 photos.
        undrawn: Photos without sketches, by source; ``named`` of them show a word of which there are sketches.
        unpaired: Sketches without photos, by source.
        pseudo: Fraction of the photos whose pseudo-sketch is in the batch.
        unchanged: Fraction of sketches as they were drawn.
    """

    drawn: int = 224
    balanced: float = 0.5
    photos_a_category: int = 6
    sketches_a_photo: int = 2
    chairs: int = 40
    undrawn: dict[str, int] = field(
        default_factory=lambda: {"sketchy": 120, "imagenet": 56, "clothing": 32, "emoji": 56}
    )
    unpaired: dict[str, int] = field(default_factory=lambda: {"quickdraw": 200, "tuberlin": 72})
    named: float = 0.7
    pseudo: float = 0.5
    unchanged: float = 0.2


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses, and their constants."""

    instance: float = 1.0
    photo_to_sketch: float = 0.25
    pseudo: float = 0.4
    softness: float = 0.15
    soft_temperature: float = 0.1
    category: float = 0.3
    category_temperature: float = 0.1
    sketch_words: float = 0.5
    photo_words: float = 0.2
    neighborhood: float = 1.0
    logits: float = 0.3
    doodle: float = 0.2
    distill_embedding: float = 0.0
    distill_similarity: float = 0.0
    distill_photo: float = 0.0


@dataclass(frozen=True)
class RunConfig:
    """One run.

    Attributes:
        name: Of the run and of the exported model.
        sketch, photo: The branches.
        teachers: Folders of finished runs whose branches are distilled.
        tune_photo: Whether the photo branch's tail is fine-tuned.
        without: Lists of invalid sketches that are left out of training.
        views: Views of each photo whose trunk features are cached.
        minutes: Where it is not 0, the schedule follows the clock, and the run ends then.
        dropout: Of the sketch branch's pooled features, in training.
        smoothing: Of the targets of the word classifier.
    """

    name: str
    sketch: BranchConfig
    photo: BranchConfig
    dimensions: int = 256
    batch: BatchConfig = BatchConfig()
    loss: LossConfig = LossConfig()
    teachers: list[str] = field(default_factory=list)
    init: str = ""
    tune_photo: bool = True
    use_pseudo: bool = True
    without: list[str] = field(default_factory=list)
    views: int = 12
    least_area: float = 0.65
    steps: int = 800
    warmup: int = 60
    rate: float = 1.0e-3
    head_rate: float = 1.0e-3
    photo_rate: float = 2.0e-4
    photo_head_rate: float = 5.0e-4
    weight_decay: float = 0.02
    ema: float = 0.998
    sketch_strength: float = 1.0
    dropout: float = 0.1
    smoothing: float = 0.1
    evaluate_every: int = 200
    evaluate_first: bool = False
    minutes: float = 0.0
    seed: int = 0


def read_config(file: Path, overrides: list[str] | None = None) -> RunConfig:
    """Read a run's settings; ``overrides`` are ``key=value`` or ``group.key=value``."""
    data: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    for text in overrides or []:
        key, _, value = text.partition("=")
        group, _, name = key.rpartition(".")
        (data.setdefault(group, {}) if group else data)[name] = yaml.safe_load(value)
    data["sketch"], data["photo"] = BranchConfig(**data["sketch"]), BranchConfig(**data["photo"])
    data["batch"], data["loss"] = BatchConfig(**data.get("batch", {})), LossConfig(**data.get("loss", {}))
    return RunConfig(**data)


def as_dict(config: RunConfig) -> dict[str, Any]:
    """The settings as plain values."""
    return dataclasses.asdict(config)
