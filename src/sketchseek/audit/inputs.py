"""Chooses the photos and sketches that an audit is about."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sketchseek.datasets.exclusions import all_keys, listed, read_keys
from sketchseek.datasets.records import SketchDataset
from sketchseek.datasets.registry import dataset_spec
from sketchseek.datasets.releases import coverage
from sketchseek.datasets.splits import Split, checksum
from sketchseek.errors import ConfigError, DatasetError

SplitName = Literal["train", "test"]


@dataclass(frozen=True)
class AuditInput:
    """One subset of a data set.

    Attributes:
        kind: Name of the data set in the registry.
        name: ``train``, ``test``, or ``all`` where the data set has no split.
        dataset: The subset. All its photos are the gallery.
        other: The training subset where ``name`` is ``test``, to find duplicates across the split; else empty, so that
            an audit of the training subset reads no test photo.
        split, split_sha256: Name and checksum of the split.
        notes: Sentences about the data.
    """

    kind: str
    name: Literal["train", "test", "all"]
    dataset: SketchDataset
    other: SketchDataset
    split: str
    split_sha256: str
    notes: tuple[str, ...]


def load_input(
    kind: str,
    root: str | os.PathLike[str],
    split: SplitName = "train",
    *,
    variant: str = "",
    only: Path | None = None,
) -> AuditInput:
    """Read a data set and choose a subset.

    Args:
        kind: Name of the data set in the registry.
        root: Its folder.
        split: ``train`` or ``test``. A data set without a split is audited as a whole, with ``train``.
        variant: One of the data set's variants; empty for the default.
        only: An exclusion list (``sketchseek.datasets.exclusions``) of photos or sketches. Only these sketches, and the
            sketches of these photos, are audited; the gallery stays whole.

    Raises:
        ConfigError: The data set is unknown or cannot be audited, or has no test split.
        DatasetError: The data set is missing or broken, or none of its sketches is on the list.
    """
    whole = _load(kind, Path(root), split, variant)
    if only is None:
        return whole
    entries = read_keys(only)
    keys = listed(all_keys(whole.dataset), entries)
    sketches = tuple(d for d in whole.dataset.sketches if d.key in keys or d.photo in keys)
    if not sketches:
        raise DatasetError(
            f"none of its {len(entries):,} entries has a sketch in the {whole.name} subset of {root}.",
            subject=only,
            remedy="Use a list that was made for this data set and subset.",
        )
    note = f"Only the {len(sketches):,} of {len(whole.dataset.sketches):,} sketches that {only.name} names."
    return replace(whole, dataset=replace(whole.dataset, sketches=sketches), notes=(*whole.notes, note))


def _load(kind: str, root: Path, name: SplitName, variant: str) -> AuditInput:
    loaded = dataset_spec(kind, "audit").read(root, variant=variant, allow_missing=True)
    whole, split = loaded.dataset, loaded.split
    nothing = replace(whole, photos=(), sketches=(), missing=())
    if not isinstance(split, Split):
        if name == "test":
            raise ConfigError(
                f"The data set {kind!r} has no test split.", remedy="Audit it with the train split, which is all of it."
            )
        keys = [photo.key for photo in whole.photos] + [sketch.key for sketch in whole.sketches]
        return AuditInput(kind, "all", whole, nothing, "all", checksum((), keys), ())
    training, test = loaded.training, whole.subset(photos=split.test_photo_keys)
    dataset, other = (test, training) if name == "test" else (training, nothing)
    return AuditInput(kind, name, dataset, other, split.name, split.sha256, coverage(whole).notes)
