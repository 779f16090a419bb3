"""A trained model as an evaluation protocol uses it, without an export."""

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


class EncodingCache:
    """Pixels of files, and outputs of frozen stages, that the models of one ablation have in common."""

    def __init__(self) -> None:
        self._pixels: dict[tuple[str, int, Any], Pixels] = {}
        self._features: dict[tuple[str, bytes], Tensor] = {}

    def read(self, branch: str, size: int, source: Any, read: Callable[[Any, int], Pixels]) -> Pixels:
        """Pixels of a photo or sketch, decoded once if its source can be a dictionary key."""
        try:
            key = (branch, size, source)
            if key not in self._pixels:
                self._pixels[key] = read(source, size)
        except TypeError:  # strokes in lists have no hash
            return read(source, size)
        return self._pixels[key]

    def embed(self, encoder: BranchEncoder, fingerprint: str, pixels: Pixels) -> Tensor:
        """Embeddings (n, d) of pixels; ``fingerprint`` is that of the encoder's frozen stages."""
        device = encoder.mean.device
        if not encoder.config.frozen:
            from_pixels: Tensor = encoder(torch.from_numpy(pixels).to(device))
            return from_pixels
        keys = [(fingerprint, hashlib.sha256(row.tobytes()).digest()) for row in pixels]
        new = [i for i, key in enumerate(keys) if key not in self._features]
        if new:
            features = encoder.frozen_features(torch.from_numpy(pixels[new]).to(device))
            for i, row in zip(new, features, strict=True):
                self._features[keys[i]] = row.cpu()
        rows = torch.stack([self._features[key] for key in keys]).to(device)
        from_features: Tensor = encoder.from_frozen_features(rows)
        return from_features


class TrainedEncoder:
    """An ``sketchseek.evaluation.encode_dataset.EncoderPair`` of a model; its embeddings are those of an fp32 export.

    Args:
        model: The model, in evaluation mode.
        distance: Distance between embeddings. With ``cosine`` they get unit length, as in a model package.
        cache: Shared with the other models of an ablation; None for a cache of its own.
    """

    def __init__(self, model: DualEncoder, distance: Distance, cache: EncodingCache | None = None) -> None:
        self.distance = distance
        self._model = model
        self._cache = cache or EncodingCache()
        self._fingerprints = {"photo": model.photo.frozen_fingerprint, "sketch": model.sketch.frozen_fingerprint}

    def read_photo(self, source: ImageSource) -> Pixels:
        """Pixels of a photo, (size, size, 3)."""
        return self._cache.read("photo", self._model.photo.config.size, source, read_photo)

    def read_sketch(self, source: SketchSource) -> Pixels:
        """Raster of a sketch, (size, size)."""
        return self._cache.read("sketch", self._model.sketch.config.size, source, rasterize_sketch)

    def encode_photo_pixels(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """Embeddings (batch, d) of pixels (batch, size, size, 3)."""
        return self._embed(self._model.photo, self._fingerprints["photo"], pixels)

    def encode_sketch_pixels(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """Embeddings (batch, d) of rasters (batch, size, size)."""
        return self._embed(self._model.sketch, self._fingerprints["sketch"], pixels)

    @torch.no_grad()
    def _embed(self, encoder: BranchEncoder, fingerprint: str, pixels: Pixels) -> npt.NDArray[np.float32]:
        rows = self._cache.embed(encoder, fingerprint, pixels).float()
        if self.distance == "cosine":
            rows = torch.nn.functional.normalize(rows, dim=1)
        array: npt.NDArray[np.float32] = rows.cpu().numpy()
        return array
