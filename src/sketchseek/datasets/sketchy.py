"""The Sketchy Database (Sangkloy, Burnell, Ham, Hays; SIGGRAPH 2016) in its official layout.

The 256×256 release holds ``256x256/photo/<configuration>/<category>/<photo>.jpg`` and
``256x256/sketch/<configuration>/<category>/<photo>-<n>.png``; the release "Annotation and Info" holds ``info/testset.txt``
and the lists of invalid sketches, unpacked either beside it or as ``info-06-04/info``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from sketchseek.datasets.exclusions import key_of, read_keys
from sketchseek.datasets.files import broken_line, pictures, read_lines, require_folder, subfolders
from sketchseek.datasets.records import Photo, Sketch, SketchDataset
from sketchseek.datasets.splits import Split
from sketchseek.errors import DatasetError

VARIANT = "tx_000000000000"
"""The release's name of the renditions that were squashed to 256×256 and not augmented."""

INVALID_LISTS = ("ambiguous", "context", "error", "pose")
"""Names of the lists of invalid sketches, each in ``invalid-<name>.txt``."""

_LAYOUT = "Point at the folder that holds 256x256 and info, as the official release unpacks."
_SKETCH_NAME = re.compile(r"(?P<photo>.+)-\d+")


def load_sketchy(
    root: str | os.PathLike[str], configuration: str = VARIANT, *, allow_missing: bool = False
) -> SketchDataset:
    """Read The Sketchy Database, or any part of it in the same layout.

    Args:
        root: The folder that holds ``256x256``, or that folder itself.
        configuration: Which renditions of photos and sketches.
        allow_missing: Keep sketches whose photo is not there, and name those photos in ``missing``.

    Raises:
        DatasetError: A folder is missing or empty, or a sketch has no photo or a name that tells none.
    """
    root = Path(root)
    images = _images(root)
    photos: list[Photo] = []
    sketches: list[Sketch] = []
    for folder in _categories(images / "photo" / configuration):
        photos += [Photo(file, folder.name, f"{folder.name}/{file.stem}") for file in pictures(folder)]
    for folder in _categories(images / "sketch" / configuration):
        for file in pictures(folder):
            match = _SKETCH_NAME.fullmatch(file.stem)
            if match is None:
                raise DatasetError(
                    f"{file}: its name is not <photo>-<n>.png, so that its photo is unknown.",
                    remedy="Rename it, or take it out of the folder.",
                )
            key = f"{folder.name}/{file.stem}"
            sketches.append(Sketch(folder.name, key, f"{folder.name}/{match['photo']}", path=file))
    if not photos:
        raise DatasetError(f"{images / 'photo' / configuration}: no photos.", remedy=_LAYOUT)
    known = {photo.key for photo in photos}
    orphans = [sketch for sketch in sketches if sketch.photo not in known]
    if orphans and not allow_missing:
        raise DatasetError(
            f"{orphans[0].path}: its photo {orphans[0].photo} is missing"
            + (f", and the photos of {len(orphans) - 1:,} other sketches are." if len(orphans) > 1 else "."),
            remedy="Unpack the photos again, or load with allow_missing=True.",
        )
    return SketchDataset(
        "sketchy",
        tuple(sorted(photos, key=lambda photo: photo.key)),
        tuple(sorted(sketches, key=lambda sketch: sketch.key)),
        root,
        missing=tuple(sorted({sketch.photo for sketch in orphans if sketch.photo is not None})),
    )


def sketchy_split(dataset: SketchDataset, root: str | os.PathLike[str] | None = None) -> Split:
    """The official split: the photos on ``info/testset.txt`` are for testing, all others for training.

    Args:
        dataset: What ``load_sketchy`` gave.
        root: Where the list is, as for ``load_sketchy``; by default where the data set came from.

    Raises:
        DatasetError: The list is missing or broken, or names no photo of the data set.
    """
    path = _info(Path(root) if root is not None else dataset.source, "testset.txt")
    remedy = 'It comes with the release "Annotation and Info": unpack it beside 256x256.'
    listed: set[str] = set()
    for number, line in enumerate(read_lines(path, "the official list of test photos", remedy), 1):
        if line.count("/") != 1:
            raise broken_line(path, number, f"{line!r} is not <category>/<photo>.jpg")
        listed.add(key_of(line))
    known = dataset.photo_by_key
    test = tuple(sorted(key for key in listed if key in known))
    if not test:
        raise DatasetError(
            f"{path}: none of its {len(listed):,} photos is in {dataset.source}.",
            remedy="Check that the list and the photos are of one release.",
        )
    return Split(
        "sketchy-official",
        tuple(sorted(key for key in known if key not in listed)),
        test,
        missing=tuple(sorted(listed.difference(known))),
    )


def invalid_sketches(
    root: str | os.PathLike[str], lists: tuple[str, ...] = INVALID_LISTS, *, required: bool = False
) -> dict[str, frozenset[str]]:
    """Keys of the sketches that the release marks as invalid, by the name of the list.

    Args:
        root: As for ``load_sketchy``.
        lists: Which of ``INVALID_LISTS``.
        required: A list that is not there is an error; else it is left out of the answer.

    Raises:
        DatasetError: There is no list of that name, or a required one is missing.
    """
    found: dict[str, frozenset[str]] = {}
    for name in lists:
        if name not in INVALID_LISTS:
            raise DatasetError(
                f"{name!r}: Sketchy has no such list of invalid sketches.", remedy=f"Known: {', '.join(INVALID_LISTS)}."
            )
        path = _info(Path(root), f"invalid-{name}.txt")
        if not path.is_file():
            if required:
                raise DatasetError(
                    f"{path}: no such file (the release's list of invalid sketches).",
                    remedy='It comes with the release "Annotation and Info": unpack it beside 256x256.',
                )
            continue
        found[name] = read_keys(path)
    return found


def _images(root: Path) -> Path:
    for folder in (root / "256x256", root / "rendered_256x256" / "256x256", root):
        if (folder / "photo").is_dir() or (folder / "sketch").is_dir():
            return folder
    require_folder(root, "The Sketchy Database", _LAYOUT)
    raise DatasetError(f"{root}: neither 256x256/photo nor 256x256/sketch is in it.", remedy=_LAYOUT)


def _categories(folder: Path) -> list[Path]:
    return subfolders(require_folder(folder, "one folder of pictures a category", _LAYOUT))


def _info(root: Path, name: str) -> Path:
    """Where a list is or, if it is nowhere, where it belongs."""
    around = (root, root.parent) if (root / "photo").is_dir() else (root,)
    places = [base / place / name for base in around for place in ("info", "info-06-04/info", "info-06-04")]
    return next((place for place in places if place.is_file()), places[0])
