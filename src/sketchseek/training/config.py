"""The settings of an experiment, as frozen dataclasses that pydantic checks."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from sketchseek.errors import ConfigError
from sketchseek.training.nn.heads import HeadNorm
from sketchseek.training.nn.model import BranchConfig
from sketchseek.training.settings import SETTINGS, Bool, Float, Int, check_settings, load_settings

Weight = Annotated[Float, Field(ge=0)]
Count = Annotated[Int, Field(ge=0)]
Probability = Annotated[Float, Field(ge=0, le=1)]

_PHOTO_AUGMENTATIONS = ("crop", "color", "gray", "blur")


@dataclass(frozen=True, config=SETTINGS)
class LossConfig:
    """One term of the objective.

    Attributes:
        name: A key of ``sketchseek.training.losses.LOSSES``.
        pairs: What pairs a sketch with a photo: the same ``photo``, or the same ``category``.
        weight: Factor in the sum.
        cross_batch_memory: Use the photos of the cross-batch memory as references, too.
        options: Options of the loss, such as ``margin``.
        miner: A key of ``sketchseek.training.losses.MINERS``, a miner of pytorch-metric-learning that chooses the pairs
            or triplets; empty for the loss's own choice.
        miner_options: Options of the miner, such as ``epsilon``.
    """

    name: str
    pairs: Literal["photo", "category"] = "photo"
    weight: Weight = 1.0
    cross_batch_memory: Bool = False
    options: dict[str, Any] = field(default_factory=dict)
    miner: str = ""
    miner_options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, config=SETTINGS)
class SourceConfig:
    """One data set.

    Attributes:
        kind: Name of a data set in ``sketchseek.datasets.registry``, such as ``sketchy``. Only its training subset is
            read.
        path: Folder, absolute or relative to the data folder.
        pseudo_sketches: Also extract a pseudo-sketch from each photo (``sketchseek.training.pseudo_sketches``).
        fraction: Fraction of the photos with sketches to train on, for learning curves. The others and their sketches
            are left out.
        partial_sketches: Also add a partial copy of each sketch that has strokes, for search while the user draws.
        terms: License or terms, for the model card.
        variant: Rendition of the photos, such as Sketchy's ``tx_000100000000``; empty for the default.
        exclude: Exclusion lists: names of the data set's own lists, such as Sketchy's ``error``, or files such as
            ``sketchseek audit`` writes, relative to the data folder or else to the current folder.
        copies: Fraction of the photos with sketches that get a near-duplicate: the same picture, cropped a little and
            lighter or darker, as a photo of its own, with half of the sketches. For ablations
            (``sketchseek.training.photo_copies``).
        zero_shot: Name of a zero-shot split, such as ``sketchy-104-21`` (``sketchseek.datasets.zero_shot``). Its unseen
            categories are left out of training and validation. Set it on every source.
    """

    kind: str
    path: str
    pseudo_sketches: Bool = False
    partial_sketches: Bool = False
    fraction: Annotated[Float, Field(gt=0, le=1)] = 1.0
    terms: str = ""
    variant: str = ""
    exclude: list[str] = field(default_factory=list)
    zero_shot: str = ""
    copies: Probability = 0.0


@dataclass(frozen=True, config=SETTINGS)
class BatchConfig:
    """The contents of a batch (``sketchseek.training.sampling``).

    Attributes:
        categories: Number of categories.
        photos: Photos per category.
        sketches: Sketches per photo that has sketches.
        unpaired_sketches: Sketches per category that belong to no photo.
        distractors: Photos from categories without sketches. They are negatives for every sketch.
        pseudo_sketches: Pseudo-sketches, of any category, with their photos.
        with_copies: Take a photo together with its near-duplicate, where ``copies`` made one.
        balance: Categories are sampled with probability ∝ (number of photos with sketches) ** balance; 0 is uniform.
    """

    categories: Annotated[Int, Field(ge=1)] = 8
    photos: Annotated[Int, Field(ge=1)] = 8
    sketches: Count = 2
    unpaired_sketches: Count = 2
    distractors: Count = 0
    pseudo_sketches: Count = 0
    with_copies: Bool = False
    balance: Weight = 0.5


@dataclass(frozen=True, config=SETTINGS)
class AugmentConfig:
    """Augmentation of sketches and photos; 0 turns a setting off.

    Attributes:
        flip: Probability of mirroring a photo together with its sketches.
        rotate: Maximum rotation of the sketch, in degrees.
        scale: Maximum relative change of the sketch's size and aspect ratio.
        shift: Maximum shift of the sketch, as a fraction of the image side.
        erase: Probability of erasing a random rectangle of the sketch.
        deform: Maximum displacement by a smooth elastic deformation, as a fraction of the image side.
        thickness: Maximum change of the line width, in line widths. Lines lose at most half their width.
        drop: Probability of dropping a stroke; at least one stays. Needs sketches with strokes.
        partial: Probability of keeping only the first 30 to 100 % of the ink, as while the user draws. Needs sketches
            with strokes.
        crop: Maximum fraction of a photo's area that is cropped off. The rest is scaled back to a square. The photo's
            sketches stay whole.
        color: Maximum relative change of a photo's brightness, contrast and saturation; a quarter of it for the hue.
        gray: Probability of making a photo gray.
        blur: Probability of blurring a photo.
    """

    flip: Probability = 0.0
    rotate: Annotated[Float, Field(ge=0, le=180)] = 0.0
    scale: Annotated[Float, Field(ge=0, lt=1)] = 0.0
    shift: Probability = 0.0
    erase: Probability = 0.0
    deform: Probability = 0.0
    thickness: Weight = 0.0
    drop: Probability = 0.0
    partial: Probability = 0.0
    crop: Annotated[Float, Field(ge=0, lt=1)] = 0.0
    color: Probability = 0.0
    gray: Probability = 0.0
    blur: Probability = 0.0

    @property
    def changes_strokes(self) -> bool:
        """Whether sketches with strokes are redrawn."""
        return self.drop > 0 or self.partial > 0

    @property
    def changes_sketches(self) -> bool:
        """Whether any setting for sketches but ``flip`` is on, so that every view of a sketch differs."""
        others = {"flip", *_PHOTO_AUGMENTATIONS}
        return any(getattr(self, item.name) for item in dataclasses.fields(self) if item.name not in others)

    @property
    def changes_photos(self) -> bool:
        """Whether any setting for photos but ``flip`` is on, so that every view of a photo differs."""
        return any(getattr(self, name) for name in _PHOTO_AUGMENTATIONS)


@dataclass(frozen=True, config=SETTINGS)
class DistilConfig:
    """Distillation from teachers (``sketchseek.training.distillation``); a weight of 0 turns an objective off.

    Attributes:
        teachers: Model packages, by name or folder, or folders of runs, which are faster on a GPU. Each objective is
            averaged over them.
        regression: Weight of 1 − cosine between the embeddings of student and teacher.
        distance: Weight of relational distillation of distances.
        angle: Weight of relational distillation of angles.
        similarity: Weight of the divergence between distributions over the teacher's photos.
        own_space: Weight of the divergence between distributions over the batch's photos, each model in its own space.
        temperature: Temperature of these distributions.
    """

    teachers: list[str]
    regression: Weight = 0.0
    distance: Weight = 0.0
    angle: Weight = 0.0
    similarity: Weight = 0.0
    own_space: Weight = 0.0
    temperature: Annotated[Float, Field(gt=0)] = 0.05


@dataclass(frozen=True, config=SETTINGS)
class EvaluationConfig:
    """The evaluation at the end of a training (``sketchseek.training.final_evaluation``).

    Attributes:
        kind: Name of a data set in ``sketchseek.datasets.registry``. Its official protocol and test split are used.
        path: Folder, absolute or relative to the data folder.
        variant: One of the data set's variants; empty for the default.
        published: Published results to print beside one's own, in percent, such as ``{recall@1: 62.38}``.
        source: Where these are from.
    """

    kind: str
    path: str
    variant: str = ""
    published: dict[str, Float] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True, config=SETTINGS)
class FoldConfig:
    """Cross-validation: a part of the training photos, with their sketches, is kept from training and validation.

    Attributes:
        count: Number of folds. Each category's photos are dealt out to them (``sketchseek.training.folds``).
        held_out: The fold that is kept, from 0.
        seed: Chooses the folds.
    """

    count: Annotated[Int, Field(ge=2)]
    held_out: Count = 0
    seed: Count = 0


@dataclass(frozen=True, config=SETTINGS)
class TrainConfig:
    """One experiment.

    Attributes:
        name: Name of the run and of its model package.
        sketch: Branch that encodes sketches.
        photo: Branch that encodes photos.
        sources: Data sets to train on.
        evaluation_photos: Folders of photos, absolute or relative to the data folder, that the model will be evaluated
            on. Training refuses copies of these photos, and of the sources' own test photos, under whatever name
            (``datasets.same_pictures``).
        evaluation: Evaluation at the end, on a test split; null for none.
        losses: Terms of the objective.
        distil: Distillation from teachers; null for none.
        init_from: Run or model package whose weights initialize the model: the run's folder, relative to the current
            folder, or the package's name or folder. Empty for none.
        model_soup: Folders of runs of the same encoders. The mean of their best weights initializes the model (model
            soup, Wortsman et al. 2022, arXiv 2203.05482). Excludes ``init_from``.
        embedding: Dimensions of the embedding; null for the backbones' pooled features.
        norm: Normalization of the embedding: ``none``, ``l2``, ``batch``, ``both`` (batch, then L2), or ``scaled`` (L2,
            then a learned scale).
        dropout: Probability of dropping a pooled feature in training.
        shared_weights: Use one set of weights for both branches.
        distance: ``euclidean`` or ``cosine``, for the losses and the exported model package.
        batch: Contents of a batch.
        augment: Augmentation of sketches and photos.
        validation: Fraction of photos, by category, held out to choose the best weights.
        validation_seed: Seed of this split. It is separate from ``seed``, so that runs with other seeds compare.
        fold: A fold to keep from training, for ablations by cross-validation; null for none.
        steps: Optimization steps; 0 exports the initial weights.
        evaluate_every: Steps between checkpoints. Each checkpoint is validated.
        warmup: Steps of linear learning-rate warmup. A cosine decay follows.
        learning_rate: AdamW's learning rate for the heads.
        learning_rate_multiplier: Factor on the learning rate for the backbones.
        layer_decay: Factor on a backbone's learning rate for each stage that lies behind a layer, the head included; 1
            for one rate in all stages. Transformers are often fine-tuned with 0.65 to 0.9.
        weight_decay: AdamW's weight decay, for matrices only.
        gradient_clip_norm: Maximum norm of the gradient.
        cross_batch_memory: Number of photo embeddings kept from earlier batches (XBM, Wang et al. 2020,
            arXiv 1912.06798); 0 for none.
        ema: Decay of the exponential moving average of the weights, which is evaluated and exported; 0 for none.
        precision: ``fp32``; or ``bf16`` or ``fp16``, by autocast. With fp16 the loss is scaled against underflow, and a
            step whose gradients overflow is left out.
        compile: Compile the stages of both branches with ``torch.compile``: slower at first, then faster on a GPU.
        accumulate: Number of batches whose gradients are averaged in one step. Each batch is compared within itself.
        all_gather: With several devices, compute the losses on the embeddings of all of them, so that a sketch is
            compared with all photos of a step. Gradients flow through the exchange.
        sync_batch_norm: With several GPUs, let batch normalization measure its statistics over all of them.
        seed: Seed of weights, batches and augmentation.
    """

    name: str
    sketch: BranchConfig
    photo: BranchConfig
    sources: list[SourceConfig]
    evaluation_photos: list[str] = field(default_factory=list)
    evaluation: EvaluationConfig | None = None
    losses: list[LossConfig] = field(default_factory=lambda: [LossConfig("triplet")])
    distil: DistilConfig | None = None
    init_from: str = ""
    model_soup: list[str] = field(default_factory=list)
    embedding: Annotated[Int, Field(ge=1)] | None = 256
    norm: HeadNorm = "batch"
    dropout: Annotated[Float, Field(ge=0, lt=1)] = 0.0
    shared_weights: Bool = False
    distance: Literal["euclidean", "cosine"] = "euclidean"
    batch: BatchConfig = field(default_factory=BatchConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    validation: Annotated[Float, Field(ge=0, lt=1)] = 0.15
    validation_seed: Count = 0
    fold: FoldConfig | None = None
    steps: Count = 1000
    evaluate_every: Annotated[Int, Field(ge=1)] = 100
    warmup: Count = 50
    learning_rate: Annotated[Float, Field(gt=0)] = 1e-3
    learning_rate_multiplier: Weight = 0.3
    layer_decay: Annotated[Float, Field(gt=0, le=1)] = 1.0
    weight_decay: Weight = 0.05
    gradient_clip_norm: Annotated[Float, Field(gt=0)] = 5.0
    cross_batch_memory: Count = 0
    ema: Annotated[Float, Field(ge=0, lt=1)] = 0.0
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    accumulate: Annotated[Int, Field(ge=1)] = 1
    compile: Bool = False
    all_gather: Bool = False
    sync_batch_norm: Bool = False
    seed: Count = 0

    @property
    def fingerprint(self) -> str:
        """Checksum of the settings. Only the experiment that wrote a checkpoint resumes it.

        Settings at their default do not count, so a setting that a later version adds does not change older runs. Nor
        does ``evaluation``, which changes no weights.
        """
        settings = {
            item.name: value
            for item in dataclasses.fields(self)
            if item.name != "evaluation"
            and (value := getattr(self, item.name)) != item.default
            and (item.default_factory is dataclasses.MISSING or value != item.default_factory())
        }
        text = json.dumps(settings, sort_keys=True, default=_settings_of)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _settings_of(section: Any) -> dict[str, Any]:
    """A section's settings, for the fingerprint. Settings that older versions lacked are left out at their default."""
    added_later: dict[str, Any] = {
        "variant": "",
        "exclude": [],
        "zero_shot": "",
        "pseudo_sketches": False,
        "partial_sketches": False,
        "fraction": 1.0,
    }
    added_later |= dict.fromkeys(("deform", "thickness", "drop", "partial", *_PHOTO_AUGMENTATIONS), 0.0)
    added_later |= {"miner": "", "miner_options": {}, "copies": 0.0, "with_copies": False, "own_space": 0.0}
    added_later |= {"pool": "auto", "tune": "all", "lora_rank": 8}
    added_later |= dict.fromkeys(("gradient_checkpointing", "dynamic_img_size"), False)
    settings = dataclasses.asdict(section)
    return {name: value for name, value in settings.items() if name not in added_later or value != added_later[name]}


def load_config(path: Path) -> TrainConfig:
    """Read an experiment file.

    Raises:
        ConfigError: The file is missing or is not YAML, or a setting is wrong or missing.
    """
    data = load_settings(path)
    try:
        return parse_config(data)
    except ConfigError as error:
        raise ConfigError(error.message, subject=path, remedy=error.remedy) from error


def parse_config(data: Any) -> TrainConfig:
    """Check the settings of an experiment, as YAML or JSON gives them.

    Raises:
        ConfigError: A setting is wrong or missing.
    """
    config = check_settings(TrainConfig, data, "experiment")
    if config.init_from and config.model_soup:
        raise ConfigError("init_from and model_soup are both given.", remedy="Remove one of them.")
    return config
