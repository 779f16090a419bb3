"""Quick, Draw! (Google, 2017; CC BY 4.0): sketches of words as strokes, in the official simplified ``.ndjson`` form."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from sketchseek.datasets.files import broken_line, read_ndjson, read_strokes, require_folder
from sketchseek.datasets.records import Sketch, SketchDataset, normalize_word
from sketchseek.datasets.splits import SketchSplit, fraction_of
from sketchseek.errors import DatasetError

TEST_FRACTION = 0.4


def load_quickdraw(
    folder: str | os.PathLike[str], *, words: Iterable[str] | None = None, limit: int | None = None
) -> SketchDataset:
    """Read ``<word>.ndjson`` files, from ``folder`` or its folder ``simplified``.

    Args:
        folder: Where the files are.
        words: Words to read, however written; all by default.
        limit: Read at most so many sketches of each word, from the start of its file: whole files hold 150,000.

    Returns:
        Sketches with keys ``word/key_id`` and words in lower case with spaces; no photos.

    Raises:
        DatasetError: There are no files, a line is broken, or a word that was asked for is missing.
    """
    root = Path(folder)
    files = _word_files(root)
    params = sorted(files) if words is None else sorted({normalize_word(word) for word in words})
    absent = [word for word in params if word not in files]
    if absent:
        raise DatasetError(f"{root}: no sketches of {', '.join(absent)}.", remedy="Download the missing words.")
    sketches: list[Sketch] = []
    for word in params:
        path = files[word]
        for number, line in read_ndjson(path, limit):
            if "key_id" not in line or "drawing" not in line:
                raise broken_line(path, number, "it lacks key_id or sketch")
            strokes = read_strokes(path, number, line["drawing"])
            sketches.append(Sketch(word, f"{word}/{line['key_id']}", strokes=strokes))
    return SketchDataset("quickdraw", (), tuple(sorted(sketches, key=lambda sketch: sketch.key)), root)


def quickdraw_words(folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """Words that there are sketches of, in lower case with spaces, by the names of the files alone.

    Raises:
        DatasetError: There are no files.
    """
    return tuple(sorted(_word_files(Path(folder))))


def quickdraw_split(dataset: SketchDataset) -> SketchSplit:
    """Our own split, for want of an official one: a sketch's key alone decides, four in ten are for testing."""
    test = {d.key for d in dataset.sketches if fraction_of(d.key, "quickdraw") < TEST_FRACTION}
    train = {d.key for d in dataset.sketches} - test
    return SketchSplit("quickdraw-hash40", tuple(sorted(train)), tuple(sorted(test)))


def _word_files(root: Path) -> dict[str, Path]:
    remedy = "Point at a folder of <word>.ndjson files in the simplified form."
    require_folder(root, "Quick, Draw! sketches", remedy)
    files = {normalize_word(file.stem): file for file in _files(root / "simplified") or _files(root)}
    if not files:
        raise DatasetError(f"{root}: no .ndjson files in it.", remedy=remedy)
    return files


def _files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.glob("*.ndjson") if not f.name.startswith("."))
