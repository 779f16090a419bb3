"""Lists of photos: text files with a path, URI or key in each line, JSON lines, and URIs in Parquet files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from sketchseek.cluster.storage import Found, head, normalized
from sketchseek.errors import InputError, StorageError
from sketchseek.search.object_path import is_uri

HEADS = 32
"""Photos whose versions are asked for at once."""

NAMES = ("uri", "url", "path", "key", "file", "filename")
"""Names that a photo has in a line of JSON."""


@dataclass(frozen=True)
class BadEntry:
    """An entry that names no photo that can be read.

    Attributes:
        path: The photo, or the list and the number of its entry, from 1.
        reason: What is wrong.
    """

    path: str
    reason: str


def entries(data: bytes, path: str) -> Iterator[str]:
    """Yield the lines of a list that are not empty.

    Raises:
        InputError: It is not valid text.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("the list is not valid UTF-8", subject=path) from error
    yield from (line for line in text.splitlines() if line.strip())


def photos_of(lines: Iterable[str], source: str, *, as_json: bool) -> Iterator[Found | BadEntry]:
    """Yield the photos that a list names, with their versions.

    A key that is no URI and no absolute path is relative to the folder of the list. A line of JSON is a text or an
    object; if it has ``etag``, the storage is not asked for the photo's version.

    Args:
        lines: The entries.
        source: Path or URI of the list.
        as_json: Whether they are JSON.

    Raises:
        StorageError: The storage does not answer.
    """
    numbered = enumerate(lines, start=1)
    with ThreadPoolExecutor(HEADS, thread_name_prefix="sketchseek-list") as threads:
        while part := list(islice(numbered, 100 * HEADS)):
            yield from threads.map(lambda one: _photo(one[1], f"{source} line {one[0]}", source, as_json), part)


def _photo(line: str, place: str, source: str, as_json: bool) -> Found | BadEntry:
    try:
        name, etag = _parsed(line) if as_json else (line.strip(), "")
        path = _resolved(name, source)
    except (InputError, ValueError) as error:
        return BadEntry(place, error.reason.rstrip(".") if isinstance(error, InputError) else "the line is not JSON")
    if etag:
        return Found(path, -1, -1, etag)
    try:
        return head(path)
    except FileNotFoundError:
        return BadEntry(path, "there is no such file or object")
    except StorageError as error:
        if not error.refused:
            raise
        return BadEntry(path, error.reason.rstrip("."))
    except OSError as error:
        return BadEntry(path, error.strerror or type(error).__name__)


def _parsed(line: str) -> tuple[str, str]:
    """Return the name and the ETag of a line of JSON."""
    value = json.loads(line)
    if isinstance(value, str):
        return value, ""
    name = next((value[one] for one in NAMES if isinstance(value.get(one), str)), "") if isinstance(value, dict) else ""
    return name, str(value.get("etag") or "") if name else ""


def _resolved(name: str, source: str) -> str:
    if not name:
        raise InputError("the entry names no photo")
    if is_uri(source) and not is_uri(name) and name.startswith("/"):
        raise InputError("a list in object storage cannot name a file of a machine")
    path = normalized(name if is_uri(name) or name.startswith("/") else f"{source.rpartition('/')[0]}/{name}")
    if is_uri(source) and not is_uri(path):
        raise InputError("a list in object storage cannot name a file of a machine")
    return path
