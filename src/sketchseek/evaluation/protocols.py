"""Protocols: which sketches are asked, which photos are searched, and what counts as found.

- **Exact photo** (``sketchy``, ``pairs``, ``chairv2``, ``shoev2``): a sketch has found its photo at k only if its very
  own photo is among the first k of the whole gallery, all categories together.
- **Category** (``categories``, ``words``, ``tuberlin`` and ``sketchseek.evaluation.zero_shot``): every photo of the
  sketch's category is relevant. ``recall@k`` is then the share of sketches with any relevant photo among the first k.

A photo that the data set lacks was never in the gallery: its sketches are left out, and both are counted in the report.
A file that is there and cannot be read is our failure, so it counts as a miss.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchseek.datasets.exclusions import read_keys
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
    Embedded,
    EncoderPair,
    Progress,
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
    exact_metrics,
    intervals_of,
    values_of,
)
from sketchseek.models.package import Distance


@dataclass(frozen=True)
class Setting:
    """What a report says about its data.

    Attributes:
        protocol: Name of the protocol.
        split, sha256: Name and checksum of the split.
        missing: Keys of photos that should be in the gallery and are not there.
        left_out: Number of their sketches.
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
    """A report with what it was made from, for pictures of it and for looking closer.

    Attributes:
        report: The metrics.
        sketches: All queries; ``drawn`` says which of them could be read.
        photos: The gallery, those that could be read, in the order of ``gallery.vectors``.
        labels: (sketches,) what each query looks for; -1 where it is not in the gallery.
        photo_labels: (photos,) what each photo is.
        scores: Of every query, in the order of ``sketches``.
        drawn, shelved: Embeddings of queries and gallery.
        distance: How they are compared.
    """

    report: Report
    sketches: tuple[Sketch, ...]
    photos: tuple[Photo, ...]
    labels: npt.NDArray[np.int64]
    photo_labels: npt.NDArray[np.int64]
    scores: QueryScores
    drawn: Embedded
    shelved: Embedded
    distance: Distance


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

    The gallery is every photo of the data set's test subset, all categories together; each sketch of the test subset is a
    query. A data set without a split is tested as a whole. What counts as found is the spec's ``relevance``.

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
    listed = whole.subset(photos=keys + missing)
    kept = listed.subset(without_sketches=frozenset().union(*invalid))
    test = kept.subset(photos=keys)
    if spec.exclusion_lists:
        details["excluded"] = {"lists": sorted(exclude), "sketches": len(listed.sketches) - len(kept.sketches)}
    setting = replace(setting, left_out=len(kept.sketches) - len(test.sketches), details=details)
    evaluate = evaluate_exact if spec.relevance == "photo" else evaluate_by_category
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
    """Quick, Draw! sketches of the words that name a category of photos, against the photos of all categories.

    Args:
        sketches: As for ``sketchseek.datasets.quickdraw.load_quickdraw``.
        photos: A folder of photos a category, such as Caltech-101.
        encoder: The model.
        split: ``test`` for the test split of ``quickdraw_split``, ``all`` for all sketches.
        limit: Read at most so many sketches of a word.
        progress: Told how far it is.

    Returns:
        A report whose ``words`` map each word to the category that it names.

    Raises:
        ConfigError: ``split`` is neither.
        DatasetError: The data are not there or broken, or no word names a category.
    """
    if split not in ("test", "all"):
        raise ConfigError(f"There is no split {split!r}.", remedy="Use test or all.")
    gallery = load_photo_folders(photos)
    known = quickdraw_words(sketches)
    words = matching_words(known, gallery.categories)
    if not words:
        raise DatasetError(
            f"{sketches}: none of its {len(known)} words names a folder in {photos}.",
            remedy="Folders must be named as words are, such as cup or ceiling_fan.",
        )
    drawn = load_quickdraw(sketches, words=words, limit=limit)
    own = quickdraw_split(drawn)
    chosen = set(own.test_sketch_keys) if split == "test" else {d.key for d in drawn.sketches}
    queries = tuple(Sketch(words[d.category], d.key, strokes=d.strokes) for d in drawn.sketches if d.key in chosen)
    keys = [photo.key for photo in gallery.photos] + [sketch.key for sketch in queries]
    setting = Setting("words", f"{own.name}:{split}", checksum((), keys), details={"words": words})
    test = SketchDataset("words", gallery.photos, queries, gallery.source)
    return evaluate_by_category(test, encoder, setting, progress=progress)


def matching_words(words: Sequence[str], categories: Sequence[str]) -> dict[str, str]:
    """Which category each word names: case, spaces, ``_``, ``-`` and an ``s`` at the end do not count."""
    by_name = {_bare(category): category for category in reversed(categories)}
    return {word: by_name[_bare(word)] for word in words if _bare(word) in by_name}


