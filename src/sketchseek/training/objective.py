"""What a step makes smaller: a batch's loss, from its pictures to the sum of the experiment's terms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sketchseek.errors import ConfigError
from sketchseek.progress import Progress
from sketchseek.training.branch_inputs import BranchInputs
from sketchseek.training.config import LossConfig, TrainConfig
from sketchseek.training.cross_batch_memory import CrossBatchMemory
from sketchseek.training.data import TrainingSet
from sketchseek.training.distillation import Distiller
from sketchseek.training.losses import create_loss
from sketchseek.training.nn.model import DualEncoder
from sketchseek.training.raster_augmentation import augment_sketches
from sketchseek.training.sampling import Batch, CategorySampler
from sketchseek.training.stroke_augmentation import corrupt_sketch


class Objective:
    """The loss of any of an experiment's batches; the batch's number settles all chance in it.

    Args:
        config: The experiment.
        model: The encoders that it trains.
        data: What they are trained on.
        memory: Photos of earlier batches; None for no such memory.
        cache: Where frozen stages' outputs and teachers' embeddings are kept; None for nowhere.
        progress: Told how far their computation is.

    Raises:
        ConfigError: A loss needs a teacher, and none is named.
    """

    def __init__(
        self,
        config: TrainConfig,
        model: DualEncoder,
        data: TrainingSet,
        memory: CrossBatchMemory | None,
        cache: Path | None,
        progress: Progress,
    ) -> None:
        self._config = config
        self._model = model
        self._data = data
        self._memory = memory
        self._device = model.photo.mean.device
        keep: dict[str, Any] = {"mirrored": config.augment.flip > 0, "cache": cache, "progress": progress}
        fixed = not config.augment.changes_sketches
        self._photos = BranchInputs(model.photo, data.photo_pixels, **keep)
        self._sketches = BranchInputs(model.sketch, data.sketch_pixels, fixed=fixed, **keep)
        self._sampler = CategorySampler(
            data.photo_category,
            data.sketch_category,
            data.sketch_photo,
            data.photo_source,
            config.batch,
            config.seed,
            data.sketch_traced,
        )
        self._distiller = None
        if config.distil is not None:
            self._distiller = Distiller(config.distil, data, model.embedding, cache, progress)
        self._losses = [
            (term, create_loss(term.name, config.distance, **term.options).to(self._device)) for term in config.losses
        ]
        if self._distiller is None and any(getattr(function, "teacher", False) for _, function in self._losses):
            raise ConfigError(
                "a loss weighs by a teacher, and none is named.", remedy="Name one: distil: {teachers: [small]}."
            )

    def loss(self, number: int) -> Tensor:
        """The loss of the batch of this number."""
        config, data = self._config, self._data
        random = torch.Generator().manual_seed(config.seed * 1_000_003 + number)
        torch.manual_seed(config.seed * 1_000_003 + number)  # dropout
        batch = self._sampler.batch(number)
        drawn, shown = torch.from_numpy(batch.sketches), torch.from_numpy(batch.photos)
        mirrored = torch.rand(len(data.photos), generator=random) < config.augment.flip
        drawn_mirrored = torch.rand(len(data.sketches), generator=random) < config.augment.flip
        own = torch.from_numpy(data.sketch_photo[batch.sketches])
        flips = torch.where(own >= 0, mirrored[own], drawn_mirrored[drawn])
        pixels = self._sketches.pixels(drawn, flips)
        if config.augment.changes_strokes:
            strokes = [data.sketches[i].strokes for i in batch.sketches]
            pixels = corrupt_sketch(pixels, strokes, flips, config.augment, random)
        pixels = augment_sketches(pixels, config.augment, random)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            if config.augment.changes_sketches:
                sketches = self._model.sketch(pixels.to(self._device))
            else:
                sketches = self._sketches.embed(self._model.sketch, drawn, flips)
            photos = self._photos.embed(self._model.photo, shown, mirrored[shown])
        sketches, photos = sketches.float(), photos.float()
        loss = torch.zeros((), device=self._device)
        for term, function in self._losses:
            loss = loss + term.weight * self._term(term, function, batch, pixels, sketches, photos)
        if self._distiller is not None:
            loss = loss + self._distiller.loss(pixels, sketches, photos, batch.photos, mirrored[shown])
        if self._memory is not None:
            self._memory.remember(photos, batch.photos)
        return loss

    def _term(
        self, term: LossConfig, function: nn.Module, batch: Batch, pixels: Tensor, sketches: Tensor, photos: Tensor
    ) -> Tensor:
        """One term: pairs are a sketch and its own photo, or a sketch and every photo of its category."""
        data, positions = self._data, batch.photos
        if term.cross_batch_memory and self._memory is not None:
            remembered, others = self._memory.others(positions)
            photos, positions = torch.cat([photos, remembered]), np.concatenate([positions, others])
        if term.pairs == "photo":
            own = data.sketch_photo[batch.sketches]
            paired = np.flatnonzero(np.isin(own, batch.photos))
            labels, reference = own[paired], positions
            sketches, pixels = sketches[torch.from_numpy(paired).to(sketches.device)], pixels[torch.from_numpy(paired)]
        else:
            labels, reference = data.sketch_category[batch.sketches], data.photo_category[positions]
        if len(labels) == 0:
            return sketches.sum() * 0.0
        taught: dict[str, Tensor] = {}
        if self._distiller is not None and getattr(function, "teacher", False):
            taught["teacher_ref_emb"] = self._distiller.encode_photo_pixels(positions)
            if function.compare == "anchors" or function.symmetric:
                taught["teacher_emb"] = self._distiller.embed_sketches(pixels)
        anchors, references = (torch.from_numpy(values).to(sketches.device) for values in (labels, reference))
        value: Tensor = function(sketches, anchors, ref_emb=photos, ref_labels=references, **taught)
        return value
