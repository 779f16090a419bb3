"""QMUL-ChairV2 (Yu et al.) with sketches as strokes: ``photo/*.jpg`` and ``sketches.ndjson``.

Each line of ``sketches.ndjson`` holds ``key``, ``split`` (``train`` or ``test``), ``photo`` (a file name) and
``drawing`` (strokes). The registry reads this layout through ``sketchseek.datasets.qmul``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sketchseek.datasets.files import broken_line, pictures, read_ndjson, read_strokes, require_folder
from sketchseek.datasets.records import Photo, Sketch, SketchDataset
from sketchseek.datasets.splits import Split
from sketchseek.errors import DatasetError

CATEGORY = "chair"
STROKES = "sketches.ndjson"
_LAYOUT = "Point at the folder that holds photo/ and sketches.ndjson."


def load_chairv2(
    root: str | os.PathLike[str], *, category: str = CATEGORY, allow_missing: bool = False
) -> SketchDataset:
    """Read ChairV2, or another data set in the same layout.

    Args:
        root: The folder that holds ``photo`` and ``sketches.ndjson``.
        category: Category of all photos. The data set is named ``<category>v2``.
        allow_missing: Keep sketches whose photo is missing, and list these photos in ``missing``.

    Raises:
        DatasetError: A file or folder is missing or broken, or a sketch's photo is missing.
    """
    root = Path(root)
    folder = require_folder(root / "photo", "the photos", _LAYOUT)
    photos = tuple(Photo(file, category, _key(category, file.name)) for file in pictures(folder))
    if not photos:
        raise DatasetError("no photos.", subject=folder, remedy=_LAYOUT)
    known = {photo.key for photo in photos}
    missing: set[str] = set()
    sketches: list[Sketch] = []
    for path, number, line in _lines(root):
        photo = _key(category, str(line["photo"]))
        if photo not in known:
            if not allow_missing:
                raise broken_line(path, number, f"its photo {folder / str(line['photo'])} is missing")
            missing.add(photo)
        strokes = read_strokes(path, number, line["drawing"])
        sketches.append(Sketch(category, f"{category}/{line['key']}", photo, strokes=strokes))
    return SketchDataset(
        f"{category}v2",
        tuple(sorted(photos, key=lambda p: p.key)),
        tuple(sorted(sketches, key=lambda d: d.key)),
        root,
        missing=tuple(sorted(missing)),
    )


def chairv2_split(dataset: SketchDataset) -> Split:
    """The data set's own train / test split, as ``sketches.ndjson`` gives it.

    Raises:
        DatasetError: A photo has sketches in both train and test.
    """
    sides: dict[str, str] = {}
    category = dataset.name.removesuffix("v2")
    for path, number, line in _lines(dataset.source):
        photo, side = _key(category, str(line["photo"])), line["split"]
        if side not in ("train", "test"):
            raise broken_line(path, number, f"its split is {side!r}, neither train nor test")
        if sides.setdefault(photo, side) != side:
            raise broken_line(path, number, f"its photo {line['photo']} is in both train and test")
    known = dataset.photo_by_key
    return Split(
        f"{dataset.name}-own",
        tuple(sorted(key for key, side in sides.items() if side == "train" and key in known)),
        tuple(sorted(key for key, side in sides.items() if side == "test" and key in known)),
        missing=tuple(sorted(key for key, side in sides.items() if side == "test" and key not in known)),
    )


def _lines(root: Path) -> list[tuple[Path, int, dict[str, Any]]]:
    path = root / STROKES
    lines = []
    for number, line in read_ndjson(path):
        absent = [name for name in ("key", "split", "photo", "drawing") if name not in line]
        if absent:
            raise broken_line(path, number, f"it lacks {', '.join(absent)}")
        lines.append((path, number, line))
    if not lines:
        raise DatasetError("no sketches.", subject=path, remedy=_LAYOUT)
    return lines


def _key(category: str, file: str) -> str:
    return f"{category}/{Path(file).stem}"
