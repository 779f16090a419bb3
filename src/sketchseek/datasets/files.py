"""Reads the files of data sets. Errors name the file and, for lists, the line."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from sketchseek.datasets.records import StrokeTuple
from sketchseek.errors import DatasetError
from sketchseek.images.formats import SUFFIXES

SKETCH_SUFFIXES = SUFFIXES | {".svg", ".json"}
"""Suffixes of sketch files, in lower case."""


def require_folder(path: Path, what: str, remedy: str) -> Path:
    """Return the folder if it exists.

    Raises:
        DatasetError: It does not exist. ``what`` describes its expected content.
    """
    if not path.is_dir():
        raise DatasetError(f"no such folder ({what}).", subject=path, remedy=remedy)
    return path


def pictures(folder: Path, suffixes: Collection[str] = SUFFIXES) -> list[Path]:
    """Files in a folder with one of the suffixes, sorted by name, without hidden files."""
    return sorted(
        (f for f in folder.iterdir() if f.suffix.lower() in suffixes and not f.name.startswith(".") and f.is_file()),
        key=lambda file: file.name,
    )


def subfolders(folder: Path) -> list[Path]:
    """Folders in a folder, sorted by name, without hidden ones and ``__MACOSX``."""
    return sorted(
        (f for f in folder.iterdir() if f.is_dir() and not f.name.startswith(".") and f.name != "__MACOSX"),
        key=lambda entry: entry.name,
    )


def read_lines(path: Path, what: str, remedy: str) -> list[str]:
    """Lines of a text file, stripped, without empty ones.

    Raises:
        DatasetError: The file is missing, empty or not text.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except FileNotFoundError as error:
        raise DatasetError(f"no such file ({what}).", subject=path, remedy=remedy) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot be read as text ({error}).", subject=path, remedy=remedy) from error
    lines = [line for line in lines if line]
    if not lines:
        raise DatasetError(f"empty ({what}).", subject=path, remedy=remedy)
    return lines


def read_ndjson(path: Path, limit: int | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number, from 1, and object of each line of an ``.ndjson`` file; at most ``limit`` lines.

    Raises:
        DatasetError: The file cannot be read or a line is not a JSON object.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in islice(((n, t) for n, t in enumerate(file, 1) if t.strip()), limit):
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise broken_line(path, number, f"not valid JSON ({error})") from error
                if not isinstance(value, dict):
                    raise broken_line(path, number, "not a JSON object")
                yield number, value
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot be read ({error}).", subject=path, remedy="Download the file again.") from error


def read_strokes(path: Path, number: int, value: object) -> StrokeTuple:
    """Strokes of one line of an ``.ndjson`` file, without times or other values after x and y.

    Raises:
        DatasetError: The value is not a list of strokes.
    """
    try:
        if not isinstance(value, list):
            raise TypeError(f"strokes are {type(value).__name__}")
        strokes = tuple((tuple(map(float, stroke[0])), tuple(map(float, stroke[1]))) for stroke in value)
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise broken_line(path, number, f"its sketch is not [[[x…],[y…]],…] ({error})") from error
    if any(len(x) != len(y) for x, y in strokes):
        raise broken_line(path, number, "a stroke has more x than y coordinates, or fewer")
    return strokes


def broken_line(path: Path, number: int, cause: str) -> DatasetError:
    """The error for an invalid line of a file."""
    return DatasetError(f"{path}, line {number}: {cause}.", remedy="Download the file again, or remove the line.")
