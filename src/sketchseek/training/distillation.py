"""Distillation: a small student learns from the embeddings of larger teachers.

Each objective has its own weight:

- **regression**: the student's embedding equals the teacher's;
- **distance** and **angle**: the embeddings of a batch have the same distances and angles as the teacher's (RKD, Park
  et al. 2019, arXiv 1904.05068); the two spaces may have different dimensions;
- **own_space**: a sketch is as near to each photo of the batch as with the teacher, each in its own space;
- **similarity**: a sketch or photo has the same nearest photos as with the teacher, measured by the Kullback-Leibler
  divergence of softmax distributions over the teacher's embeddings of all training photos.

The published recipe (arXiv 2305.18988) distills, but we have not read its objective; these are our choice. The teacher
encodes the same augmented sketches as the student. Its photo embeddings, original and mirrored, are computed once and
cached on disk.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from sketchseek.atomic_write import atomic_path
from sketchseek.errors import ConfigError
from sketchseek.progress import Progress
from sketchseek.training.config import DistilConfig
from sketchseek.training.data import TrainingSet
from sketchseek.training.known_embeddings import known_embeddings
from sketchseek.training.losses import own_space_similarity_distillation
from sketchseek.training.teachers import Teacher, is_run, load_teacher


def regression_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of 1 − cosine between the student's and the teacher's embeddings, both (n, d)."""
    return (1 - F.cosine_similarity(student, teacher, dim=1)).mean()


def distance_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """RKD by distance: Huber loss between the distances in a batch, (n, d) and (n, e), each divided by its mean."""
    return F.smooth_l1_loss(_relative_distances(student), _relative_distances(teacher))


def angle_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """RKD by angle: Huber loss between the cosines of the angles of all triples in a batch."""
    return F.smooth_l1_loss(_angles(student), _angles(teacher))


def similarity_loss(student: Tensor, teacher: Tensor, photos: Tensor, temperature: float) -> Tensor:
    """Mean of KL(teacher ‖ student) between distributions over photos.

    Args:
        student, teacher: (n, d) embeddings of the same sketches or photos.
        photos: (m, d) the teacher's photo embeddings. A distribution is the softmax of cosine / ``temperature``.
        temperature: A smaller one concentrates on fewer neighbors.
    """
    gallery = F.normalize(photos, dim=1)
    ours, theirs = (F.normalize(x, dim=1) @ gallery.T / temperature for x in (student, teacher))
    return F.kl_div(ours.log_softmax(dim=1), theirs.log_softmax(dim=1), reduction="batchmean", log_target=True)


