"""Quick, Draw! (Google, 2017; CC BY 4.0): sketches of words as strokes, in the simplified ``.ndjson`` format."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from sketchseek.datasets.files import broken_line, read_ndjson, read_strokes, require_folder
from sketchseek.datasets.records import Sketch, SketchDataset, normalize_word
from sketchseek.datasets.registry import DatasetSpec, LoadedDataset
from sketchseek.datasets.splits import SketchSplit, fraction_of
from sketchseek.errors import DatasetError

TEST_FRACTION = 0.4


def load_quickdraw(
    folder: str | os.PathLike[str], *, words: Iterable[str] | None = None, limit: int | None = None
) -> SketchDataset:
    """Read ``<word>.ndjson`` files from ``folder``, or from ``simplified`` in it.

    Args:
        folder: Folder of the files.
        words: Words to read, in any case and spelling of spaces. Default: all.
        limit: Maximum number of sketches per word, from the start of its file. Whole files hold about 150,000.

    Returns:
        Sketches with keys ``word/key_id`` and words in lower case with spaces; no photos.

    Raises:
        DatasetError: There are no files, a line is broken, or one of ``words`` is missing.
    """
    root = Path(folder)
    files = _word_files(root)
    chosen = sorted(files) if words is None else sorted({normalize_word(word) for word in words})
    absent = [word for word in chosen if word not in files]
    if absent:
        raise DatasetError(f"no sketches of {', '.join(absent)}.", subject=root, remedy="Download the missing words.")
    sketches: list[Sketch] = []
    for word in chosen:
        path = files[word]
        for number, line in read_ndjson(path, limit):
            if "key_id" not in line or "drawing" not in line:
                raise broken_line(path, number, "key_id or drawing is missing")
            strokes = read_strokes(path, number, line["drawing"])
            sketches.append(Sketch(word, f"{word}/{line['key_id']}", strokes=strokes))
    return SketchDataset("quickdraw", (), tuple(sorted(sketches, key=lambda sketch: sketch.key)), root)


def quickdraw_words(folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """All words, in lower case with spaces. Only file names are read.

    Raises:
        DatasetError: There are no files.
    """
    return tuple(sorted(_word_files(Path(folder))))


def quickdraw_files(folder: str | os.PathLike[str]) -> list[Path]:
    """The file of each word, sorted.

    Raises:
        DatasetError: There are no files.
    """
    return sorted(_word_files(Path(folder)).values())


def quickdraw_split(dataset: SketchDataset) -> SketchSplit:
    """Our own train / test split, since there is no official one: 40 % are for testing, by a hash of the key."""
    test = {d.key for d in dataset.sketches if fraction_of(d.key, "quickdraw") < TEST_FRACTION}
    train = {d.key for d in dataset.sketches} - test
    return SketchSplit("quickdraw-hash40", tuple(sorted(train)), tuple(sorted(test)))


def _word_files(root: Path) -> dict[str, Path]:
    remedy = "Point at a folder of <word>.ndjson files in the simplified format."
    require_folder(root, "Quick, Draw! sketches", remedy)
    files = {normalize_word(file.stem): file for file in _files(root / "simplified") or _files(root)}
    if not files:
        raise DatasetError("no .ndjson files in it.", subject=root, remedy=remedy)
    return files


def _files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.glob("*.ndjson") if not f.name.startswith("."))


def _load(root: Path, *, variant: str, allow_missing: bool) -> LoadedDataset:
    dataset = load_quickdraw(root)
    return LoadedDataset(dataset, quickdraw_split(dataset))


SPECS = (
    DatasetSpec(
        "quickdraw",
        "Quick, Draw!",
        "The folder holds <word>.ndjson files in the simplified format, or a folder simplified with them.",
        _load,
        terms="CC BY 4.0",
        strokes=True,
        splits=("quickdraw-hash40",),
        protocols=("words",),
    ),
)
