"""An experiment file (YAML) as checked dataclasses; an unknown key is an error, so no typo passes for a setting."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from sketchseek.errors import ConfigError
from sketchseek.training.nn.heads import HeadNorm
from sketchseek.training.nn.model import BranchConfig

T = TypeVar("T")


@dataclass(frozen=True)
class LossConfig:
    """One term of the objective.

    Attributes:
        name: See ``sketchseek.training.losses.LOSSES``.
        pairs: What makes a sketch and a photo a pair: the very ``photo`` that was drawn, or the ``category``.
        weight: Factor in the sum.
        memory: Remembered photos of earlier batches (``TrainConfig.memory``) are references, too.
        options: The loss's own options, such as ``margin``.
    """

    name: str
    pairs: Literal["photo", "category"] = "photo"
    weight: float = 1.0
    memory: bool = False
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceConfig:
    """One data set.

    Attributes:
        kind: ``sketchy`` and ``chairv2`` (official layouts, without their test parts), ``pairs``, ``categories``,
            ``quickdraw`` (sketches of words; its training part), ``photos`` (folders of photos, one a category), or
            ``named`` (pictures whose file name is a word).
        path: Its folder, relative to the experiment's ``data`` folder or absolute.
        lines: A line sketch is extracted from each of its photos, too (``sketchseek.training.pseudo_sketches``).
        share: Share of its drawn photos that train, the others being left out with their sketches: for learning curves.
        unfinished: Each of its sketches that is strokes also comes as its first part, for search while one draws.
        terms: Its license or terms, for the model card.
        exclude: Lists of what to leave out of training, such as ``sketchseek audit`` writes, relative to the ``data``
            folder or, where it has none of that name, to the current folder.
        zero_shot: Name of a zero-shot split whose unseen categories are left out, validation included, such as
            ``sketchy-104-21`` (``sketchseek.datasets.zero_shot``); every source of the experiment should say so.
    """

    kind: Literal["sketchy", "chairv2", "pairs", "categories", "quickdraw", "photos", "named"]
    path: str
    lines: bool = False
    unfinished: bool = False
    share: float = 1.0
    terms: str = ""
    exclude: list[str] = field(default_factory=list)
    zero_shot: str = ""


@dataclass(frozen=True)
class BatchConfig:
    """What a batch is made of (``sketchseek.training.sampling``).

    Attributes:
        categories: Different categories.
        photos: Photos of each category.
        sketches: Sketches of each drawn photo.
        loose: Sketches of each category that belong to no photo.
        distractors: Photos of categories that have no sketches: negatives for every sketch.
        lines: Line sketches extracted from photos of any category, with those photos.
        balance: Categories are drawn with probability ∝ (number of drawn photos) ** balance; 0 treats them alike.
    """

    categories: int = 8
    photos: int = 8
    sketches: int = 2
    loose: int = 2
    distractors: int = 0
    lines: int = 0
    balance: float = 0.5


@dataclass(frozen=True)
class AugmentConfig:
    """What is done to sketches and photos in training; each is a switch.

    Attributes:
        flip: Probability that a photo and its sketches are mirrored together.
        rotate: Largest turn in degrees, of the sketch.
        scale: Largest relative change of size and aspect of the sketch.
        shift: Largest shift of the sketch, as a share of its square.
        erase: Probability that a random rectangle of the sketch is wiped.
        deform: Largest displacement by a smooth wobble, as a share of the sketch's square.
        thickness: Largest change of the lines' width, in widths of a line; at most half a width is taken away.
        drop: Probability that a stroke is left out; never all of them. For sketches that are strokes.
        partial: Probability that only the first strokes are there, 30 to 100 % of the ink, as while somebody draws.
            For sketches that are strokes.
    """

    flip: float = 0.0
    rotate: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    erase: float = 0.0
    deform: float = 0.0
    thickness: float = 0.0
    drop: float = 0.0
    partial: float = 0.0

    @property
    def changes_strokes(self) -> bool:
        """Whether sketches that are strokes are drawn anew."""
        return self.drop > 0 or self.partial > 0

    @property
    def changes_sketches(self) -> bool:
        """Whether anything but mirroring is on: then no sketch is the same twice."""
        return any(getattr(self, item.name) for item in dataclasses.fields(self) if item.name != "flip")


@dataclass(frozen=True)
class DistilConfig:
    """What a student learns from teachers (``sketchseek.training.distillation``); each weight is a switch.

    Attributes:
        teachers: Model packages, by name or folder; the terms below are meaned over them.
        regression: Weight of 1 − cosine between the student's embedding and the teacher's.
        distance, angle: Weights of relational distillation.
        similarity: Weight of the divergence between distributions over the teacher's photos.
        temperature: Of these distributions.
    """

    teachers: list[str]
    regression: float = 0.0
    distance: float = 0.0
    angle: float = 0.0
    similarity: float = 0.0
    temperature: float = 0.05


@dataclass(frozen=True)
class TrainConfig:
    """One experiment.

    Attributes:
        name: Name of the run and of the package made from it.
        sketch, photo: The two encoders.
        sources: What it trains on.
        losses: The terms of the objective.
        distil: What it learns from teachers, besides the losses; null for nothing.
        start: Folder of a run whose best weights this one starts from, relative to the current folder, or the name or
            folder of a package; empty for none.
        average: Instead of one, folders of runs of the same encoders, from the mean of whose best weights it starts
            (a model soup, Wortsman et al. 2022, arXiv 2203.05482).
        embedding: Length of the embedding; null for the backbones' pooled features.
        norm, dropout: See ``EmbeddingHead``.
        shared: One set of weights for both sides.
        distance: ``euclidean`` or ``cosine``: of the losses, and the exported package's distance.
        validation: Share of photos, by category, kept out of training to choose by.
        validation_seed: Which photos these are; not ``seed``, so that runs with other seeds can be compared.
        steps: Optimization steps; 0 exports what the weights start from.
        evaluate_every: Steps between checkpoints, each with recall on the validation part.
        warmup: Steps over which the learning rate rises; it then falls along a cosine.
        learning_rate: Of the heads (AdamW).
        backbone_rate: Factor on it for the backbones.
        memory: Photo embeddings of earlier batches that are remembered (XBM, Wang et al. 2020, arXiv 1912.06798).
        ema: Decay of the exponential moving average of the weights that is evaluated and exported; 0 for none.
        precision: ``fp32`` or ``bf16`` (autocast).
    """

    name: str
    sketch: BranchConfig
    photo: BranchConfig
    sources: list[SourceConfig]
    losses: list[LossConfig] = field(default_factory=lambda: [LossConfig("triplet")])
    distil: DistilConfig | None = None
    start: str = ""
    average: list[str] = field(default_factory=list)
    embedding: int | None = 256
    norm: HeadNorm = "batch"
    dropout: float = 0.0
    shared: bool = False
    distance: Literal["euclidean", "cosine"] = "euclidean"
    batch: BatchConfig = field(default_factory=BatchConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    validation: float = 0.15
    validation_seed: int = 0
    steps: int = 1000
    evaluate_every: int = 100
    warmup: int = 50
    learning_rate: float = 1e-3
    backbone_rate: float = 0.3
    weight_decay: float = 0.05
    clip: float = 5.0
    memory: int = 0
    ema: float = 0.0
    precision: Literal["fp32", "bf16"] = "fp32"
    seed: int = 0

    @property
    def fingerprint(self) -> str:
        """Checksum over the settings: a checkpoint is resumed only by the experiment that wrote it.

        Settings at their default do not count, so that a setting which a later version adds changes no older run.
        """
        said = {
            item.name: value
            for item in dataclasses.fields(self)
            if (value := getattr(self, item.name)) != item.default
            and (item.default_factory is dataclasses.MISSING or value != item.default_factory())
        }
        text = json.dumps(said, sort_keys=True, default=_said)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _said(part: Any) -> dict[str, Any]:
    """A part's settings, for the fingerprint: what older runs could not say is not said where it is empty."""
    said = dataclasses.asdict(part).items()
    unsaid: dict[str, Any] = {"exclude": [], "zero_shot": "", "lines": False, "unfinished": False, "share": 1.0}
    unsaid |= dict.fromkeys(("deform", "thickness", "drop", "partial"), 0.0)
    return {name: value for name, value in said if name not in unsaid or value != unsaid[name]}


