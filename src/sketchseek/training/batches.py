"""The batches of an experiment: sampled, gathered and brought to the device, ahead of the step that needs them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sketchseek.progress import Progress
from sketchseek.training.branch_inputs import BranchInputs
from sketchseek.training.config import TrainConfig
from sketchseek.training.data import TrainingSet
from sketchseek.training.nn.model import DualEncoder
from sketchseek.training.photo_copies import places_of_copies
from sketchseek.training.prefetch import Prefetcher
from sketchseek.training.sampling import Batch, CategorySampler
from sketchseek.training.stroke_augmentation import corrupt_sketch

RESIDENT = 0.4
"""Fraction of a GPU's free memory that all pixels and the output of frozen stages may take; otherwise they stay in main
memory."""


@dataclass(frozen=True)
class PreparedBatch:
    """A batch before augmentation on the device.

    Attributes:
        batch: The positions of its photos and sketches in the training set.
        joined: The batches of all processes in this step, by rank; only ``batch`` where they are not joined.
        seed: Seed of everything random in it that comes later.
        random: Source of randomness of the augmentation.
        sketch_flips, photo_flips: (s,) and (p,) which are mirrored, on the CPU.
        sketch_pixels: (s, size, size) uint8, on the device, mirrored and with changed strokes.
        photo_pixels: (p, size, size, 3) uint8, on the device, mirrored; None where photos are not augmented.
    """

    batch: Batch
    joined: tuple[Batch, ...]
    seed: int
    random: torch.Generator
    sketch_flips: Tensor
    photo_flips: Tensor
    sketch_pixels: Tensor
    photo_pixels: Tensor | None


class Batches:
    """Makes any batch of an experiment. The batch's number determines everything random in it.

    Args:
        config: The experiment.
        model: The encoders in training.
        data: The training data.
        cache: Folder that keeps the output of frozen stages; None for no cache.
        progress: Called with the stage, the number done and the total.
        rank, stride: Number of this process, and number of processes that train: after batch *n*, this one needs batch
            *n + stride*.
        ahead: How many batches to prepare ahead in a thread; None for 2 on a GPU, and none on a CPU, where the thread
            would only take time from the computation.

    Attributes:
        sketches, photos: The inputs of both branches.
    """

    def __init__(
        self,
        config: TrainConfig,
        model: DualEncoder,
        data: TrainingSet,
        cache: Path | None,
        progress: Progress,
        *,
        rank: int = 0,
        stride: int = 1,
        ahead: int | None = None,
    ) -> None:
        self._config = config
        self._data = data
        self._rank, self._stride = rank, stride
        self._device = model.photo.mean.device
        options: dict[str, Any] = {"mirrored": config.augment.flip > 0, "cache": cache, "progress": progress}
        fixed, changing = not config.augment.changes_sketches, config.augment.changes_photos
        self.photos = BranchInputs(model.photo, data.photo_pixels, fixed=not changing, always_pixels=False, **options)
        self.sketches = BranchInputs(model.sketch, data.sketch_pixels, fixed=fixed, **options)
        if self._device.type == "cuda":
            self._keep_on_device(torch.cuda.mem_get_info(self._device)[0] * RESIDENT)
        self._sampler = CategorySampler(
            data.photo_category,
            data.sketch_category,
            data.sketch_photo,
            data.photo_source,
            config.batch,
            config.seed,
            data.sketch_pseudo,
            places_of_copies([photo.key for photo in data.photos]),
        )
        if ahead is None:
            ahead = 2 if self._device.type == "cuda" else 0
        self._prefetcher = Prefetcher(self._prepare, stride=stride, ahead=ahead)

    def get(self, number: int) -> PreparedBatch:
        """Batch ``number``."""
        return self._prefetcher.get(number)

    def _keep_on_device(self, room: float) -> None:
        """Keep inputs on the device if there is room: photos first, which are most. Strokes are drawn on the CPU."""
        if self.photos.nbytes <= room:
            room -= self.photos.nbytes
            self.photos.keep_on(self._device)
        if self.sketches.nbytes <= room and not self._config.augment.changes_strokes:
            self.sketches.keep_on(self._device)

    def _prepare(self, number: int) -> PreparedBatch:
        config, data = self._config, self._data
        seed = config.seed * 1_000_003 + number
        random = torch.Generator().manual_seed(seed)
        batch = self._sampler.batch(number)
        joined: tuple[Batch, ...] = (batch,)
        if config.all_gather and self._stride > 1:  # every process can tell what the others sample
            joined = tuple(self._sampler.batch(number - self._rank + rank) for rank in range(self._stride))
        sketch_places, photo_places = torch.from_numpy(batch.sketches), torch.from_numpy(batch.photos)
        # A photo and its sketches are mirrored together; a sketch without a photo on its own.
        mirrored = torch.rand(len(data.photos), generator=random) < config.augment.flip
        unpaired_mirrored = torch.rand(len(data.sketches), generator=random) < config.augment.flip
        own = torch.from_numpy(data.sketch_photo[batch.sketches])
        flips = torch.where(own >= 0, mirrored[own], unpaired_mirrored[sketch_places])
        pixels = self.sketches.pixels(sketch_places, flips)
        if config.augment.changes_strokes:
            strokes = [data.sketches[i].strokes for i in batch.sketches]
            pixels = corrupt_sketch(pixels, strokes, flips, config.augment, random)
        photo_flips = mirrored[photo_places]
        photo_pixels = None
        if config.augment.changes_photos:
            photo_pixels = self._moved(self.photos.pixels(photo_places, photo_flips))
        return PreparedBatch(batch, joined, seed, random, flips, photo_flips, self._moved(pixels), photo_pixels)

    def _moved(self, pixels: Tensor) -> Tensor:
        """Pixels on the training's device. From pinned memory, the copy runs beside the computation."""
        if pixels.device == self._device or self._device.type != "cuda":
            return pixels.to(self._device)
        return pixels.pin_memory().to(self._device, non_blocking=True)
