"""Remembers the checksum of each file that was downloaded (trust on first use).

Most publishers of data sets state no checksum. The first download of an address is then believed and recorded; every
later one is compared with it. The record is one JSON file of the user.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sketchseek.atomic_write import atomic_write, make_folders
from sketchseek.errors import DownloadError
from sketchseek.user_dirs import user_data_dir


@dataclass(frozen=True)
class KnownFile:
    """A file as it was first downloaded.

    Attributes:
        sha256: Its checksum.
        size: Its bytes.
        date: When, in UTC.
    """

    sha256: str
    size: int
    date: str


def record_file() -> Path:
    """Path of the record."""
    return user_data_dir() / "known-downloads.json"


def known_file(address: str) -> KnownFile | None:
    """What was first downloaded from an address; None if nothing was.

    Raises:
        DownloadError: The record is damaged.
    """
    return _read().get(address)


def remember(address: str, sha256: str, size: int) -> KnownFile:
    """Record a file, in place of an earlier one.

    Raises:
        DownloadError: The record is damaged.
        OSError: It cannot be written.
    """
    now = KnownFile(sha256, size, datetime.now(UTC).date().isoformat())
    files = _read() | {address: now}
    make_folders(record_file().parent)
    text = json.dumps({key: asdict(value) for key, value in sorted(files.items())}, indent=1)
    atomic_write(record_file(), text + "\n")
    return now


def _read() -> dict[str, KnownFile]:
    path = record_file()
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {str(address): KnownFile(**entry) for address, entry in data.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DownloadError(
            f"cannot be read ({error}).",
            subject=path,
            remedy="Delete it. Files are then compared with the next download instead of the first.",
        ) from error
