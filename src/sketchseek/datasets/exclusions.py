"""Exclusion lists: text files in the format of Sketchy's ``invalid-*.txt``.

Each line is ``<category>/<sketch or photo>``, or only the name, as in Sketchy's own lists. ``sketchseek audit`` writes
such lists, and the Sketchy release has some.
A source of an experiment names the lists that it excludes from training.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from sketchseek.datasets.records import SketchDataset
from sketchseek.errors import DatasetError


def read_keys(path: Path) -> frozenset[str]:
    """Keys on a list, without suffixes such as ``.png``. An empty list has no keys.

    Raises:
        DatasetError: The list is missing or not text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise DatasetError(
            "no such file (an exclusion list).", subject=path, remedy='Run "sketchseek audit" to write such lists.'
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"cannot be read as text ({error}).", subject=path, remedy="Write the list again."
        ) from error
    return frozenset(key_of(line) for line in lines if line.strip())


def key_of(line: str) -> str:
    """``category/stem`` of a line, which can end in ``.jpg`` or ``.png``."""
    return re.sub(r"\.(jpe?g|png)$", "", line.strip().replace("\\", "/"), flags=re.IGNORECASE)


def listed(keys: Iterable[str], entries: frozenset[str]) -> frozenset[str]:
    """The keys that are on a list. An entry without a category matches the name alone.

    Args:
        keys: Keys of photos or sketches.
        entries: What ``read_keys`` returned.
    """
    return frozenset(key for key in keys if not entries.isdisjoint((key, key_of(key), key_of(key).rpartition("/")[2])))


def exclude(dataset: SketchDataset, lists: Sequence[Path], *, keep: Collection[str] = ()) -> SketchDataset:
    """Remove the sketches and photos on the lists, and all sketches of these photos.

    Args:
        dataset: A training subset.
        lists: Files, as for ``read_keys``.
        keep: As for ``exclude_keys``.

    Raises:
        DatasetError: A list is missing, or none of its entries is in the data set, as for a list of test photos.
    """
    excluded: set[str] = set()
    known = all_keys(dataset)
    for path in lists:
        entries = read_keys(path)
        found = listed(known, entries)
        if entries and not found:
            raise DatasetError(
                f"none of its {len(entries):,} entries is in the training subset of {dataset.source}.",
                subject=path,
                remedy="Use a list that was made for this data set and subset.",
            )
        excluded |= found
    return exclude_keys(dataset, excluded, keep=keep)


def all_keys(dataset: SketchDataset) -> frozenset[str]:
    """Keys of all photos and sketches."""
    return frozenset(photo.key for photo in dataset.photos) | {sketch.key for sketch in dataset.sketches}


def exclude_keys(dataset: SketchDataset, keys: Collection[str], *, keep: Collection[str] = ()) -> SketchDataset:
    """Remove sketches and photos by key, and all sketches of these photos.

    Args:
        dataset: Any data set.
        keys: Keys of sketches or photos; unknown keys are ignored.
        keep: Keys of photos that stay with all their sketches. Training passes the validation photos, so that runs with
            and without a list have the same validation data.
    """
    if not keys:
        return dataset
    dropped = frozenset(keys)
    return replace(
        dataset,
        photos=tuple(photo for photo in dataset.photos if photo.key in keep or photo.key not in dropped),
        sketches=tuple(
            sketch
            for sketch in dataset.sketches
            if sketch.photo in keep or not dropped.intersection((sketch.key, sketch.photo or ""))
        ),
    )
