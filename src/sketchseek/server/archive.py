"""Several files as one ZIP archive, made while it is sent: neither memory nor disk holds all of it."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, cast

from sketchseek.errors import SketchseekError
from sketchseek.server.schemas.base import display_path

_CHUNK = 1 << 20
MISSING = "missing.txt"


class _Sink:
    """A file that cannot seek; ``take`` returns what was written since."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: ``zipfile`` calls it."""

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


@dataclass(frozen=True)
class StoredPhoto:
    """A photo in object storage.

    Attributes:
        path: Its path.
        read: Reads it whole.
    """

    path: PurePath
    read: Callable[[], bytes]


def zip_stream(files: Sequence[Path | StoredPhoto], missing: Sequence[str] = ()) -> Iterator[bytes]:
    """Yield a ZIP archive of files, which are stored as they are: photos are compressed already.

    Args:
        files: The files. Files that have the same name get a number.
        missing: Paths that cannot be read. They, and files that disappear meanwhile, are listed in ``missing.txt``.
    """
    sink = _Sink()
    absent = list(missing)
    with zipfile.ZipFile(cast("IO[bytes]", sink), "w", zipfile.ZIP_STORED) as archive:
        paths = [file.path if isinstance(file, StoredPhoto) else file for file in files]
        for file, path, name in zip(files, paths, entry_names(paths), strict=True):
            try:
                source = io.BytesIO(file.read()) if isinstance(file, StoredPhoto) else file.open("rb")
            except (OSError, SketchseekError):
                absent.append(display_path(path))
                continue
            with source, archive.open(zipfile.ZipInfo(name, _time_of(path)), "w", force_zip64=True) as entry:
                while data := source.read(_CHUNK):
                    entry.write(data)
                    yield sink.take()
            yield sink.take()
        if absent:
            archive.writestr(MISSING, "\n".join(absent) + "\n")
    yield sink.take()


def entry_names(paths: Sequence[PurePath]) -> list[str]:
    """Return a name without folders for each path, all different, also where case does not count."""
    taken = {MISSING}
    seen: Counter[str] = Counter()
    names: list[str] = []
    for path in paths:
        plain = display_path(path.name)
        name = plain
        while name.casefold() in taken:
            seen[plain] += 1
            stem, dot, suffix = plain.rpartition(".")
            name = f"{stem} ({seen[plain] + 1}).{suffix}" if dot and stem else f"{plain} ({seen[plain] + 1})"
        taken.add(name.casefold())
        names.append(name)
    return names


def _time_of(path: PurePath) -> tuple[int, int, int, int, int, int]:
    try:
        return zipfile.ZipInfo.from_file(str(path), strict_timestamps=False).date_time
    except OSError:
        return (1980, 1, 1, 0, 0, 0)
