"""Lists of what to leave out, in the form of Sketchy's ``invalid-*.txt``: one ``<category>/<sketch or photo>`` a line.

``sketchseek audit`` writes such lists, the official release comes with some, and a source of an experiment names those
that it leaves out of training.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from sketchseek.datasets.records import SketchDataset
from sketchseek.errors import DatasetError


def read_keys(path: Path) -> frozenset[str]:
    """Keys on a list; endings such as ``.png`` do not count, and an empty list names nothing.

    Raises:
        DatasetError: It is missing or not text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise DatasetError(
            f"{path}: no such file (a list of what to leave out).", remedy="sketchseek audit writes such lists."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read as text ({error}).", remedy="Write the list again.") from error
    return frozenset(key_of(line) for line in lines if line.strip())


def key_of(line: str) -> str:
    """``category/stem`` of a line, which ends in ``.jpg`` or ``.png`` or in nothing."""
    return re.sub(r"\.(jpe?g|png)$", "", line.strip().replace("\\", "/"), flags=re.IGNORECASE)


def exclude(dataset: SketchDataset, lists: Sequence[Path], *, keep: Collection[str] = ()) -> SketchDataset:
    """A data set without the sketches, and without the photos and their sketches, that are on any of the lists.

    Args:
        dataset: A training part, so that no list of a test part fits it.
        lists: Files, as for ``read_keys``.
        keep: Keys of photos that stay, with all their sketches: those held out to choose by, so that training with and
            without a list is judged by the same.

    Raises:
        DatasetError: A list is missing, or it names nothing that is in the data set.
    """
    dropped: set[str] = set()
    known = {photo.key for photo in dataset.photos} | {sketch.key for sketch in dataset.sketches}
    for path in lists:
        keys = read_keys(path)
        if keys and not keys & known:
            raise DatasetError(
                f"{path}: none of its {len(keys):,} entries is in the training part of {dataset.source}.",
                remedy="A list belongs to the data set and the part that it was made of.",
            )
        dropped |= keys
    if not dropped:
        return dataset
    return replace(
        dataset,
        photos=tuple(photo for photo in dataset.photos if photo.key in keep or photo.key not in dropped),
        sketches=tuple(
            sketch
            for sketch in dataset.sketches
            if sketch.photo in keep or not dropped.intersection((sketch.key, sketch.photo or ""))
        ),
    )
