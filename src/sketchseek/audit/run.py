"""Runs an audit: encodes, ranks and compares photos and sketches, and collects the findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchseek.audit.checks import (
    Limits,
    Threshold,
    check_ink,
    check_near_duplicates,
    check_sketches,
    quantile_thresholds,
)
from sketchseek.audit.confusions import Confusion, FalseNegatives, confusion_matrix, confusions, false_negatives
from sketchseek.audit.embedding_cache import stored
from sketchseek.audit.findings import KINDS, Finding
from sketchseek.audit.ink import measure_all
from sketchseek.audit.inputs import AuditInput
from sketchseek.audit.near_duplicates import find_near_duplicates, near_duplicate_threshold
from sketchseek.audit.ranking import Ranking, rank
from sketchseek.audit.signals import Signals, measure_signals
from sketchseek.datasets.records import Photo, Sketch
from sketchseek.datasets.same_pictures import small_pictures
from sketchseek.encoder import Encoder
from sketchseek.errors import DatasetError
from sketchseek.evaluation.encode_dataset import EncodedItems, Problem, encode_photo_set, encode_sketch_set
from sketchseek.models.package import Distance
from sketchseek.progress import Progress

OPTIMISM = (
    "Where the model was trained on these very sketches, it finds their photos more often than for new sketches, so "
    "the audit misses problems. Findings are suspicions. Check them by eye."
)
TEST_ONLY = (
    "This is an audit of a test split. Do not use any of it for training, model selection or tuning, in any form."
)
ONE_CATEGORY = (
    "All photos are of one category. The threshold of near-duplicates comes from photos of different categories, so "
    "only exact duplicates are reported."
)


@dataclass(frozen=True)
class Audit:
    """Result of an audit.

    Attributes:
        subset: The subset that was audited.
        model, fingerprint: Name and fingerprint of the model.
        thresholds: By kind of finding.
        findings: By kind, in the order of ``KINDS``, the highest score first.
        categories: Names of the rows of ``matrix``.
        matrix: See ``confusion_matrix``.
        negatives: See ``FalseNegatives``.
        own_first: Fraction of sketches that find their own photo first; NaN if no sketch has a photo.
        problems: Photos and sketches that could not be read.
    """

    subset: AuditInput
    model: str
    fingerprint: str
    thresholds: dict[str, Threshold]
    findings: dict[str, tuple[Finding, ...]]
    categories: tuple[str, ...]
    matrix: npt.NDArray[np.int64]
    negatives: tuple[FalseNegatives, ...]
    own_first: float
    problems: tuple[Problem, ...]

    @cached_property
    def confusions(self) -> tuple[Confusion, ...]:
        """Which category is taken for which, the largest fraction first."""
        return tuple(confusions(self.matrix, self.categories))

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences that readers of the findings need."""
        alone = (ONE_CATEGORY,) if self.thresholds["near_duplicate"].value is None else ()
        return (*self.subset.notes, *alone, *((TEST_ONLY,) if self.subset.name == "test" else (OPTIMISM,)))

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, with fixed names."""
        subset = self.subset
        return {
            "kind": subset.kind,
            "subset": subset.name,
            "split": subset.split,
            "split_sha256": subset.split_sha256,
            "model": self.model,
            "fingerprint": self.fingerprint,
            "photos": len(subset.dataset.photos),
            "sketches": len(subset.dataset.sketches),
            "own_first": None if np.isnan(self.own_first) else round(self.own_first, 4),
            "remarks": list(self.remarks),
            "thresholds": {kind: threshold.to_dict() for kind, threshold in self.thresholds.items()},
            "counts": {kind: len(found) for kind, found in self.findings.items()},
            "findings": [finding.to_dict() for found in self.findings.values() for finding in found],
            "confusions": [confusion.to_dict() for confusion in self.confusions],
            "negatives": [entry.to_dict() for entry in self.negatives],
            "problems": [{"key": problem.key, "reason": problem.reason} for problem in self.problems],
        }


def audit(
    subset: AuditInput,
    encoder: Encoder,
    *,
    limits: Limits | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Audit one subset of a data set with a model.

    Args:
        subset: What ``load_input`` returned.
        encoder: The model.
        limits: Settings of the checks; None for the defaults.
        cache: Folder for embeddings, so that an interrupted audit continues; None for no cache.
        progress: Called with what is being done, the number done and the total.

    Raises:
        DatasetError: There are no photos or sketches, or none of the photos can be read.
    """
    limits = limits or Limits()
    dataset = subset.dataset
    if not dataset.photos or not dataset.sketches:
        lacking = "photos" if dataset.sketches else "sketches"
        raise DatasetError(
            f"no {lacking} in the {subset.name} subset.", subject=dataset.source, remedy="Unpack it again."
        )
    everything = (*dataset.photos, *subset.other.photos)
    encoded_photos, encoded_sketches = encode_subset(subset, everything, encoder, cache, progress)
    ranked = rank_subset(subset, everything, encoded_photos, encoded_sketches, encoder.manifest.distance)
    rows = _all_rows(encoded_photos, len(everything))
    near, samples = near_duplicate_threshold(
        rows, [photo.category for photo in everything], quantile=limits.null_quantile
    )
    duplicates = find_near_duplicates(small_pictures(everything, progress), rows, near=near, progress=progress)
    test = frozenset(photo.key for photo in dataset.photos) if subset.name == "test" else None
    thresholds = quantile_thresholds(ranked.signals.suspicion(), limits) | {
        "near_duplicate": Threshold(near, limits.null_quantile, samples),
        "blank": Threshold(limits.blank_length),
        "cropped": Threshold(limits.border_contacts),
    }
    found = [
        *check_ink(dataset.sketches, measure_all(dataset.sketches, progress), limits),
        *check_sketches(ranked.sketches, ranked.photos, ranked.ranking, ranked.signals, thresholds, dataset.categories),
        *check_near_duplicates(everything, duplicates, test),
    ]
    within = [pair for pair in duplicates if pair.second < len(dataset.photos)]
    return Audit(
        subset,
        encoder.manifest.name,
        encoder.manifest.fingerprint,
        thresholds,
        _by_kind(found, subset),
        dataset.categories,
        ranked.confusion_matrix(len(dataset.categories)),
        tuple(false_negatives(dataset.photos, within)),
        ranked.own_first,
        encoded_photos.problems + encoded_sketches.problems,
    )


