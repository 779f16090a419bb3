"""Teachers of distillation: model packages, run by onnxruntime on the CPU, and runs, run by torch on the device.

A run is the faster teacher on a GPU: its sketches need not leave the device.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from sketchseek.encoder import load_encoder
from sketchseek.file_digest import file_digest
from sketchseek.images import read_photo
from sketchseek.training.checkpoint import BEST
from sketchseek.training.init_from import EXPERIMENT
from sketchseek.training.run_folder import load_run

Pixels = npt.NDArray[np.uint8]


class Teacher(Protocol):
    """Encodes sketches and photos without learning.

    Attributes:
        dimensions: Length of an embedding.
        fingerprint: Identity of its embeddings.
    """

    dimensions: int
    fingerprint: str

    def encode_sketches(self, sketches: Tensor) -> Tensor:
        """Embeddings (n, d) float32 of rasters (n, size, size) uint8 of any size, on their device."""

    def read_photo(self, path: Path) -> Pixels:
        """Pixels of a photo, (size, size, 3)."""

    def encode_photos(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """Embeddings (n, d) of pixels (n, size, size, 3)."""


class PackageTeacher:
    """A model package as a teacher."""

    def __init__(self, name: str) -> None:
        self._encoder = load_encoder(name, threads=torch.get_num_threads())
        self.dimensions = self._encoder.manifest.dimensions
        self.fingerprint = self._encoder.manifest.fingerprint

    def encode_sketches(self, sketches: Tensor) -> Tensor:
        """Embeddings of rasters; see ``Teacher``."""
        rasters = resized(sketches, self._encoder.manifest.sketch.size).cpu().numpy()
        return torch.from_numpy(self._encoder.encode_sketch_pixels(rasters)).to(sketches.device)

    def read_photo(self, path: Path) -> Pixels:
        """Pixels of a photo; see ``Teacher``."""
        return self._encoder.read_photo(path)

    def encode_photos(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """Embeddings of photos; see ``Teacher``."""
        return self._encoder.encode_photo_pixels(pixels)


class RunTeacher:
    """The best weights of a run as a teacher."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        model, config, _ = load_run(folder)
        self._model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = device
        self._sizes = config.sketch.size, config.photo.size
        self._unit_length = config.distance == "cosine"
        self.dimensions = model.embedding
        self.fingerprint = file_digest(folder / BEST)[:16]

    def encode_sketches(self, sketches: Tensor) -> Tensor:
        """Embeddings of rasters; see ``Teacher``."""
        return self._encoded(self._model.sketch, resized(sketches, self._sizes[0]).to(self._device)).to(sketches.device)

    def read_photo(self, path: Path) -> Pixels:
        """Pixels of a photo; see ``Teacher``."""
        return read_photo(path, self._sizes[1])

    def encode_photos(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """Embeddings of photos; see ``Teacher``."""
        on_device = torch.from_numpy(np.ascontiguousarray(pixels)).to(self._device)
        embeddings: npt.NDArray[np.float32] = self._encoded(self._model.photo, on_device).cpu().numpy()
        return embeddings

    @torch.no_grad()
    def _encoded(self, encoder: torch.nn.Module, pixels: Tensor) -> Tensor:
        with torch.autocast(self._device.type, enabled=False):  # in fp32, as a model package
            rows: Tensor = encoder(pixels).float()
        return F.normalize(rows, dim=1) if self._unit_length else rows


def is_run(name: str) -> bool:
    """Whether a teacher's name is the folder of a trained run."""
    return (Path(name) / EXPERIMENT).is_file() and (Path(name) / BEST).is_file()


def load_teacher(name: str, device: torch.device) -> Teacher:
    """The teacher of that name.

    Args:
        name: Folder of a run, or name or folder of a model package.
        device: Device of the training.

    Raises:
        ModelPackageError: There is no such run or package, or it cannot be opened.
    """
    return RunTeacher(Path(name), device) if is_run(name) else PackageTeacher(name)


def resized(sketches: Tensor, size: int) -> Tensor:
    """Rasters (n, …) uint8 at another size. Line width is a fixed fraction of the size in both."""
    if sketches.shape[1] == size:
        return sketches
    scaled = F.interpolate(
        sketches[:, None].float(), size=(size, size), mode="bilinear", align_corners=False, antialias=True
    )
    return scaled[:, 0].round().to(torch.uint8)
