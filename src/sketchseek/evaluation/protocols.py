"""Protocols: the queries, the gallery, and which photos are relevant.

- **Instance-level** (``sketchy``, ``pairs``, ``chairv2``, ``shoev2``): only the photo that a sketch was drawn from is
  relevant. The gallery holds the photos of all categories.
- **Category-level** (``categories``, ``words``, ``tuberlin`` and ``sketchseek.evaluation.zero_shot``): every photo of
  the sketch's category is relevant. ``recall@k`` is the fraction of sketches with any relevant photo among the first k.

Photos that the data set lacks are not in the gallery. Their sketches are left out, and the report counts both.
A file that exists but cannot be read counts as a miss.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchseek.datasets.exclusions import listed, read_keys
from sketchseek.datasets.image_folders import load_photo_folders
from sketchseek.datasets.qmul import QmulName
from sketchseek.datasets.quickdraw import load_quickdraw, quickdraw_split, quickdraw_words
from sketchseek.datasets.records import Photo, Sketch, SketchDataset, normalize_word
from sketchseek.datasets.registry import DatasetSpec, dataset_spec
from sketchseek.datasets.releases import coverage
from sketchseek.datasets.splits import Split, checksum
from sketchseek.encoder import Encoder
from sketchseek.errors import ConfigError, DatasetError, ModelPackageError
from sketchseek.evaluation.encode_dataset import (
    EncodedItems,
    EncoderPair,
    encode_photo_set,
    encode_sketch_set,
)
from sketchseek.evaluation.intervals import Interval
from sketchseek.evaluation.metrics import QueryScores, score_queries
from sketchseek.evaluation.report import Report
from sketchseek.evaluation.summary import (
    PRECISIONS,
    RECALLS,
    branch_metrics,
    category_metrics,
    instance_metrics,
    intervals_of,
    values_of,
)
from sketchseek.models.package import Distance
from sketchseek.progress import Progress


@dataclass(frozen=True)
class Setting:
    """The data of an evaluation, for its report.

    Attributes:
        protocol: Name of the protocol.
        split, sha256: Name and checksum of the split.
        missing: Keys of photos that belong in the gallery but do not exist.
        left_out: Number of sketches of missing photos.
        details: Further entries of the report.
    """

    protocol: str
    split: str
    sha256: str
    missing: tuple[str, ...] = ()
    left_out: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """A report with the data that it was computed from.

    Attributes:
        report: The metrics.
        sketches: All queries; ``queries.read`` has the indices of the readable ones.
        photos: Readable photos of the gallery, in the order of ``gallery.embeddings``.
        labels: (sketches,) label of each query; -1 if the gallery has no relevant photo.
        photo_labels: (photos,) label of each photo.
        scores: Scores of all queries, in the order of ``sketches``.
        queries, gallery: Their embeddings.
        distance: Distance between embeddings.
    """

    report: Report
    sketches: tuple[Sketch, ...]
    photos: tuple[Photo, ...]
    labels: npt.NDArray[np.int64]
    photo_labels: npt.NDArray[np.int64]
    scores: QueryScores
    queries: EncodedItems
    gallery: EncodedItems
    distance: Distance

    def with_details(self, **details: Any) -> Evaluation:
        """A copy whose report has further entries."""
        return replace(self, report=replace(self.report, details={**self.report.details, **details}))


def evaluate_dataset(
    name: str,
    root: str | os.PathLike[str],
    encoder: EncoderPair,
    *,
    variant: str = "",
    exclude: Sequence[str] = (),
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate on a data set of the registry.

    The gallery is every photo of the data set's test subset, all categories together; each sketch of the test subset is
    a query. A data set without a split is tested as a whole. What counts as found is the spec's ``relevance``.

    Args:
        name: Of the data set (``sketchseek.datasets.registry``).
        root: Its folder.
        encoder: The model.
        variant: One of the data set's variants; empty for the default.
        exclude: Names of the data set's own exclusion lists; their sketches are no queries.
        progress: Called with what is encoded, the number done and the total.

    Raises:
        ConfigError: The data set is unknown, has no such variant or list, or cannot be evaluated on its own.
        DatasetError: A file or folder is missing or broken.
    """
    spec = dataset_spec(name, "evaluate")
    invalid = [_exclusion_list(spec, Path(root), each) for each in exclude]
    loaded = spec.read(Path(root), variant=variant, allow_missing=True)
    whole, split = loaded.dataset, loaded.split
    details: dict[str, Any] = {}
    if isinstance(split, Split):
        keys, missing = split.test_photo_keys, split.missing
        setting = Setting(name, split.name, split.sha256, missing)
        details["release"] = coverage(whole).to_dict()
    else:
        keys, missing = tuple(photo.key for photo in whole.photos), whole.missing
        tested = [*keys, *(sketch.key for sketch in whole.sketches if spec.relevance == "category")]
        setting = Setting(name, "all", checksum((), tested), missing)
    asked = whole.subset(photos=keys + missing)
    sketch_keys = [sketch.key for sketch in asked.sketches]
    kept = asked.subset(without_sketches=listed(sketch_keys, frozenset().union(*invalid)))
    test = kept.subset(photos=keys)
    if spec.exclusion_lists:
        details["excluded"] = {"lists": sorted(exclude), "sketches": len(asked.sketches) - len(kept.sketches)}
    setting = replace(setting, left_out=len(kept.sketches) - len(test.sketches), details=details)
    evaluate = evaluate_instance_level if spec.relevance == "photo" else evaluate_category_level
    result = evaluate(test, encoder, setting, progress=progress)
    for k in RECALLS if spec.accuracy else ():
        result.report.metrics[f"acc@{k}"] = result.report.metrics[f"recall@{k}"]
        result.report.intervals[f"acc@{k}"] = result.report.intervals[f"recall@{k}"]
    return result


