"""One side's pictures as its encoder takes them in training: as pixels, or from where its frozen stages end."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sketchseek.errors import ConfigError
from sketchseek.progress import Progress, ignore_progress
from sketchseek.training.nn.model import BranchEncoder
from sketchseek.training.sealed_tensors import read_tensors, write_tensors

_log = logging.getLogger(__name__)


class BranchInputs:
    """Photos or sketches of a set, for one encoder; its frozen stages see each picture, and its mirror image, once.

    Args:
        encoder: The encoder, whose frozen stages have their final weights.
        pixels: (n, …) uint8, as the encoder takes them.
        fixed: Whether the pictures are only ever mirrored: only then can the frozen stages' output be kept.
        mirrored: Whether they are mirrored at times.
        cache: Folder in which that output is kept for the next run; None for no cache.
        name: What progress calls it.
        progress: Told how far it is.
    """

    def __init__(
        self,
        encoder: BranchEncoder,
        pixels: npt.NDArray[np.uint8],
        *,
        fixed: bool = True,
        mirrored: bool = True,
        cache: Path | None = None,
        name: str = "frozen stages",
        progress: Progress = ignore_progress,
    ) -> None:
        self._pixels = pixels
        self._trunk: Tensor | None = None  # (1 or 2, n, c, h, w) fp16: as they are, and mirrored
        if not fixed or not encoder.config.frozen or not len(pixels):
            return
        digest = hashlib.sha256(f"{encoder.frozen_fingerprint} {mirrored}".encode())
        digest.update(np.ascontiguousarray(pixels).data)
        file = None if cache is None else cache / f"frozen-{digest.hexdigest()[:16]}.safetensors"
        if file is not None and file.is_file():
            try:
                self._trunk = read_tensors(file)["trunk"]
                return
            except ConfigError as error:
                _log.warning("Computing it again: %s", error.message)
        was = encoder.training
        encoder.eval()
        flips = (False, True) if mirrored else (False,)
        self._trunk = torch.stack([_frozen(encoder, pixels, flip, len(flips), name, progress) for flip in flips])
        encoder.train(was)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_tensors(file, {"trunk": self._trunk})

    def __len__(self) -> int:
        return len(self._pixels)

    def pixels(self, places: Tensor, mirrored: Tensor) -> Tensor:
        """Pixels (n, …) uint8 of the pictures at these places, each mirrored or not."""
        pixels = torch.from_numpy(self._pixels[places.numpy()])
        return torch.where(mirrored.view(-1, *[1] * (pixels.ndim - 1)), pixels.flip(2), pixels)

    def embed(self, encoder: BranchEncoder, places: Tensor, mirrored: Tensor) -> Tensor:
        """Embeddings (n, d) of the pictures at these places.

        Args:
            encoder: The encoder that this was made for, or one with the same frozen stages.
            places: (n,) positions.
            mirrored: (n,) which are mirrored; none, where these pictures never are.
        """
        device = encoder.mean.device
        if self._trunk is None:
            whole: Tensor = encoder(self.pixels(places, mirrored).to(device))
            return whole
        rows = self._trunk[mirrored.long(), places]
        layout = torch.channels_last if rows.ndim == 4 else torch.contiguous_format
        cut: Tensor = encoder.from_trunk(rows.float().to(device, memory_format=layout))
        return cut

    @torch.no_grad()
    def embed_all(self, encoder: BranchEncoder, batch: int = 64) -> npt.NDArray[np.float32]:
        """Embeddings (n, d) of all pictures as they are, in evaluation mode if the encoder is."""
        rows = []
        for part in torch.split(torch.arange(len(self)), batch):
            as_they_are = torch.zeros(len(part), dtype=torch.bool)
            rows.append(self.embed(encoder, part, as_they_are).float().cpu().numpy())
        return np.concatenate(rows)


def _frozen(
    encoder: BranchEncoder,
    pixels: npt.NDArray[np.uint8],
    flip: bool,
    passes: int,
    name: str,
    progress: Progress,
    batch: int = 32,
) -> Tensor:
    parts = []
    for i in range(0, len(pixels), batch):
        part = torch.from_numpy(pixels[i : i + batch])
        parts.append(encoder.trunk((part.flip(2) if flip else part).to(encoder.mean.device)).half().cpu())
        progress(name, flip * len(pixels) + min(i + batch, len(pixels)), passes * len(pixels))
    return torch.cat(parts)