def load_config(path: Path) -> TrainConfig:
    """Read an experiment file.

    Raises:
        ConfigError: It is missing, not YAML, or has a wrong or missing key.
    """
    data = load_settings(path)
    try:
        return parse_config(data)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.message}", remedy=error.remedy) from error


def load_settings(path: Path) -> Any:
    """What a YAML file holds.

    Raises:
        ConfigError: It is missing or not YAML.
    """
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such experiment file.") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}).") from error


def parse_config(data: Any) -> TrainConfig:
    """Check an experiment's settings, as YAML or JSON gives them.

    Raises:
        ConfigError: A key is wrong or missing.
    """
    config = check_settings(TrainConfig, data, "experiment")
    for name in ("steps", "warmup"):
        if getattr(config, name) < 0:
            raise ConfigError(f"{name} is negative.")
    if config.start and config.average:
        raise ConfigError(
            "start and average are both given.", remedy="Start from one run, or from the mean of several."
        )
    if config.evaluate_every < 1:
        raise ConfigError("evaluate_every must be at least 1.")
    if not 0 <= config.validation < 1:
        raise ConfigError("validation must be between 0 and 1.")
    if any(not 0 < source.share <= 1 for source in config.sources):
        raise ConfigError("a source's share must be above 0 and at most 1.")
    return config


def check_settings(kind: type[T], data: Any, where: str) -> T:
    """Make a dataclass from what YAML or JSON gives; ``where`` is what messages call it.

    Raises:
        ConfigError: A key is unknown or missing, or a value of another kind.
    """
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: a mapping of settings is needed, not {type(data).__name__}.")
    hints = typing.get_type_hints(kind)
    fields = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(map(str, data)) - set(fields))
    if unknown:
        raise ConfigError(f"{where}: unknown setting {', '.join(unknown)}.", remedy=f"Known: {', '.join(fields)}.")
    missing = [
        name
        for name, item in fields.items()
        if name not in data and item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ConfigError(f"{where}: {', '.join(missing)} is missing.")
    return kind(**{name: _value(hints[name], value, f"{where}.{name}") for name, value in data.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint):
        return check_settings(typing.cast(type[Any], hint), value, where)
    if origin is list:
        if not isinstance(value, list):
            raise ConfigError(f"{where}: a list is needed, not {type(value).__name__}.")
        return [_value(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value)]
    if origin is Literal:
        if value not in arguments:
            raise ConfigError(f"{where}: {value!r} is not one of {', '.join(map(str, arguments))}.")
        return value
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _value(next(a for a in arguments if a is not type(None)), value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is float and isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value):
        return float(value)  # YAML takes 1e-3 for a word
    plain = origin or hint
    if not isinstance(value, plain) or (isinstance(value, bool) and plain is not bool):
        raise ConfigError(f"{where}: {plain.__name__} is needed, not {value!r}.")
    return value
