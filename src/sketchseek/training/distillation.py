"""From teachers to a student: what a small encoder learns from the embeddings of larger ones.

Three objectives, each with a weight of its own:

- **regression**: a student's embedding is its teacher's, as in EmbeddingDistillation;
- **relations**: a batch's embeddings lie to one another as the teacher's do, by distance and by angle (RKD, Park et al.
  2019, arXiv 1904.05068); the two spaces may have different lengths;
- **similarity**: among many photos a student's sketch (or photo) has the neighbors that the teacher's has: the
  Kullback-Leibler divergence of two softmax distributions over the teacher's photos of the whole training set, which is
  what a ranking is made of.

The published recipe (arXiv 2305.18988) distils, but its objective is not public: this choice is ours. Sketches are
shown to the teacher as the student sees them, augmented; photos are embedded once, as they are and mirrored, and kept
on disk.
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
from sketchseek.encoder import Encoder, load_encoder
from sketchseek.errors import ConfigError
from sketchseek.progress import Progress
from sketchseek.training.config import DistilConfig
from sketchseek.training.data import TrainingSet


def regression_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over the batch of 1 − cosine between each embedding (n, d) and its teacher's."""
    return (1 - F.cosine_similarity(student, teacher, dim=1)).mean()


def distance_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """RKD by distance: Huber loss between distances, (n, d) against (n, e), each over its batch's mean."""
    return F.smooth_l1_loss(_relative_distances(student), _relative_distances(teacher))


def angle_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """RKD by angle: Huber loss between the cosines of the angles that all triples of a batch make."""
    return F.smooth_l1_loss(_angles(student), _angles(teacher))


def similarity_loss(student: Tensor, teacher: Tensor, photos: Tensor, temperature: float) -> Tensor:
    """Mean over the batch of KL(teacher ‖ student) between distributions over photos.

    Args:
        student, teacher: (n, d) embeddings of the same sketches or photos.
        photos: (m, d) the teacher's photos; a distribution is the softmax of cosines to them over ``temperature``.
        temperature: Smaller looks at fewer neighbors.
    """
    gallery = F.normalize(photos, dim=1)
    ours, theirs = (F.normalize(x, dim=1) @ gallery.T / temperature for x in (student, teacher))
    return F.kl_div(ours.log_softmax(dim=1), theirs.log_softmax(dim=1), reduction="batchmean", log_target=True)


