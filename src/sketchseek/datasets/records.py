"""What every loader returns: photos, sketches, and which sketch belongs to which photo."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from sketchseek.errors import DatasetError
from sketchseek.sketches import SketchSource

StrokeTuple = tuple[tuple[tuple[float, ...], ...], ...]
"""Strokes as in ``sketchseek.sketches.Strokes``, but hashable: each is ``((x…), (y…))``."""


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo.

    Attributes:
        path: Its file.
        category: Its category, in the data set's spelling; empty if the data set has no categories.
        key: Its unique name in the data set, ``category/stem``, the same on every machine.
        copy: A near-duplicate that is made of the photo at ``path`` (``sketchseek.training.photo_copies``).
    """

    path: Path
    category: str
    key: str
    copy: bool = False


@dataclass(frozen=True, slots=True)
class Sketch:
    """One sketch, as a file or strokes.

    Attributes:
        category: Its category.
        key: Its unique name in the data set, ``category/stem``.
        photo: Key of the photo that it shows, or None.
        path: Its file, or None for strokes.
        strokes: Its strokes, with y pointing down, or None for a file.
        pseudo: A pseudo-sketch: it is extracted from the photo at ``path``
            (``sketchseek.training.pseudo_sketches``).
    """

    category: str
    key: str
    photo: str | None = None
    path: Path | None = None
    strokes: StrokeTuple | None = None
    pseudo: bool = False

    @property
    def source(self) -> SketchSource:
        """The sketch as an argument of ``sketchseek.sketches.rasterize_sketch``."""
        if self.strokes is not None:
            return self.strokes
        if self.path is None:
            raise DatasetError(f"The sketch {self.key} has neither a file nor strokes.")
        return self.path


@dataclass(frozen=True)
class SketchDataset:
    """Photos and sketches of a data set or a subset of one.

    Attributes:
        name: Name of the data set, such as ``sketchy``.
        photos, sketches: Sorted by key.
        source: The folder that it was read from.
        missing: Keys of photos that have sketches but are missing; their sketches are kept.
    """

    name: str
    photos: tuple[Photo, ...]
    sketches: tuple[Sketch, ...]
    source: Path
    missing: tuple[str, ...] = ()

    @cached_property
    def photo_by_key(self) -> dict[str, Photo]:
        """All photos by key."""
        return {photo.key: photo for photo in self.photos}

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """Categories of photos and sketches, sorted."""
        return tuple(sorted({p.category for p in self.photos} | {d.category for d in self.sketches}))

    def subset(
        self,
        *,
        photos: Iterable[str] | None = None,
        categories: Iterable[str] | None = None,
        sketches: Iterable[str] | None = None,
        without_sketches: Iterable[str] = (),
    ) -> SketchDataset:
        """A subset of the data set. Each condition that is not None must hold.

        Args:
            photos: Keys of photos to keep. Sketches of other photos are removed; sketches without a photo stay.
            categories: Categories of photos and sketches to keep.
            sketches: Keys of sketches to keep; photos are not affected.
            without_sketches: Keys of sketches to remove, such as those on Sketchy's invalid lists.
        """
        keys, kinds, chosen = _set(photos), _set(categories), _set(sketches)
        dropped = frozenset(without_sketches)
        return replace(
            self,
            photos=tuple(
                p for p in self.photos if (keys is None or p.key in keys) and (kinds is None or p.category in kinds)
            ),
            sketches=tuple(
                d
                for d in self.sketches
                if (keys is None or d.photo is None or d.photo in keys)
                and (kinds is None or d.category in kinds)
                and (chosen is None or d.key in chosen)
                and d.key not in dropped
            ),
            missing=tuple(key for key in self.missing if keys is None or key in keys),
        )

    def paired(self) -> SketchDataset:
        """The subset of sketches with a photo in the data set, and of photos with a sketch."""
        sketches = tuple(d for d in self.sketches if d.photo in self.photo_by_key)
        drawn = {d.photo for d in sketches}
        return replace(self, photos=tuple(p for p in self.photos if p.key in drawn), sketches=sketches, missing=())

    def pairs(self) -> list[tuple[Sketch, Photo]]:
        """All sketches whose photo is in the data set, each with its photo."""
        by_key = self.photo_by_key
        return [(d, by_key[d.photo]) for d in self.sketches if d.photo is not None and d.photo in by_key]


def normalize_word(word: str) -> str:
    """A category's name for comparison between data sets: ``hot-air_balloon`` and ``Hot air balloon`` are equal."""
    return re.sub(r"[\s_-]+", " ", word).strip().lower()


def _set(values: Iterable[str] | None) -> Collection[str] | None:
    return None if values is None else frozenset(values)
