"""Which photos and sketches of a data set an audit is of."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sketchseek.datasets.exclusions import read_keys
from sketchseek.datasets.image_folders import load_categories, load_pairs
from sketchseek.datasets.qmul import QmulName, load_qmul
from sketchseek.datasets.records import SketchDataset
from sketchseek.datasets.releases import coverage
from sketchseek.datasets.sketchy import load_sketchy, sketchy_split
from sketchseek.datasets.splits import Split, checksum
from sketchseek.errors import ConfigError, DatasetError

AuditKind = Literal["sketchy", "chairv2", "shoev2", "pairs", "categories"]
PartName = Literal["train", "test"]

KINDS_OF_SETS: tuple[AuditKind, ...] = ("sketchy", "chairv2", "shoev2", "pairs", "categories")
_QMUL: dict[str, QmulName] = {"chairv2": "chairv2", "shoev2": "shoev2"}


@dataclass(frozen=True)
class AuditInput:
    """One part of a data set.

    Attributes:
        kind: Of the data set.
        name: ``train``, ``test``, or ``all`` where the data set has no split.
        dataset: Its photos, all of them the gallery, and the sketches of them.
        other: Photos of the other part, to find duplicates across: the training part's where ``name`` is ``test``, else
            none, so that an audit of the training part reads nothing of the test part.
        split, split_sha256: Name and checksum of the split.
        notes: Sentences on what the data are.
    """

    kind: AuditKind
    name: Literal["train", "test", "all"]
    dataset: SketchDataset
    other: SketchDataset
    split: str
    split_sha256: str
    notes: tuple[str, ...]


def load_input(
    kind: AuditKind, root: str | os.PathLike[str], part: PartName = "train", *, only: Path | None = None
) -> AuditInput:
    """Read a data set and take the part.

    Args:
        kind: Of the data set.
        root: Where it is.
        part: ``train`` or ``test``; a data set without a split has only the first, which is all of it.
        only: A list (``sketchseek.datasets.exclusions``) of photos or sketches: sketches of other photos are left out,
            all photos stay.

    Raises:
        ConfigError: The test part of a data set that has none is asked for.
        DatasetError: The data are not there, or are broken, or none of the sketches is on the list.
    """
    whole = _load(kind, Path(root), part)
    if only is None:
        return whole
    keys = read_keys(only)
    sketches = tuple(d for d in whole.dataset.sketches if d.key in keys or d.photo in keys)
    if not sketches:
        raise DatasetError(
            f"{only}: none of its {len(keys):,} entries is drawn in the {whole.name} part of {root}.",
            remedy="A list belongs to the data set and the part that it was made of.",
        )
    note = f"Only the {len(sketches):,} of {len(whole.dataset.sketches):,} sketches that {only.name} names."
    return replace(whole, dataset=replace(whole.dataset, sketches=sketches), notes=(*whole.notes, note))


def _load(kind: AuditKind, root: Path, part: PartName) -> AuditInput:
    if kind in ("pairs", "categories"):
        if part == "test":
            raise ConfigError(f"{kind}: such a data set has no test part.", remedy="Leave --part out.")
        whole = load_pairs(root, allow_missing=True) if kind == "pairs" else load_categories(root)
        keys = [photo.key for photo in whole.photos] + [sketch.key for sketch in whole.sketches]
        return AuditInput(kind, "all", whole, whole.subset(photos=()), "all", checksum((), keys), ())
    split: Split
    if kind == "sketchy":
        whole = load_sketchy(root, allow_missing=True)
        split = sketchy_split(whole)
    else:
        whole, split = load_qmul(root, _QMUL[kind], allow_missing=True)
    training, test = whole.subset(photos=split.train_photo_keys), whole.subset(photos=split.test_photo_keys)
    dataset, other = (test, training) if part == "test" else (training, whole.subset(photos=()))
    return AuditInput(kind, part, dataset, other, split.name, split.sha256, coverage(whole).notes)
