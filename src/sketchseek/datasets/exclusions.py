"""Exclusion lists: text files in the format of Sketchy's ``invalid-*.txt``.

Each line is ``<category>/<sketch or photo>``. ``sketchseek audit`` writes such lists, and the Sketchy release has some.
A source of an experiment names the lists that it excludes from training.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
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
            f"{path}: no such file (an exclusion list).", remedy='Run "sketchseek audit" to write such lists.'
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read as text ({error}).", remedy="Write the list again.") from error
    return frozenset(key_of(line) for line in lines if line.strip())


def key_of(line: str) -> str:
    """``category/stem`` of a line, which can end in ``.jpg`` or ``.png``."""
    return re.sub(r"\.(jpe?g|png)$", "", line.strip().replace("\\", "/"), flags=re.IGNORECASE)


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
    known = {photo.key for photo in dataset.photos} | {sketch.key for sketch in dataset.sketches}
    for path in lists:
        keys = read_keys(path)
        if keys and not keys & known:
            raise DatasetError(
                f"{path}: none of its {len(keys):,} entries is in the training subset of {dataset.source}.",
                remedy="Use a list that was made for this data set and subset.",
            )
        excluded |= keys
    return exclude_keys(dataset, excluded, keep=keep)


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
