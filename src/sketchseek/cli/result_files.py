"""Results as files: a page with small copies of the photos, or copies of the photos in a folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sketchseek.errors import SketchseekError

if TYPE_CHECKING:
    from sketchseek.search.results import SearchResult

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Photos found</title>
<style>:root {{ color-scheme: light dark }} body {{ font: 16px system-ui, sans-serif; margin: 1.5rem }}</style></head>
<body><h1>{count} photos found</h1>{results}</body>
</html>
"""


Read = Callable[["SearchResult"], Path | bytes]
"""Returns a photo's file, or the bytes of one in object storage."""


def write_html(file: Path, results: Sequence[SearchResult], read: Read) -> None:
    """Write a page with every result, which needs no other file.

    Raises:
        SketchseekError: The file cannot be written, or an object not be read.
    """
    from sketchseek.atomic_write import atomic_write
    from sketchseek.search.results_html import results_html

    page = _PAGE.format(count=f"{len(results):,}", results=results_html(results, limit=len(results), read=read))
    try:
        atomic_write(file, page)
    except OSError as error:
        raise _not_written(file, error) from error


def copy_results(folder: Path, results: Sequence[SearchResult], read: Read) -> list[Path]:
    """Copy the photos into a folder, with their ranks before their names, so that they sort by rank.

    Returns:
        The copies.

    Raises:
        SketchseekError: A photo cannot be copied, or a file with the name of a copy exists. Nothing is overwritten.
    """
    width = max(2, len(str(max((result.rank for result in results), default=0))))
    copies = [folder / f"{result.rank:0{width}d} {result.path.name}" for result in results]
    for copy in copies:
        if copy.exists():
            raise SketchseekError("exists already.", subject=copy, remedy="Copy to another folder, or an empty one.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for result, copy in zip(results, copies, strict=True):
            source = read(result)
            if isinstance(source, bytes):
                copy.write_bytes(source)
            else:
                shutil.copy2(source, copy)
    except OSError as error:
        raise _not_written(error.filename or folder, error) from error
    return copies


def _not_written(path: object, error: OSError) -> SketchseekError:
    reason = f"cannot be written or read ({error.strerror or error})."
    return SketchseekError(reason, subject=path, remedy="Check the path and your permissions.")