def evaluate_exact(
    dataset: SketchDataset, encoder: EncoderPair, setting: Setting, *, progress: Progress | None = None
) -> Evaluation:
    """Exact-photo retrieval: all photos of a data set are the gallery, all its sketches queries.

    Where there are several categories, ``category_P@1``, ``category_P@10`` and ``category_mAP`` say how well the same
    rankings find the sketch's category.
    """
    run = _Run(dataset, encoder, setting, progress)
    number = {photo.key: i for i, photo in enumerate(run.photos)}
    params = np.array([number.get(d.photo or "", -1) for d in dataset.sketches], dtype=np.int64)
    have = np.arange(len(run.photos))
    scores = run.score(params, have, ())
    metrics = exact_metrics(scores, len(run.photos))
    if len(dataset.categories) > 1:
        metrics += branch_metrics(run.score(*run.categories(), (1, 10)))
    # A photo's sketches succeed and fail together: the bootstrap draws photos.
    _, clusters = np.unique([d.photo or d.key for d in dataset.sketches], return_inverse=True)
    report = run.report(values_of(metrics), intervals_of(metrics, clusters), "photos")
    return run.evaluation(report, scores, params, have)


def evaluate_by_category(
    dataset: SketchDataset, encoder: EncoderPair, setting: Setting, *, progress: Progress | None = None
) -> Evaluation:
    """Category retrieval: all photos of a data set are the gallery, all its sketches queries."""
    run = _Run(dataset, encoder, setting, progress)
    params, have = run.categories()
    scores = run.score(params, have, PRECISIONS)
    metrics = category_metrics(scores)
    report = run.report(values_of(metrics), intervals_of(metrics, None), "queries")
    return run.evaluation(report, scores, params, have)


class _Run:
    """One evaluation's embeddings, and what is made of them."""

    def __init__(
        self, dataset: SketchDataset, encoder: EncoderPair, setting: Setting, progress: Progress | None
    ) -> None:
        if not dataset.sketches or not dataset.photos:
            lacking = "photos to search" if dataset.sketches else "sketches to ask with"
            raise DatasetError(
                f"{dataset.source}: no {lacking} (protocol {setting.protocol}).",
                remedy="Check that sketches and photos belong together and that all of the data set was unpacked.",
            )
        self.dataset = dataset
        self.setting = setting
        self.model, self.fingerprint, self.distance = _identity(encoder)
        self.shelved = encode_photo_set(encoder, dataset.photos, progress=progress)
        self.drawn = encode_sketch_set(encoder, dataset.sketches, progress=progress)
        self.photos = tuple(dataset.photos[i] for i in self.shelved.read)
        if not self.photos:
            raise DatasetError(
                f"{dataset.source}: none of its {len(dataset.photos):,} photos can be read. "
                f"{self.shelved.problems[0].reason}",
                remedy="Unpack the photos again.",
            )

    def categories(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Numbers of the categories of all sketches and of the photos that were read."""
        number = {name: i for i, name in enumerate(self.dataset.categories)}
        return (
            np.array([number[d.category] for d in self.dataset.sketches], dtype=np.int64),
            np.array([number[p.category] for p in self.photos], dtype=np.int64),
        )

    def score(self, params: npt.NDArray[np.int64], have: npt.NDArray[np.int64], ks: tuple[int, ...]) -> QueryScores:
        """Scores of all sketches; those that could not be read found nothing."""
        read = self.drawn.read
        vectors = self.drawn.vectors if len(read) else np.zeros((0, self.shelved.vectors.shape[1]), dtype=np.float32)
        try:
            scores = score_queries(vectors, self.shelved.vectors, params[read], have, ks=ks, distance=self.distance)
        except ValueError as error:
            raise ModelPackageError(
                f"{self.model}: its embeddings cannot be compared ({error}).", remedy="Export the model again."
            ) from error
        return scores.spread(read, len(params))

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
            problems=self.shelved.problems + self.drawn.problems,
            details=setting.details,
        )

    def evaluation(
        self,
        report: Report,
        scores: QueryScores,
        params: npt.NDArray[np.int64],
        have: npt.NDArray[np.int64],
    ) -> Evaluation:
        return Evaluation(
            report, self.dataset.sketches, self.photos, params, have, scores, self.drawn, self.shelved, self.distance
        )


def _identity(encoder: EncoderPair) -> tuple[str, str, Distance]:
    """Name, fingerprint and distance of a model; a model in training has no fingerprint yet."""
    if isinstance(encoder, Encoder):
        return encoder.manifest.name, encoder.manifest.fingerprint, encoder.manifest.distance
    return type(encoder).__name__, "", getattr(encoder, "distance", "cosine")


def _bare(word: str) -> str:
    return normalize_word(word).replace(" ", "").removesuffix("s")
