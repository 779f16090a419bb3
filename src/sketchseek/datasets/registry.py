"""The registry of data sets. Training, evaluation, audits, ablations and the command line all ask it.

Each loader module of this package lists its data sets in ``SPECS``, and the registry finds them by scanning the
package. To add a data set, add one such module here, or call ``register`` from your own code.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Literal, Protocol

import sketchseek.datasets
from sketchseek.datasets.records import Photo, SketchDataset
from sketchseek.datasets.splits import SketchSplit, Split
from sketchseek.errors import ConfigError

Relevance = Literal["photo", "category"]
Use = Literal["train", "evaluate", "audit"]


@dataclass(frozen=True)
class LoadedDataset:
    """A whole data set and its own train / test split.

    Attributes:
        dataset: All photos and sketches.
        split: The split, or None where the data set has none; then everything trains, and everything is evaluated.
    """

    dataset: SketchDataset
    split: Split | SketchSplit | None = None

    @property
    def training(self) -> SketchDataset:
        """The training subset."""
        if isinstance(self.split, Split):
            return self.dataset.subset(photos=self.split.train_photo_keys)
        if isinstance(self.split, SketchSplit):
            return self.dataset.subset(sketches=self.split.train_sketch_keys)
        return self.dataset

    @property
    def evaluation_photos(self) -> tuple[Photo, ...]:
        """Photos that evaluation searches: those of the test split, or all where photos are not split."""
        if isinstance(self.split, Split):
            listed = frozenset(self.split.test_photo_keys)
            return tuple(photo for photo in self.dataset.photos if photo.key in listed)
        return self.dataset.photos


class Loader(Protocol):
    """Reads a data set from a folder."""

    def __call__(self, root: Path, *, variant: str, allow_missing: bool) -> LoadedDataset:
        """Read the data set.

        Args:
            root: The folder that the user named.
            variant: One of the spec's ``variants``; empty where it has none.
            allow_missing: Keep sketches whose photo is missing, and list these photos in ``SketchDataset.missing``.
        """


@dataclass(frozen=True)
class DatasetSpec:
    """One data set: how to read it, and what it can be used for.

    Attributes:
        name: Name in experiment files and on the command line.
        title: Name for people.
        layout: Describes the folder that ``load`` expects, in one sentence.
        load: Reads the data set.
        terms: License or terms of use; empty for your own data.
        trains: Whether an experiment can name it as a source.
        relevance: What a query must find when the data set is evaluated on its own: its own ``photo``, or any photo of
            its ``category``. None where it has no photos.
        audits: Whether ``sketchseek audit`` accepts it.
        strokes: Whether its sketches can be strokes; else they are images.
        splits: Names of the splits that it offers, its own train / test split first, then zero-shot splits.
        protocols: Further evaluation protocols that use it, by the name of their command.
        variants: Renditions of the same photos; the first is the default. One photo has one key in all of them.
        exclusion_lists: Names of the release's own lists of invalid sketches.
        find_list: Returns the path of such a list, for the data set's folder and the list's name.
        check_training: Raises DatasetError if one of the photos must not be trained on. It sees the photos of all
            sources of an experiment.
        accuracy: Whether reports repeat ``recall@k`` as ``acc@k``, as the data set's literature calls it.
    """

    name: str
    title: str
    layout: str
    load: Loader
    terms: str = ""
    trains: bool = True
    relevance: Relevance | None = None
    audits: bool = False
    strokes: bool = False
    splits: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    exclusion_lists: tuple[str, ...] = ()
    find_list: Callable[[Path, str], Path] | None = None
    check_training: Callable[[Iterable[Photo]], None] | None = None
    accuracy: bool = False

    def supports(self, use: Use) -> bool:
        """Whether the data set on its own can be used for this."""
        return {"train": self.trains, "evaluate": self.relevance is not None, "audit": self.audits}[use]

    def read(self, root: Path, *, variant: str = "", allow_missing: bool = False) -> LoadedDataset:
        """Read the data set; an empty ``variant`` means the default one.

        Raises:
            ConfigError: The data set has no such variant.
            DatasetError: A file or folder is missing or broken.
        """
        if variant and variant not in self.variants:
            known = f"Known: {', '.join(self.variants)}." if self.variants else "Remove the variant."
            raise ConfigError(f"{self.name} has no variant {variant!r}.", remedy=known)
        chosen = variant or next(iter(self.variants), "")
        return self.load(root, variant=chosen, allow_missing=allow_missing)


_registered: dict[str, DatasetSpec] = {}


def register(spec: DatasetSpec) -> None:
    """Add a data set to the registry.

    Raises:
        ConfigError: A data set of that name is already registered.
    """
    if spec.name in _bundled() or spec.name in _registered:
        raise ConfigError(f"A data set named {spec.name!r} is already registered.", remedy="Choose another name.")
    _registered[spec.name] = spec


def unregister(name: str) -> None:
    """Remove a data set that ``register`` added; unknown names are ignored."""
    _registered.pop(name, None)


def dataset_specs(use: Use | None = None) -> list[DatasetSpec]:
    """All data sets, or those that support a use, sorted by name."""
    specs = sorted((_bundled() | _registered).values(), key=lambda spec: spec.name)
    return [spec for spec in specs if use is None or spec.supports(use)]


def dataset_spec(name: str, use: Use | None = None) -> DatasetSpec:
    """The data set of that name.

    Raises:
        ConfigError: There is none, or it does not support the use.
    """
    spec = _bundled().get(name) or _registered.get(name)
    known = f"Known: {', '.join(spec.name for spec in dataset_specs(use))}."
    if spec is None:
        raise ConfigError(f"Unknown data set {name!r}.", remedy=known)
    if use is not None and not spec.supports(use):
        verb = {"train": "trained on", "evaluate": "evaluated on its own", "audit": "audited"}[use]
        raise ConfigError(f"The data set {name!r} cannot be {verb}.", remedy=known)
    return spec


def check_training_photos(photos: Sequence[Photo]) -> None:
    """Check the photos of all sources of an experiment against the test lists of every data set.

    Raises:
        DatasetError: A photo is on a test list.
    """
    for spec in dataset_specs():
        if spec.check_training is not None:
            spec.check_training(photos)


@cache
def _bundled() -> dict[str, DatasetSpec]:
    names = sorted(module.name for module in pkgutil.iter_modules(sketchseek.datasets.__path__))
    modules = [import_module(f"sketchseek.datasets.{name}") for name in names]
    return {spec.name: spec for module in modules for spec in getattr(module, "SPECS", ())}
