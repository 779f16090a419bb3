"""QuickDraw-Extended (Dey et al., CVPR 2019): sketches of Quick, Draw! and photos of Flickr in 110 categories.

The archives unpack to ``QuickDraw_sketches_final/<category>/*.png`` and ``QuickDraw_images_final/<category>/*.jpg``.
"""

from __future__ import annotations

import os
from pathlib import Path

from sketchseek.datasets.files import pictures, require_folder, subfolders
from sketchseek.datasets.records import Photo, Sketch, SketchDataset
from sketchseek.datasets.registry import DatasetSpec, LoadedDataset
from sketchseek.errors import DatasetError

_SKETCHES, _PHOTOS = "QuickDraw_sketches_final", "QuickDraw_images_final"
_LAYOUT = f"The folder holds {_SKETCHES} and {_PHOTOS}, each with one folder for each category."


def load_quickdraw_extended(root: str | os.PathLike[str]) -> SketchDataset:
    """Read QuickDraw-Extended, or a subset of it in the same layout.

    Returns:
        Photos and sketches with keys ``<category>/<file name>``.

    Raises:
        DatasetError: A folder is missing or empty.
    """
    folder = Path(root)
    photos = tuple(Photo(file, category, f"{category}/{file.name}") for category, file in _files(folder / _PHOTOS))
    sketches = tuple(
        Sketch(category, f"{category}/{file.name}", path=file) for category, file in _files(folder / _SKETCHES)
    )
    return SketchDataset("quickdraw-extended", photos, sketches, folder)


def _files(folder: Path) -> list[tuple[str, Path]]:
    found = [
        (category.name, file)
        for category in subfolders(require_folder(folder, "QuickDraw-Extended", _LAYOUT))
        for file in pictures(category)
    ]
    if not found:
        raise DatasetError("no pictures.", subject=folder, remedy=_LAYOUT)
    return found


def _load(root: Path, *, variant: str, allow_missing: bool) -> LoadedDataset:
    return LoadedDataset(load_quickdraw_extended(root))


SPECS = (
    DatasetSpec(
        "quickdraw-extended",
        "QuickDraw-Extended",
        _LAYOUT,
        _load,
        terms="research use; sketches CC BY 4.0",
        relevance="category",
        splits=("quickdraw-extended-80-30",),
        protocols=("quickdraw-extended-zero-shot",),
    ),
)
