"""A model in training as evaluation takes it, so that protocols measure it without an export."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sketchseek.images import ImageSource, read_photo
from sketchseek.models.package import Distance
from sketchseek.sketches import SketchSource, rasterize_sketch
from sketchseek.training.nn.model import BranchEncoder, DualEncoder

Pixels = npt.NDArray[np.uint8]


class ReadingMemory:
    """What many models of one ablation read and compute alike: pixels of files, and frozen stages' outputs for them."""

    def __init__(self) -> None:
        self._pixels: dict[tuple[str, int, Any], Pixels] = {}
        self._trunks: dict[tuple[str, bytes], Tensor] = {}

    def read(self, side: str, size: int, source: Any, read: Callable[[Any, int], Pixels]) -> Pixels:
        """Pixels of a picture or sketch, decoded once if its source can be a key."""
        try:
            key = (side, size, source)
            if key not in self._pixels:
                self._pixels[key] = read(source, size)
        except TypeError:  # strokes in lists, which have no hash
            return read(source, size)
        return self._pixels[key]

    def embed(self, encoder: BranchEncoder, stages: str, pixels: Pixels) -> Tensor:
        """Embeddings (n, d) of pixels; ``stages`` is the fingerprint of the encoder's frozen stages."""
        if not encoder.config.frozen:
            whole: Tensor = encoder(torch.from_numpy(pixels).to(encoder.mean.device))
            return whole
        keys = [(stages, hashlib.sha256(row.tobytes()).digest()) for row in pixels]
        new = [i for i, key in enumerate(keys) if key not in self._trunks]
        if new:
            for i, row in zip(new, encoder.trunk(torch.from_numpy(pixels[new]).to(encoder.mean.device)), strict=True):
                self._trunks[keys[i]] = row.cpu()
        trunks = torch.stack([self._trunks[key] for key in keys]).to(encoder.mean.device)
        embeddings: Tensor = encoder.from_trunk(trunks)
        return embeddings


class TrainedEncoder:
    """A model's encoders in the form of ``sketchseek.evaluation.encode_dataset.EncoderPair``; as exact as its export.

    Args:
        model: The model, in evaluation mode.
        distance: How its embeddings are compared; where it is ``cosine`` they are given unit length, as in a package.
        memory: Shared with other models of one ablation.
    """

    def __init__(self, model: DualEncoder, distance: Distance, memory: ReadingMemory | None = None) -> None:
        self.distance = distance
        self._model = model
        self._memory = memory or ReadingMemory()
        self._stages = {"photo": model.photo.frozen_fingerprint, "sketch": model.sketch.frozen_fingerprint}

    def read_photo(self, source: ImageSource) -> Pixels:
        """Pixels of a photo, (size, size, 3)."""
        return self._memory.read("photo", self._model.photo.config.size, source, read_photo)

    def read_sketch(self, source: SketchSource) -> Pixels:
        """Raster of a sketch, (size, size)."""
        return self._memory.read("sketch", self._model.sketch.config.size, source, rasterize_sketch)

    def encode_photo_pixels(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """(batch, size, size, 3) to (batch, d)."""
        return self._embed(self._model.photo, self._stages["photo"], pixels)

    def encode_sketch_pixels(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """(batch, size, size) to (batch, d)."""
        return self._embed(self._model.sketch, self._stages["sketch"], pixels)

    @torch.no_grad()
    def _embed(self, encoder: BranchEncoder, stages: str, pixels: Pixels) -> npt.NDArray[np.float32]:
        rows = self._memory.embed(encoder, stages, pixels).float()
        if self.distance == "cosine":
            rows = torch.nn.functional.normalize(rows, dim=1)
        array: npt.NDArray[np.float32] = rows.cpu().numpy()
        return array
