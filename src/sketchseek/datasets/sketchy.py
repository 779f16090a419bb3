"""The Sketchy Database (Sangkloy, Burnell, Ham, Hays; SIGGRAPH 2016) in its official layout.

The 256×256 release holds ``256x256/photo/<variant>/<category>/<photo>.jpg`` and
``256x256/sketch/<variant>/<category>/<photo>-<n>.png``. The release "Annotation and Info" holds ``info/testset.txt``
and the lists of invalid sketches. It is unpacked beside ``256x256``, as ``info`` or ``info-06-04/info``.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from sketchseek.datasets.exclusions import key_of, read_keys
from sketchseek.datasets.files import broken_line, pictures, read_lines, require_folder, subfolders
from sketchseek.datasets.records import Photo, Sketch, SketchDataset
from sketchseek.datasets.registry import DatasetSpec, LoadedDataset
from sketchseek.datasets.splits import Split
from sketchseek.errors import DatasetError

VARIANT = "tx_000000000000"
"""The default variant: photos as taken, squashed to 256×256."""

CROPPED_VARIANT = "tx_000100000000"
"""Photos cropped to the object's bounding box, sketches centered."""

VARIANTS = (VARIANT, CROPPED_VARIANT)

TEST_LISTS = ("testset.txt", "official-testset.txt")
"""Lists of test photos in ``info``. A subset of the release can have a ``testset.txt`` of its own."""

INVALID_LISTS = ("ambiguous", "context", "error", "pose")
"""Names of the lists of invalid sketches; each is the file ``invalid-<name>.txt``."""

_LAYOUT = "Point at the folder that holds 256x256 and info, as the official release unpacks."
_INFO = 'It comes with the release "Annotation and Info". Unpack it beside 256x256.'
_SKETCH_NAME = re.compile(r"(?P<photo>.+)-\d+")
_NAMED = 5  # photos that an error names


def load_sketchy(root: str | os.PathLike[str], variant: str = VARIANT, *, allow_missing: bool = False) -> SketchDataset:
    """Read the Sketchy Database, or a subset of it in the same layout.

    Args:
        root: The folder that holds ``256x256``, or ``256x256`` itself.
        variant: One of ``VARIANTS``. A photo has the same key in both.
        allow_missing: Keep sketches whose photo is missing, and list these photos in ``missing``.

    Raises:
        DatasetError: A folder is missing or empty, a photo is missing, or a sketch's file name does not name its photo.
    """
    root = Path(root)
    images = _images(root)
    photos: list[Photo] = []
    sketches: list[Sketch] = []
    for folder in _categories(images / "photo" / variant):
        photos += [Photo(file, folder.name, f"{folder.name}/{file.stem}") for file in pictures(folder)]
    for folder in _categories(images / "sketch" / variant):
        for file in pictures(folder):
            match = _SKETCH_NAME.fullmatch(file.stem)
            if match is None:
                raise DatasetError(
                    "its name is not <photo>-<n>.png, so its photo is unknown.",
                    subject=file,
                    remedy="Rename the file, or remove it from the folder.",
                )
            key = f"{folder.name}/{file.stem}"
            sketches.append(Sketch(folder.name, key, f"{folder.name}/{match['photo']}", path=file))
    if not photos:
        raise DatasetError("no photos.", subject=images / "photo" / variant, remedy=_LAYOUT)
    known = {photo.key for photo in photos}
    orphans = [sketch for sketch in sketches if sketch.photo not in known]
    if orphans and not allow_missing:
        raise DatasetError(
            f"its photo {orphans[0].photo} is missing"
            + (f", and the photos of {len(orphans) - 1:,} other sketches are missing." if len(orphans) > 1 else "."),
            subject=orphans[0].path,
            remedy="Unpack the photos again, or load with allow_missing=True.",
        )
    return SketchDataset(
        "sketchy",
        tuple(sorted(photos, key=lambda photo: photo.key)),
        tuple(sorted(sketches, key=lambda sketch: sketch.key)),
        root,
        missing=tuple(sorted({sketch.photo for sketch in orphans if sketch.photo is not None})),
    )


