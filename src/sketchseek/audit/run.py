"""One audit: embed, rank, compare, and gather the findings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchseek.audit.checks import Thresholds, check_ink, check_near_duplicates, check_photos, check_sketches
from sketchseek.audit.confusions import Confusion, FalseNegatives, confusion_matrix, confusions, false_negatives
from sketchseek.audit.embedding_cache import stored
from sketchseek.audit.findings import KINDS, Finding
from sketchseek.audit.ink import measure_all
from sketchseek.audit.inputs import AuditInput
from sketchseek.audit.near_duplicates import find_near_duplicates
from sketchseek.audit.ranking import rank
from sketchseek.datasets.records import Photo, Sketch
from sketchseek.datasets.same_pictures import small_pictures
from sketchseek.encoder import Encoder
from sketchseek.errors import DatasetError
from sketchseek.evaluation.encode_dataset import Embedded, Problem, encode_photo_set, encode_sketch_set

Progress = Callable[[str, int, int], None]

OPTIMISM = (
    "Where the model was trained on these very sketches it finds their photos more often than it would find a fresh "
    "sketch's: much of what is wrong there stays unfound. Findings are suspicions, to be looked at."
)
TEST_ONLY = (
    "This is an audit of a test part. Nothing in it may feed training, the choice of a model or tuning, in any form."
)


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        part: What was audited.
        model, fingerprint: Name and identity of the model.
        limits: When something was a finding.
        findings: By kind, in the order of ``KINDS``, the surest first.
        categories: Names, by the rows of ``matrix``.
        matrix: See ``confusion_matrix``.
        negatives: See ``FalseNegatives``.
        own_first: Share of sketches that find their own photo first; NaN where none has one.
        problems: What could not be read.
    """

    part: AuditInput
    model: str
    fingerprint: str
    limits: Thresholds
    findings: dict[str, tuple[Finding, ...]]
    categories: tuple[str, ...]
    matrix: npt.NDArray[np.int64]
    negatives: tuple[FalseNegatives, ...]
    own_first: float
    problems: tuple[Problem, ...]

    @cached_property
    def confusions(self) -> tuple[Confusion, ...]:
        """Which category is taken for which, the largest share first."""
        return tuple(confusions(self.matrix, self.categories))

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences that whoever reads the findings must know."""
        return (*self.part.notes, *((TEST_ONLY,) if self.part.name == "test" else (OPTIMISM,)))

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, with fixed names."""
        part = self.part
        return {
            "kind": part.kind,
            "part": part.name,
            "split": part.split,
            "split_sha256": part.split_sha256,
            "model": self.model,
            "fingerprint": self.fingerprint,
            "photos": len(part.dataset.photos),
            "sketches": len(part.dataset.sketches),
            "own_first": None if np.isnan(self.own_first) else round(self.own_first, 4),
            "remarks": list(self.remarks),
            "thresholds": self.limits.to_dict(),
            "counts": {kind: len(found) for kind, found in self.findings.items()},
            "findings": [finding.to_dict() for found in self.findings.values() for finding in found],
            "confusions": [confusion.to_dict() for confusion in self.confusions],
            "negatives": [entry.to_dict() for entry in self.negatives],
            "problems": [{"key": problem.key, "reason": problem.reason} for problem in self.problems],
        }