class Distiller:
    """The distillation loss of an experiment.

    Args:
        config: Teachers and weights.
        data: The training set, whose photos each teacher encodes once.
        embedding: Dimensions of the student's embedding.
        cache: Folder that keeps the teachers' photo embeddings; None for no cache.
        progress: Called with the stage, the number of photos done and the total.
        device: Device of the training; None for the CPU.
        fixed: Whether sketches and photos are never changed. Then a teacher that is a run encodes each of them once.

    Raises:
        ModelPackageError: A teacher cannot be opened.
        ConfigError: No teacher is named, or an objective needs a single teacher with the student's dimensions.
    """

    def __init__(
        self,
        config: DistilConfig,
        data: TrainingSet,
        embedding: int,
        cache: Path | None,
        progress: Progress,
        device: torch.device | None = None,
        *,
        fixed: bool = False,
    ) -> None:
        self._config = config
        device = device or torch.device("cpu")
        self._teachers = [load_teacher(name, device) for name in config.teachers]
        if not self._teachers:
            raise ConfigError("distil.teachers is empty.", remedy="Name at least one model package or run.")
        dimensions = [teacher.dimensions for teacher in self._teachers]
        if (config.regression or config.similarity) and dimensions != [embedding]:
            raise ConfigError(
                f"distil: regression and similarity need one teacher of {embedding} dimensions, not {dimensions}.",
                remedy="Set embedding to the teacher's, or use distance and angle only, which work with any teachers.",
            )
        self._photos: list[Tensor] = []
        self._sketches: list[Tensor | None] = []
        for name, teacher in zip(config.teachers, self._teachers, strict=True):
            if fixed and is_run(name):
                sketches, bank = known_embeddings(Path(name), data, cache, progress)
                self._sketches.append(sketches.to(device))
                self._photos.append(bank[None].to(device))
            else:
                self._sketches.append(None)
                self._photos.append(torch.from_numpy(_photo_bank(teacher, data, cache, progress)).to(device))

    def loss(
        self,
        sketch_pixels: Tensor,
        sketches: Tensor,
        photos: Tensor,
        positions: npt.NDArray[np.int64],
        mirrored: Tensor,
        places: npt.NDArray[np.int64] | None = None,
    ) -> Tensor:
        """The weighted sum of all objectives, averaged over teachers. A branch without gradients adds nothing.

        Args:
            sketch_pixels: (s, size, size) uint8, the augmented sketches.
            sketches: (s, d) the student's embeddings of them.
            photos: (p, d) the student's embeddings of a batch's photos.
            positions: (p,) positions of the photos in the training set.
            mirrored: (p,) bool, which photos are mirrored.
            places: (s,) positions of the sketches in the training set, where they are as in it.
        """
        config = self._config
        total = sketches.new_zeros(())
        if not any((config.regression, config.distance, config.angle, config.similarity, config.own_space)):
            return total  # the teacher's embeddings serve as weights of another loss only
        for teacher, bank, known in zip(self._teachers, self._photos, self._sketches, strict=True):
            at = torch.from_numpy(positions).to(bank.device)
            shown = bank[mirrored.long().to(bank.device), at].float().to(photos.device)
            if sketches.requires_grad:
                drawn = teacher.encode_sketches(sketch_pixels) if known is None or places is None else known[places]
                drawn = drawn.to(sketches.device)
                total = total + self._terms(sketches, drawn, bank)
                if config.own_space:
                    total = total + config.own_space * own_space_similarity_distillation(
                        sketches, photos, drawn, shown, config.temperature
                    )
            if photos.requires_grad:
                total = total + self._terms(photos, shown, bank)
        return total / len(self._teachers)

    def sketch_embeddings(self, sketches: Tensor) -> Tensor:
        """The first teacher's embeddings of sketches (s, size, size) uint8."""
        return self._teachers[0].encode_sketches(sketches)

    def photo_embeddings(self, positions: npt.NDArray[np.int64]) -> Tensor:
        """The first teacher's embeddings of the photos at these positions in the training set, not mirrored."""
        return self._photos[0][0, torch.from_numpy(positions).to(self._photos[0].device)].float()

    def _terms(self, student: Tensor, target: Tensor, bank: Tensor) -> Tensor:
        config = self._config
        total = student.new_zeros(())
        if config.regression:
            total = total + config.regression * regression_loss(student, target)
        if config.distance:
            total = total + config.distance * distance_loss(student, target)
        if config.angle:
            total = total + config.angle * angle_loss(student, target)
        if config.similarity:
            gallery = bank[0].float().to(student.device)
            total = total + config.similarity * similarity_loss(student, target, gallery, config.temperature)
        return total


def _relative_distances(x: Tensor) -> Tensor:
    distances = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    apart = distances[~torch.eye(len(x), dtype=torch.bool, device=x.device)]
    return apart / apart.mean().clamp(min=1e-12)


def _angles(x: Tensor) -> Tensor:
    towards = F.normalize(x[None] - x[:, None], dim=2)  # (n, n, d): direction from each to each other
    return towards @ towards.transpose(1, 2)


def _photo_bank(
    teacher: Teacher, data: TrainingSet, cache: Path | None, progress: Progress, batch: int = 32
) -> npt.NDArray[np.float16]:
    """A teacher's embeddings of all photos, original and mirrored: (2, photos, d)."""
    digest = hashlib.sha256(teacher.fingerprint.encode())
    for photo in data.photos:
        stat = photo.path.stat()
        digest.update(f"{photo.path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    file = None if cache is None else cache / f"teacher-{digest.hexdigest()[:16]}.npy"
    if file is not None and file.is_file():
        cached: npt.NDArray[np.float16] = np.load(file, allow_pickle=False)
        return cached
    batches: list[Any] = []
    for start in range(0, len(data.photos), batch):
        pixels = np.stack([teacher.read_photo(photo.path) for photo in data.photos[start : start + batch]])
        batches.append(
            np.stack([teacher.encode_photos(each) for each in (pixels, pixels[:, :, ::-1])]).astype(np.float16)
        )
        progress("teacher photos", min(start + batch, len(data.photos)), len(data.photos))
    bank: npt.NDArray[np.float16] = np.concatenate(batches, axis=1)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(file, durable=False) as aside, aside.open("wb") as opened:
            np.save(opened, bank)
    return bank
