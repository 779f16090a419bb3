"""The training images of one branch: as pixels, or as cached output of its frozen stages."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sketchseek.progress import Progress, ignore_progress
from sketchseek.training.feature_cache import cached_features
from sketchseek.training.nn.model import BranchEncoder
from sketchseek.training.pixel_rows import PixelSource

_PIECE = 1024  # images that are copied to a device at a time


class BranchInputs:
    """Photos or sketches for one encoder. Its frozen stages process each image, and its mirror image, only once.

    Args:
        encoder: The encoder. Its frozen stages must have their final weights.
        pixels: (n, size, size, 3) or (n, size, size) uint8.
        fixed: Whether images change by mirroring only. Otherwise the frozen stages' output cannot be cached.
        mirrored: Whether images are sometimes mirrored.
        always_pixels: Whether ``pixels`` is called even where the frozen stages' output is cached.
        cache: Folder that keeps the output for the next run; None for no cache.
        name: Stage that ``progress`` is called with.
        progress: Called with the stage, the number of images done and the total.
    """

    def __init__(
        self,
        encoder: BranchEncoder,
        pixels: PixelSource,
        *,
        fixed: bool = True,
        mirrored: bool = True,
        always_pixels: bool = True,
        cache: Path | None = None,
        name: str = "frozen stages",
        progress: Progress = ignore_progress,
    ) -> None:
        self._pixels = pixels
        self._always_pixels = always_pixels
        self._bank: Tensor | None = None  # all pixels, on another device
        self._features: Tensor | None = None  # (1 or 2, n, c, h, w) fp16: original, and mirrored
        if not fixed or not encoder.config.frozen or not len(pixels):
            return
        was_training = encoder.training
        encoder.eval()
        flips = (False, True) if mirrored else (False,)
        digest = encoder.frozen_fingerprint
        rows = []
        for flip in flips:
            file = None if cache is None else cache / f"frozen-features-{digest}{'-mirrored' * flip}.safetensors"
            rows.append(cached_features(file, pixels, partial(_frozen, encoder, flip, name, progress)))
        self._features = torch.stack(rows)
        encoder.train(was_training)

    def __len__(self) -> int:
        return len(self._pixels)

    @property
    def _needs_pixels(self) -> bool:
        return self._always_pixels or self._features is None

    @property
    def nbytes(self) -> int:
        """Bytes that ``keep_on`` needs on the device."""
        features = 0 if self._features is None else self._features.nbytes
        return features + (self._pixels.nbytes if self._needs_pixels else 0)

    def keep_on(self, device: torch.device) -> None:
        """Copy the output of frozen stages, and the pixels if they are needed, to a device, to gather batches there."""
        if self._features is not None:
            self._features = self._features.to(device)
        if self._needs_pixels:
            self._bank = torch.empty(self._pixels.shape, dtype=torch.uint8, device=device)
            for start in range(0, len(self), _PIECE):
                self._bank[start : start + _PIECE] = torch.from_numpy(self._pixels[start : start + _PIECE]).to(device)

    def pixels(self, places: Tensor, mirrored: Tensor) -> Tensor:
        """Pixels (n, …) uint8 of the images at these places; ``mirrored`` (n,) says which are mirrored."""
        if self._bank is None:
            pixels = torch.from_numpy(self._pixels[places.numpy()])
        else:
            pixels = self._bank[places.to(self._bank.device)]
            mirrored = mirrored.to(self._bank.device)
        return torch.where(mirrored.view(-1, *[1] * (pixels.ndim - 1)), pixels.flip(2), pixels)

    def embed(self, encoder: BranchEncoder, places: Tensor, mirrored: Tensor) -> Tensor:
        """Embeddings (n, d) of the images at these places.

        Args:
            encoder: The encoder given to the constructor, or one with the same frozen stages.
            places: (n,) positions.
            mirrored: (n,) which images are mirrored; all False if ``mirrored`` was False in the constructor.
        """
        device = encoder.mean.device
        if self._features is None:
            from_pixels: Tensor = encoder(self.pixels(places, mirrored).to(device))
            return from_pixels
        where = self._features.device
        rows = self._features[mirrored.long().to(where), places.to(where)]
        layout = torch.channels_last if rows.ndim == 4 else torch.contiguous_format
        from_features: Tensor = encoder.from_frozen_features(
            rows.to(device, non_blocking=True).to(torch.float32, memory_format=layout)
        )
        return from_features

    @torch.no_grad()
    def embed_all(self, encoder: BranchEncoder, batch: int = 64) -> npt.NDArray[np.float32]:
        """Embeddings (n, d) of all images, not mirrored, in the encoder's current mode."""
        rows = []
        for places in torch.split(torch.arange(len(self)), batch):
            not_mirrored = torch.zeros(len(places), dtype=torch.bool)
            rows.append(self.embed(encoder, places, not_mirrored).float().cpu().numpy())
        return np.concatenate(rows)


def _frozen(
    encoder: BranchEncoder, flip: bool, name: str, progress: Progress, pixels: PixelSource, batch: int = 32
) -> Tensor:
    rows = []
    for i in range(0, len(pixels), batch):
        images = torch.from_numpy(pixels[i : i + batch])
        images = (images.flip(2) if flip else images).to(encoder.mean.device)
        rows.append(encoder.frozen_features(images).half().cpu())
        progress(name, min(i + batch, len(pixels)), len(pixels))
    return torch.cat(rows)