class Distiller:
    """What an experiment's student learns from its teachers.

    Args:
        config: Teachers and weights.
        data: The training set; its photos are embedded by each teacher.
        embedding: Length of the student's embedding.
        cache: Where the teachers' photo embeddings are kept; None for nowhere.
        progress: Called with what is embedded, how many are done, and of how many.

    Raises:
        ModelPackageError: A teacher cannot be opened.
        ConfigError: No teacher is named, or an objective needs one teacher of the student's own embedding length.
    """

    def __init__(
        self, config: DistilConfig, data: TrainingSet, embedding: int, cache: Path | None, progress: Progress
    ) -> None:
        self._config = config
        self._teachers = [load_encoder(name, threads=torch.get_num_threads()) for name in config.teachers]
        if not self._teachers:
            raise ConfigError("distil: no teachers are named.")
        lengths = [teacher.manifest.embedding for teacher in self._teachers]
        if (config.regression or config.similarity) and lengths != [embedding]:
            raise ConfigError(
                f"distil: regression and similarity need one teacher of {embedding} dimensions, not {lengths}.",
                remedy="Set `embedding` to the teacher's, or use distance and angle alone, which any teachers allow.",
            )
        self._photos = [torch.from_numpy(_photo_bank(teacher, data, cache, progress)) for teacher in self._teachers]

    def loss(
        self,
        sketch_pixels: Tensor,
        sketches: Tensor,
        photos: Tensor,
        positions: npt.NDArray[np.int64],
        mirrored: Tensor,
    ) -> Tensor:
        """The weighted sum of all objectives, meaned over teachers; a side that has nothing to learn adds nothing.

        Args:
            sketch_pixels: (s, size, size) uint8, as the student saw them.
            sketches: (s, d) the student's embeddings of them.
            photos: (p, d) the student's embeddings of a batch's photos.
            positions: (p,) their positions in the training set.
            mirrored: (p,) bool, whether the student saw each mirrored.
        """
        total = sketches.new_zeros(())
        if not any((self._config.regression, self._config.distance, self._config.angle, self._config.similarity)):
            return total  # a teacher whose embeddings only weigh a loss
        for teacher, bank in zip(self._teachers, self._photos, strict=True):
            if sketches.requires_grad:
                taught = torch.from_numpy(
                    teacher.encode_sketch_pixels(_resized(sketch_pixels, teacher.manifest.sketch.size))
                )
                total = total + self._terms(sketches, taught.to(sketches.device), bank)
            if photos.requires_grad:
                taught = bank[mirrored.long(), torch.from_numpy(positions)].float()
                total = total + self._terms(photos, taught.to(photos.device), bank)
        return total / len(self._teachers)

    def embed_sketches(self, sketches: Tensor) -> Tensor:
        """The first teacher's embeddings of sketches (s, size, size) uint8, as a loss may weigh by."""
        teacher = self._teachers[0]
        return torch.from_numpy(teacher.encode_sketch_pixels(_resized(sketches, teacher.manifest.sketch.size)))

    def encode_photo_pixels(self, positions: npt.NDArray[np.int64]) -> Tensor:
        """The first teacher's embeddings of photos at these positions in the training set, none mirrored."""
        return self._photos[0][0, torch.from_numpy(positions)].float()

    def _terms(self, student: Tensor, taught: Tensor, bank: Tensor) -> Tensor:
        config = self._config
        total = student.new_zeros(())
        if config.regression:
            total = total + config.regression * regression_loss(student, taught)
        if config.distance:
            total = total + config.distance * distance_loss(student, taught)
        if config.angle:
            total = total + config.angle * angle_loss(student, taught)
        if config.similarity:
            gallery = bank[0].float().to(student.device)
            total = total + config.similarity * similarity_loss(student, taught, gallery, config.temperature)
        return total


def _relative_distances(x: Tensor) -> Tensor:
    distances = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    apart = distances[~torch.eye(len(x), dtype=torch.bool, device=x.device)]
    return apart / apart.mean().clamp(min=1e-12)


def _angles(x: Tensor) -> Tensor:
    towards = F.normalize(x[None] - x[:, None], dim=2)  # (n, n, d): from each to each other
    return towards @ towards.transpose(1, 2)


def _resized(sketches: Tensor, size: int) -> npt.NDArray[np.uint8]:
    """The teacher's raster from the student's: lines are a share of the square wide in both."""
    if sketches.shape[1] != size:
        scaled = F.interpolate(
            sketches[:, None].float(), size=(size, size), mode="bilinear", align_corners=False, antialias=True
        )
        sketches = scaled[:, 0].round().to(torch.uint8)
    return sketches.cpu().numpy()


def _photo_bank(
    teacher: Encoder, data: TrainingSet, cache: Path | None, progress: Progress, batch: int = 32
) -> npt.NDArray[np.float16]:
    """A teacher's embeddings of all photos, as they are and mirrored: (2, photos, d)."""
    digest = hashlib.sha256(teacher.manifest.fingerprint.encode())
    for photo in data.photos:
        stat = photo.path.stat()
        digest.update(f"{photo.path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    file = None if cache is None else cache / f"teacher-{digest.hexdigest()[:16]}.npy"
    if file is not None and file.is_file():
        kept: npt.NDArray[np.float16] = np.load(file, allow_pickle=False)
        return kept
    parts: list[Any] = []
    for start in range(0, len(data.photos), batch):
        pixels = np.stack([teacher.read_photo(photo.path) for photo in data.photos[start : start + batch]])
        parts.append(
            np.stack([teacher.encode_photo_pixels(seen) for seen in (pixels, pixels[:, :, ::-1])]).astype(np.float16)
        )
        progress("the teacher's photos", min(start + batch, len(data.photos)), len(data.photos))
    bank: npt.NDArray[np.float16] = np.concatenate(parts, axis=1)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(file, durable=False) as aside, aside.open("wb") as opened:
            np.save(opened, bank)
    return bank