def audit(
    part: AuditInput,
    encoder: Encoder,
    *,
    limits: Thresholds | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Audit one part of a data set with a model.

    Args:
        part: What ``load_input`` gave.
        encoder: The model.
        limits: When something is a finding; the defaults where None.
        cache: Folder in which embeddings are kept, so that an audit that was interrupted goes on; None for none.
        progress: Called with what is under way, how many are done and how many there are.

    Raises:
        DatasetError: There are no photos or sketches, or none can be read.
    """
    limits = limits or Thresholds()
    dataset = part.dataset
    if not dataset.photos or not dataset.sketches:
        lacking = "photos" if dataset.sketches else "sketches"
        raise DatasetError(f"{dataset.source}: no {lacking} in the {part.name} part.", remedy="Unpack it again.")
    fingerprint = encoder.manifest.fingerprint
    everything = (*dataset.photos, *part.other.photos)
    kept = (lambda name: None) if cache is None else (lambda name: cache / f"{part.name}-{name}.npz")
    shelved = stored(
        kept("photos"), fingerprint, everything, lambda: encode_photo_set(encoder, everything, progress=progress)
    )
    drawn = stored(
        kept("sketches"),
        fingerprint,
        dataset.sketches,
        lambda: encode_sketch_set(encoder, dataset.sketches, progress=progress),
    )
    categories = dataset.categories
    number = {name: i for i, name in enumerate(categories)}
    photos = [everything[i] for i in shelved.read if i < len(dataset.photos)]
    sketches = [dataset.sketches[i] for i in drawn.read]
    if not photos:
        raise DatasetError(
            f"{dataset.source}: none of its {len(dataset.photos):,} photos can be read. {shelved.problems[0].reason}",
            remedy="Unpack the photos again.",
        )
    vectors = shelved.vectors[: len(photos)]
    place = {photo.key: i for i, photo in enumerate(photos)}
    photo_category = np.array([number[photo.category] for photo in photos], dtype=np.int64)
    sketch_category = np.array([number[sketch.category] for sketch in sketches], dtype=np.int64)
    ranking = rank(
        drawn.vectors if len(sketches) else np.zeros((0, vectors.shape[1]), dtype=np.float32),
        vectors,
        np.array([place.get(sketch.photo or "", -1) for sketch in sketches], dtype=np.int64),
        sketch_category,
        photo_category,
        near=limits.near,
        distance=encoder.manifest.distance,
    )
    hidden = check_photos(sketches, photos, ranking, limits)
    found = [
        *check_ink(dataset.sketches, measure_all(dataset.sketches, progress), limits),
        *check_sketches(sketches, photos, ranking, categories, frozenset(f.key for f in hidden), limits),
        *hidden,
    ]
    duplicates = find_near_duplicates(
        small_pictures(everything, progress), _all_rows(shelved, len(everything)), near=limits.duplicate_cosine,
        progress=progress,
    )  # fmt: skip
    test = frozenset(photo.key for photo in dataset.photos) if part.name == "test" else None
    found += check_near_duplicates(everything, duplicates, test)
    within = [pair for pair in duplicates if pair.second < len(dataset.photos)]
    has_own = ranking.rank > 0
    first = photo_category[ranking.first[:, 0]] if ranking.first.shape[1] else np.zeros(len(sketches), dtype=np.int64)
    return Audit(
        part,
        encoder.manifest.name,
        fingerprint,
        limits,
        _by_kind(found, part),
        categories,
        confusion_matrix(sketch_category, first, len(categories)),
        tuple(false_negatives(dataset.photos, within)),
        float((ranking.rank[has_own] == 1).mean()) if has_own.any() else float("nan"),
        shelved.problems + drawn.problems,
    )


def _by_kind(found: list[Finding], part: AuditInput) -> dict[str, tuple[Finding, ...]]:
    kinds = [kind for kind in KINDS if kind != "across_parts" or part.name == "test"]
    return {
        kind: tuple(sorted((f for f in found if f.kind == kind), key=lambda f: (-f.score, f.key))) for kind in kinds
    }


def _all_rows(embedded: Embedded, count: int) -> npt.NDArray[np.float32]:
    """Embeddings in the places of the photos; zeros where one could not be read."""
    rows = np.zeros((count, embedded.vectors.shape[1] if embedded.vectors.size else 1), dtype=np.float32)
    rows[embedded.read] = embedded.vectors
    return rows


def shown(audit: Audit) -> tuple[dict[str, Photo], dict[str, Sketch]]:
    """Photos and sketches of an audit by their keys, to show."""
    photos = (*audit.part.other.photos, *audit.part.dataset.photos)
    return {photo.key: photo for photo in photos}, {sketch.key: sketch for sketch in audit.part.dataset.sketches}
