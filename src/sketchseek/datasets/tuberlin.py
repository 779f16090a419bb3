"""TU-Berlin (Eitz, Hays, Alexa; SIGGRAPH 2012): ``png/<category>/<n>.png`` or ``svg/<category>/<n>.svg``, no photos.

Each release has a ``filelist.txt`` with one ``<category>/<n>.png`` per line. Photos of the same categories come with
the extension of Zhang et al. (SketchNet, CVPR 2016), one folder per category.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from sketchseek.datasets.files import broken_line, pictures, read_lines, require_folder, subfolders
from sketchseek.datasets.image_folders import photos_of
from sketchseek.datasets.records import Sketch, SketchDataset
from sketchseek.datasets.registry import DatasetSpec, LoadedDataset
from sketchseek.errors import DatasetError

FORMS = ("png", "svg")

_LAYOUT = "Point at the folder that holds png or svg, as the official release unpacks."


def load_tuberlin(
    root: str | os.PathLike[str],
    photos: str | os.PathLike[str] | None = None,
    *,
    form: Literal["png", "svg"] | None = None,
) -> SketchDataset:
    """Read TU-Berlin, or a subset of it in the same layout.

    If there is a ``filelist.txt``, exactly the files on it are read, and each of them must exist.

    Args:
        root: The folder that holds ``png`` or ``svg``, or one of these folders itself.
        photos: Folder with one folder of photos per category, such as the extension's ``ImageResized``. Categories are
            matched by ``normalize_word``. None for sketches alone.
        form: ``png`` or ``svg``. Default: ``png`` if it exists.

    Returns:
        Sketches with keys ``<category>/<n>``, and photos of their categories.

    Raises:
        DatasetError: A folder is missing or empty, a file on the list is missing, or no photo matches a category.
    """
    root = Path(root)
    folder = _folder(require_folder(root, "TU-Berlin", _LAYOUT), form)
    suffix = ".svg" if folder.name == "svg" or form == "svg" else ".png"
    files = _listed(folder) if (folder / "filelist.txt").is_file() else _found(folder, suffix)
    sketches = [Sketch(file.parent.name, f"{file.parent.name}/{file.stem}", path=file) for file in files]
    if not sketches:
        raise DatasetError("no sketches.", subject=folder, remedy=_LAYOUT)
    shown = photos_of(photos, {sketch.category for sketch in sketches}) if photos is not None else ()
    return SketchDataset("tuberlin", shown, tuple(sorted(sketches, key=lambda sketch: sketch.key)), root)


def _folder(root: Path, form: str | None) -> Path:
    for name in FORMS if form is None else (form,):
        if (root / name).is_dir():
            return root / name
    if (form is None or root.name == form) and (root.name in FORMS or (root / "filelist.txt").is_file()):
        return root
    raise DatasetError(
        "neither png nor svg is in it.",
        subject=root if form is None else f"{root / form}: no such folder.",
        remedy=_LAYOUT,
    )


def _found(folder: Path, suffix: str) -> list[Path]:
    return [file for category in subfolders(folder) for file in pictures(category, {suffix})]


def _listed(folder: Path) -> list[Path]:
    path = folder / "filelist.txt"
    files = []
    for number, line in enumerate(read_lines(path, "the release's list of sketches", _LAYOUT), 1):
        if line.count("/") != 1:
            raise broken_line(path, number, f"{line!r} is not <category>/<n>.png")
        file = folder / line
        if not file.is_file():
            raise broken_line(path, number, f"{file} is missing")
        files.append(file)
    return files


def _load(root: Path, *, variant: str, allow_missing: bool) -> LoadedDataset:
    return LoadedDataset(load_tuberlin(root))


SPECS = (
    DatasetSpec(
        "tuberlin",
        "TU-Berlin",
        "The folder holds png or svg, as the official release unpacks.",
        _load,
        terms="CC BY 4.0",
        splits=("tuberlin-220-30",),
        protocols=("tuberlin",),
    ),
)