def sketchy_split(
    dataset: SketchDataset, root: str | os.PathLike[str] | None = None, *, require_test: bool = True
) -> Split:
    """The official split: photos on ``info/testset.txt`` are for testing, all others for training.

    Args:
        dataset: What ``load_sketchy`` returned.
        root: Folder of the list, as for ``load_sketchy``. Default: the folder that the data set was read from.
        require_test: Raise if no test photo is in the data set. Turn it off for data that are for training only.

    Raises:
        DatasetError: The list is missing or broken, or names no photo of the data set.
    """
    path = _info(Path(root) if root is not None else dataset.source, "testset.txt")
    listed: set[str] = set()
    for number, line in enumerate(read_lines(path, "the official list of test photos", _INFO), 1):
        if line.count("/") != 1:
            raise broken_line(path, number, f"{line!r} is not <category>/<photo>.jpg")
        listed.add(key_of(line))
    known = dataset.photo_by_key
    test = tuple(sorted(key for key in listed if key in known))
    if not test and require_test:
        raise DatasetError(
            f"none of its {len(listed):,} photos is in {dataset.source}.",
            subject=path,
            remedy="Check that the list and the photos belong to the same release.",
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
        required: Raise if a list is missing; else it is left out of the result.

    Raises:
        DatasetError: There is no list of that name, or a required list is missing.
    """
    found: dict[str, frozenset[str]] = {}
    for name in lists:
        path = invalid_list(Path(root), name)
        if path.is_file():
            found[name] = read_keys(path)
        elif required:
            raise DatasetError("no such file (the release's list of invalid sketches).", subject=path, remedy=_INFO)
    return found


def invalid_list(root: Path, name: str) -> Path:
    """Path of a list of invalid sketches, whether it exists or not.

    Raises:
        DatasetError: Sketchy has no list of that name.
    """
    if name not in INVALID_LISTS:
        raise DatasetError(
            f"{name!r}: Sketchy has no such list of invalid sketches.", remedy=f"Known: {', '.join(INVALID_LISTS)}."
        )
    return _info(root, f"invalid-{name}.txt")


def refuse_test_photos(photos: Iterable[Photo]) -> None:
    """Check that no photo is on a test list of the Sketchy release that its file lies in.

    The check goes by the path, so it also covers releases that are read as plain folders of photos.

    Raises:
        DatasetError: A photo is on a list. The message names the photos and the list.
    """
    folders: dict[Path, list[str]] = defaultdict(list)
    for photo in photos:
        category = photo.path.absolute().parent
        if category.parent.parent.name == "photo":
            folders[category.parent.parent.parent].append(f"{category.name}/{photo.path.stem}")
    for images, keys in folders.items():
        for name in TEST_LISTS:
            path = _info(images, name)
            leaked = sorted(read_keys(path).intersection(keys)) if path.is_file() else []
            if leaked:
                more = f" and {len(leaked) - _NAMED:,} more" if len(leaked) > _NAMED else ""
                raise DatasetError(
                    f"{path} lists {len(leaked):,} of the training photos for testing: "
                    f"{', '.join(leaked[:_NAMED])}{more}.",
                    remedy="Remove these photos from the training data. Test photos must not be trained on.",
                )


def _images(root: Path) -> Path:
    for folder in (root / "256x256", root / "rendered_256x256" / "256x256", root):
        if (folder / "photo").is_dir() or (folder / "sketch").is_dir():
            return folder
    require_folder(root, "the Sketchy Database", _LAYOUT)
    raise DatasetError("neither 256x256/photo nor 256x256/sketch is in it.", subject=root, remedy=_LAYOUT)


def _categories(folder: Path) -> list[Path]:
    return subfolders(require_folder(folder, "one folder of images per category", _LAYOUT))


def _info(root: Path, name: str) -> Path:
    """Path of a list or, if it is missing, the path where it belongs."""
    around = (root, root.parent, root.parent.parent) if (root / "photo").is_dir() else (root,)
    places = [base / place / name for base in around for place in ("info", "info-06-04/info", "info-06-04")]
    return next((place for place in places if place.is_file()), places[0])


def _load(root: Path, *, variant: str, allow_missing: bool) -> LoadedDataset:
    dataset = load_sketchy(root, variant, allow_missing=allow_missing)
    return LoadedDataset(dataset, sketchy_split(dataset, require_test=variant == VARIANT))


SPECS = (
    DatasetSpec(
        "sketchy",
        "The Sketchy Database",
        "The folder holds 256x256 and info, as the official release unpacks.",
        _load,
        terms="research use",
        relevance="photo",
        audits=True,
        splits=("sketchy-official", "sketchy-104-21", "sketchy-100-25"),
        protocols=("sketchy-zero-shot",),
        variants=VARIANTS,
        exclusion_lists=INVALID_LISTS,
        find_list=invalid_list,
        check_training=refuse_test_photos,
    ),
)
