"""The objective: the loss of a batch, as the sum of the experiment's terms."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sketchseek.errors import ConfigError
from sketchseek.progress import Progress
from sketchseek.training.batches import Batches
from sketchseek.training.config import LossConfig, TrainConfig
from sketchseek.training.cross_batch_memory import CrossBatchMemory
from sketchseek.training.data import TrainingSet
from sketchseek.training.distillation import Distiller
from sketchseek.training.distributed import ProcessGroup
from sketchseek.training.losses import create_loss, create_miner
from sketchseek.training.nn.model import DualEncoder
from sketchseek.training.photo_augmentation import augment_photos
from sketchseek.training.raster_augmentation import augment_sketches
from sketchseek.training.sampling import Batch


@dataclass(frozen=True)
class _Encoded:
    """A batch and its embeddings.

    Attributes:
        batch: The positions of its photos and sketches in the training set.
        joined: The batches of all processes that the losses see, by rank.
        pixels: (s, size, size) uint8, the augmented sketches.
        sketches, photos: (s, d) and (p, d) float32 embeddings.
        mirrored: (p,) which photos are mirrored.
    """

    batch: Batch
    joined: tuple[Batch, ...]
    pixels: Tensor
    sketches: Tensor
    photos: Tensor
    mirrored: Tensor


class Objective:
    """The loss of any batch of an experiment. The batch's number determines everything random in it.

    Args:
        config: The experiment.
        model: The encoders in training.
        data: The training data.
        memory: Photo embeddings of earlier batches; None for none.
        cache: Folder that keeps the output of frozen stages and the teachers' embeddings; None for no cache.
        progress: Called with the stage, the number done and the total.
        group: The processes that train together; None for a single process.
        ahead: As for ``Batches``.

    Raises:
        ConfigError: A loss needs a teacher, but ``distil`` names none.
    """

    def __init__(
        self,
        config: TrainConfig,
        model: DualEncoder,
        data: TrainingSet,
        memory: CrossBatchMemory | None,
        cache: Path | None,
        progress: Progress,
        *,
        group: ProcessGroup | None = None,
        ahead: int | None = None,
    ) -> None:
        self._config = config
        self._model = model
        self._data = data
        self._memory = memory
        self._device = model.photo.mean.device
        self._group = group or ProcessGroup()
        self._batches = Batches(
            config, model, data, cache, progress, rank=self._group.rank, stride=self._group.world_size, ahead=ahead
        )
        self._distiller = None
        if config.distil is not None:
            fixed = not config.augment.changes_sketches and not config.augment.flip
            self._distiller = Distiller(
                config.distil, data, model.embedding, cache, progress, self._device, fixed=fixed
            )
        self._losses = [
            (term, create_loss(term.name, config.distance, **term.options).to(self._device)) for term in config.losses
        ]
        self._miners = [
            create_miner(term.miner, config.distance, **term.miner_options) if term.miner else None
            for term in config.losses
        ]
        self._needs_teacher = any(getattr(function, "teacher", False) for _, function in self._losses)
        if self._distiller is None and self._needs_teacher:
            raise ConfigError(
                "A loss has the option teacher, but the experiment has no teacher.",
                remedy="Add one: distil: {teachers: [small]}.",
            )

    def loss(self, number: int) -> Tensor:
        """The loss of batch ``number``, a scalar."""
        encoded = self._encode(number)
        joined = self._joined(encoded)
        loss = torch.zeros((), device=self._device)
        for (term, function), miner in zip(self._losses, self._miners, strict=True):
            loss = loss + term.weight * self._term(term, function, miner, joined)
        if self._distiller is not None:
            batch = encoded.batch
            loss = loss + self._distiller.loss(
                encoded.pixels, encoded.sketches, encoded.photos, batch.photos, encoded.mirrored, batch.sketches
            )
        if self._memory is not None:
            self._memory.remember(joined.photos, joined.batch.photos)
        return loss

    def _encode(self, number: int) -> _Encoded:
        """Augment and encode batch ``number``."""
        config = self._config
        ready = self._batches.get(number)
        torch.manual_seed(ready.seed)  # dropout
        pixels = augment_sketches(ready.sketch_pixels, config.augment, ready.random)
        half = torch.float16 if config.precision == "fp16" else torch.bfloat16
        with torch.autocast(self._device.type, half, enabled=config.precision != "fp32"):
            if config.augment.changes_sketches:
                sketches = self._model.sketch(pixels)
            else:
                places = torch.from_numpy(ready.batch.sketches)
                sketches = self._batches.sketches.embed(self._model.sketch, places, ready.sketch_flips)
            if ready.photo_pixels is not None:
                photos = self._model.photo(augment_photos(ready.photo_pixels, config.augment, ready.random))
            else:
                places = torch.from_numpy(ready.batch.photos)
                photos = self._batches.photos.embed(self._model.photo, places, ready.photo_flips)
        return _Encoded(ready.batch, ready.joined, pixels, sketches.float(), photos.float(), ready.photo_flips)

    def _joined(self, encoded: _Encoded) -> _Encoded:
        """The batches of all processes as one, where the experiment joins them. Gradients flow to every process."""
        parts = encoded.joined
        if len(parts) == 1:
            return encoded
        sketches, photos = [len(part.sketches) for part in parts], [len(part.photos) for part in parts]
        batch = Batch(np.concatenate([p.photos for p in parts]), np.concatenate([p.sketches for p in parts]))
        pixels = self._group.gather(encoded.pixels, sketches) if self._needs_teacher else encoded.pixels
        return dataclasses.replace(
            encoded,
            batch=batch,
            pixels=pixels,
            sketches=self._group.gather(encoded.sketches, sketches),
            photos=self._group.gather(encoded.photos, photos),
        )

    def _term(self, term: LossConfig, function: nn.Module, miner: Any, encoded: _Encoded) -> Tensor:
        """One term. A sketch is paired with its own photo, or with every photo of its category."""
        data, batch = self._data, encoded.batch
        sketches, photos, positions = encoded.sketches, encoded.photos, batch.photos
        paired = np.arange(len(batch.sketches))
        if term.cross_batch_memory and self._memory is not None:
            remembered, others = self._memory.others(positions)
            photos, positions = torch.cat([photos, remembered]), np.concatenate([positions, others])
        if term.pairs == "photo":
            own = data.sketch_photo[batch.sketches]
            paired = np.flatnonzero(np.isin(own, batch.photos))
            labels, photo_labels = own[paired], positions
            sketches = sketches[torch.from_numpy(paired).to(sketches.device)]
        else:
            labels, photo_labels = data.sketch_category[batch.sketches], data.photo_category[positions]
        if len(labels) == 0:
            return sketches.sum() * 0.0
        teacher: dict[str, Tensor] = {}
        if self._distiller is not None and getattr(function, "teacher", False):
            teacher["teacher_ref_emb"] = self._distiller.photo_embeddings(positions)
            if function.compare == "anchors" or function.symmetric:
                chosen = torch.from_numpy(paired).to(encoded.pixels.device)
                teacher["teacher_emb"] = self._distiller.sketch_embeddings(encoded.pixels[chosen])
        anchors, references = (torch.from_numpy(each).to(sketches.device) for each in (labels, photo_labels))
        mined = None if miner is None else miner(sketches, anchors, photos, references)
        value: Tensor = function(
            sketches, anchors, indices_tuple=mined, ref_emb=photos, ref_labels=references, **teacher
        )
        return value