def _exclusion_list(spec: DatasetSpec, root: Path, name: str) -> frozenset[str]:
    if spec.find_list is None:
        raise ConfigError(f"{spec.name} has no exclusion lists.", remedy="Remove the name of the list.")
    return read_keys(spec.find_list(root, name))


def evaluate_sketchy(
    root: str | os.PathLike[str],
    encoder: EncoderPair,
    *,
    exclude: Sequence[str] = (),
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate by the Sketchy Database's official protocol; see ``evaluate_dataset``."""
    return evaluate_dataset("sketchy", root, encoder, exclude=exclude, progress=progress)


def evaluate_qmul(
    root: str | os.PathLike[str], name: QmulName, encoder: EncoderPair, *, progress: Progress | None = None
) -> Evaluation:
    """Evaluate on ShoeV2's or ChairV2's own test split; see ``evaluate_dataset``. Adds ``acc@k``."""
    return evaluate_dataset(name, root, encoder, progress=progress)


def evaluate_pairs(
    root: str | os.PathLike[str], encoder: EncoderPair, *, progress: Progress | None = None
) -> Evaluation:
    """Evaluate on pairs in folders; see ``evaluate_dataset``."""
    return evaluate_dataset("pairs", root, encoder, progress=progress)


def evaluate_categories(
    root: str | os.PathLike[str], encoder: EncoderPair, *, progress: Progress | None = None
) -> Evaluation:
    """Evaluate on categories in folders; see ``evaluate_dataset``."""
    return evaluate_dataset("categories", root, encoder, progress=progress)


def evaluate_words(
    sketches: str | os.PathLike[str],
    photos: str | os.PathLike[str],
    encoder: EncoderPair,
    *,
    split: str = "test",
    limit: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Quick, Draw! sketches as queries for photos of the category that their word names.

    Args:
        sketches: As for ``sketchseek.datasets.quickdraw.load_quickdraw``.
        photos: Folder with one folder of photos for each category, such as Caltech-101.
        encoder: The model.
        split: ``test`` for the test split of ``quickdraw_split``, ``all`` for all sketches.
        limit: Maximum number of sketches for each word.
        progress: Called with the progress of encoding.

    Returns:
        The evaluation; ``words`` in its report maps each word to its category.

    Raises:
        ConfigError: ``split`` is neither.
        DatasetError: The data are missing or broken, or no word names a category.
    """
    if split not in ("test", "all"):
        raise ConfigError(f"There is no split {split!r}.", remedy="Use test or all.")
    gallery = load_photo_folders(photos)
    known = quickdraw_words(sketches)
    words = matching_words(known, gallery.categories)
    if not words:
        raise DatasetError(
            f"none of its {len(known)} words names a folder in {photos}.",
            subject=sketches,
            remedy="Name the folders like words, for example cup or ceiling_fan.",
        )
    drawn = load_quickdraw(sketches, words=words, limit=limit)
    own = quickdraw_split(drawn)
    chosen = set(own.test_sketch_keys) if split == "test" else {d.key for d in drawn.sketches}
    queries = tuple(Sketch(words[d.category], d.key, strokes=d.strokes) for d in drawn.sketches if d.key in chosen)
    keys = [photo.key for photo in gallery.photos] + [sketch.key for sketch in queries]
    setting = Setting("words", f"{own.name}:{split}", checksum((), keys), details={"words": words})
    test = SketchDataset("words", gallery.photos, queries, gallery.source)
    return evaluate_category_level(test, encoder, setting, progress=progress)


def matching_words(words: Sequence[str], categories: Sequence[str]) -> dict[str, str]:
    """The category that each word names; case, spaces, ``_``, ``-`` and a final ``s`` are ignored."""
    by_name = {_bare(category): category for category in reversed(categories)}
    return {word: by_name[_bare(word)] for word in words if _bare(word) in by_name}


def evaluate_instance_level(
    dataset: SketchDataset, encoder: EncoderPair, setting: Setting, *, progress: Progress | None = None
) -> Evaluation:
    """Instance-level retrieval: all photos of a data set are the gallery, all its sketches are queries.

    With several categories, ``category_P@1``, ``category_P@10`` and ``category_mAP`` score the same rankings by
    category.
    """
    run = _Run(dataset, encoder, setting, progress)
    number = {photo.key: i for i, photo in enumerate(run.photos)}
    labels = np.array([number.get(d.photo or "", -1) for d in dataset.sketches], dtype=np.int64)
    photo_labels = np.arange(len(run.photos))
    scores = run.score(labels, photo_labels, ())
    metrics = instance_metrics(scores, len(run.photos))
    if len(dataset.categories) > 1:
        metrics += branch_metrics(run.score(*run.categories(), (1, 10)))
    # The sketches of one photo are correlated: the bootstrap resamples photos.
    _, clusters = np.unique([d.photo or d.key for d in dataset.sketches], return_inverse=True)
    report = run.report(values_of(metrics), intervals_of(metrics, clusters), "photos")
    return run.evaluation(report, scores, labels, photo_labels)


def evaluate_category_level(
    dataset: SketchDataset, encoder: EncoderPair, setting: Setting, *, progress: Progress | None = None
) -> Evaluation:
    """Category-level retrieval: all photos of a data set are the gallery, all its sketches are queries."""
    run = _Run(dataset, encoder, setting, progress)
    labels, photo_labels = run.categories()
    scores = run.score(labels, photo_labels, PRECISIONS)
    metrics = category_metrics(scores)
    report = run.report(values_of(metrics), intervals_of(metrics, None), "queries")
    return run.evaluation(report, scores, labels, photo_labels)


class _Run:
    """The embeddings of one evaluation, and its scores."""

    def __init__(
        self, dataset: SketchDataset, encoder: EncoderPair, setting: Setting, progress: Progress | None
    ) -> None:
        if not dataset.sketches or not dataset.photos:
            lacking = "photos for the gallery" if dataset.sketches else "sketches for queries"
            raise DatasetError(
                f"no {lacking} (protocol {setting.protocol}).",
                subject=dataset.source,
                remedy="Check that the data set is complete and that its sketches and photos belong together.",
            )
        self.dataset = dataset
        self.setting = setting
        self.model, self.fingerprint, self.distance = _identity(encoder)
        self.gallery = encode_photo_set(encoder, dataset.photos, progress=progress)
        self.queries = encode_sketch_set(encoder, dataset.sketches, progress=progress)
        self.photos = tuple(dataset.photos[i] for i in self.gallery.read)
        if not self.photos:
            raise DatasetError(
                f"none of its {len(dataset.photos):,} photos can be read. {self.gallery.problems[0].reason}",
                subject=dataset.source,
                remedy="Unpack the photos again.",
            )

    def categories(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Category indices of all sketches and of all readable photos."""
        number = {name: i for i, name in enumerate(self.dataset.categories)}
        return (
            np.array([number[d.category] for d in self.dataset.sketches], dtype=np.int64),
            np.array([number[p.category] for p in self.photos], dtype=np.int64),
        )

    def score(
        self, labels: npt.NDArray[np.int64], photo_labels: npt.NDArray[np.int64], ks: tuple[int, ...]
    ) -> QueryScores:
        """Scores of all sketches; unreadable ones count as misses."""
        read = self.queries.read
        gallery = self.gallery.embeddings
        queries = self.queries.embeddings if len(read) else np.zeros((0, gallery.shape[1]), dtype=np.float32)
        try:
            scores = score_queries(queries, gallery, labels[read], photo_labels, ks=ks, distance=self.distance)
        except ValueError as error:
            raise ModelPackageError(
                f"its embeddings cannot be compared ({error}).", subject=self.model, remedy="Export the model again."
            ) from error
        return scores.spread(read, len(labels))

    def report(self, metrics: dict[str, float], intervals: dict[str, Interval], resampled: str) -> Report:
        setting = self.setting
        return Report(
            protocol=setting.protocol,
            model=self.model,
            fingerprint=self.fingerprint,
            split=setting.split,
            split_sha256=setting.sha256,
            queries=len(self.dataset.sketches),
            gallery=len(self.photos),
            metrics=metrics,
            intervals=intervals,
            resampled=resampled,
            missing=setting.missing,
            left_out=setting.left_out,
            problems=self.gallery.problems + self.queries.problems,
            details=setting.details,
        )

    def evaluation(
        self,
        report: Report,
        scores: QueryScores,
        labels: npt.NDArray[np.int64],
        photo_labels: npt.NDArray[np.int64],
    ) -> Evaluation:
        return Evaluation(
            report,
            self.dataset.sketches,
            self.photos,
            labels,
            photo_labels,
            scores,
            self.queries,
            self.gallery,
            self.distance,
        )


def _identity(encoder: EncoderPair) -> tuple[str, str, Distance]:
    """Name, fingerprint and distance of a model; a model in training has no fingerprint."""
    if isinstance(encoder, Encoder):
        return encoder.manifest.name, encoder.manifest.fingerprint, encoder.manifest.distance
    return type(encoder).__name__, "", getattr(encoder, "distance", "cosine")


def _bare(word: str) -> str:
    return normalize_word(word).replace(" ", "").removesuffix("s")
