"""What every loader gives: photos, sketches and which belongs to which."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from sketchseek.errors import DatasetError
from sketchseek.sketches import SketchSource

StrokeTuple = tuple[tuple[tuple[float, ...], ...], ...]
"""Strokes as ``sketchseek.sketches.Strokes``, but hashable: ``((x…), (y…))`` each."""


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo.

    Attributes:
        path: Its file.
        category: What it shows, in the data set's own words; empty where the data set does not say.
        key: Its name within the data set, ``category/stem``; the same on every machine.
    """

    path: Path
    category: str
    key: str


@dataclass(frozen=True, slots=True)
class Sketch:
    """One sketch: a file or strokes.

    Attributes:
        category: What it shows.
        key: Its name within the data set, ``category/stem``.
        photo: Key of the photo that it was drawn from, or None.
        path: Its file, or None where it is strokes.
        strokes: Its strokes, y growing downwards, or None where it is a file.
        traced: A pseudo-sketch: it is extracted from the photo at ``path``
            (``sketchseek.training.pseudo_sketches``).
    """

    category: str
    key: str
    photo: str | None = None
    path: Path | None = None
    strokes: StrokeTuple | None = None
    traced: bool = False

    @property
    def source(self) -> SketchSource:
        """What ``sketchseek.sketches.rasterize_sketch`` takes."""
        if self.strokes is not None:
            return self.strokes
        if self.path is None:
            raise DatasetError(f"{self.key}: a sketch with neither a file nor strokes.")
        return self.path


@dataclass(frozen=True)
class SketchDataset:
    """Photos and sketches of one data set, or of a part of one.

    Attributes:
        name: Name of the data set, such as ``sketchy``.
        photos: In the order of their keys.
        sketches: In the order of their keys.
        source: The folder that it was read from.
        missing: Keys of photos that sketches belong to and that are not there; their sketches are kept.
    """

    name: str
    photos: tuple[Photo, ...]
    sketches: tuple[Sketch, ...]
    source: Path
    missing: tuple[str, ...] = ()

    @cached_property
    def photo_by_key(self) -> dict[str, Photo]:
        """Every photo by its key."""
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
        """A part of the data set.

        Args:
            photos: Keys of the photos to keep; sketches of other photos go with them, sketches of no photo stay.
            categories: Categories to keep, of photos and sketches.
            sketches: Keys of the sketches to keep; no photo goes.
            without_sketches: Keys of sketches to leave out, such as those on Sketchy's invalid lists.
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
        """Only the sketches whose photo is in the data set, and only the photos that have a sketch."""
        sketches = tuple(d for d in self.sketches if d.photo in self.photo_by_key)
        drawn = {d.photo for d in sketches}
        return replace(self, photos=tuple(p for p in self.photos if p.key in drawn), sketches=sketches, missing=())

    def pairs(self) -> list[tuple[Sketch, Photo]]:
        """Every sketch whose photo is in the data set, with that photo."""
        by_key = self.photo_by_key
        return [(d, by_key[d.photo]) for d in self.sketches if d.photo is not None and d.photo in by_key]


def normalize_word(word: str) -> str:
    """A category's name as data sets can be compared by it: ``hot-air_balloon`` and ``Hot air balloon`` are one."""
    return re.sub(r"[\s_-]+", " ", word).strip().lower()


def _set(values: Iterable[str] | None) -> Collection[str] | None:
    return None if values is None else frozenset(values)