@dataclass(frozen=True)
class Ranked:
    """The photos and sketches that could be read, their categories by number, the ranking and the signals."""

    photos: list[Photo]
    sketches: list[Sketch]
    photo_category: npt.NDArray[np.int64]
    sketch_category: npt.NDArray[np.int64]
    ranking: Ranking
    signals: Signals

    @property
    def own_first(self) -> float:
        """Fraction of sketches that find their own photo first; NaN if no sketch has a photo."""
        has_own = self.ranking.rank > 0
        return float((self.ranking.rank[has_own] == 1).mean()) if has_own.any() else float("nan")

    def confusion_matrix(self, count: int) -> npt.NDArray[np.int64]:
        """See ``confusion_matrix``; ``count`` is the number of categories."""
        first = self.ranking.first
        found = self.photo_category[first[:, 0]] if first.shape[1] else np.zeros(len(first), dtype=np.int64)
        return confusion_matrix(self.sketch_category, found, count)


def encode_subset(
    subset: AuditInput, photos: Sequence[Photo], encoder: Encoder, cache: Path | None, progress: Progress | None
) -> tuple[EncodedItems, EncodedItems]:
    """Embeddings of photos and sketches, from the cache if it has them."""

    def file(name: str) -> Path | None:
        return None if cache is None else cache / f"{subset.name}-{name}.npz"

    fingerprint, sketches = encoder.manifest.fingerprint, subset.dataset.sketches
    return (
        stored(file("photos"), fingerprint, photos, lambda: encode_photo_set(encoder, photos, progress=progress)),
        stored(
            file("sketches"), fingerprint, sketches, lambda: encode_sketch_set(encoder, sketches, progress=progress)
        ),
    )


def rank_subset(
    subset: AuditInput,
    everything: Sequence[Photo],
    encoded_photos: EncodedItems,
    encoded_sketches: EncodedItems,
    distance: Distance,
) -> Ranked:
    """Rank the subset's photos for each of its sketches."""
    dataset = subset.dataset
    photos = [everything[i] for i in encoded_photos.read if i < len(dataset.photos)]
    sketches = [dataset.sketches[i] for i in encoded_sketches.read]
    if not photos:
        raise DatasetError(
            f"none of its {len(dataset.photos):,} photos can be read. {encoded_photos.problems[0].reason}",
            subject=dataset.source,
            remedy="Unpack the photos again.",
        )
    embeddings = encoded_photos.embeddings[: len(photos)]
    number = {name: i for i, name in enumerate(dataset.categories)}
    place = {photo.key: i for i, photo in enumerate(photos)}
    photo_category = np.array([number[photo.category] for photo in photos], dtype=np.int64)
    sketch_category = np.array([number[sketch.category] for sketch in sketches], dtype=np.int64)
    embedded = encoded_sketches.embeddings if sketches else np.zeros((0, embeddings.shape[1]), dtype=np.float32)
    ranking = rank(
        embedded,
        embeddings,
        np.array([place.get(sketch.photo or "", -1) for sketch in sketches], dtype=np.int64),
        sketch_category,
        photo_category,
        distance=distance,
    )
    signals = measure_signals(sketches, embedded, ranking, distance)
    return Ranked(photos, sketches, photo_category, sketch_category, ranking, signals)


def _by_kind(found: list[Finding], subset: AuditInput) -> dict[str, tuple[Finding, ...]]:
    kinds = [kind for kind in KINDS if kind != "cross_split_duplicate" or subset.name == "test"]
    return {
        kind: tuple(sorted((f for f in found if f.kind == kind), key=lambda f: (-f.score, f.key))) for kind in kinds
    }


def _all_rows(embedded: EncodedItems, count: int) -> npt.NDArray[np.float32]:
    """One row per photo; zeros for photos that could not be read."""
    rows = np.zeros((count, embedded.embeddings.shape[1] if embedded.embeddings.size else 1), dtype=np.float32)
    rows[embedded.read] = embedded.embeddings
    return rows


def shown(audit: Audit) -> tuple[dict[str, Photo], dict[str, Sketch]]:
    """All photos and sketches of an audit, by key."""
    photos = (*audit.subset.other.photos, *audit.subset.dataset.photos)
    return {photo.key: photo for photo in photos}, {sketch.key: sketch for sketch in audit.subset.dataset.sketches}
