"""Tensors on disk with a checksum in the same file: damage is an error, not a model with other weights.

The files are safetensors. Their metadata has the key ``sha256``: the SHA-256 of the whole file with 64 zeros in the
place of that value. A checksum in a file of its own could not be replaced together with the tensors.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

from safetensors.torch import load_file, save_file
from torch import Tensor

from sketchseek.atomic_write import atomic_path
from sketchseek.errors import ConfigError

_BLANK = "0" * 64
_KEY = b'"sha256":"'
_MAX_HEADER = 100_000_000  # as in the safetensors library
_CHUNK = 1 << 20


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write a safetensors file with its checksum, atomically."""
    with atomic_path(path) as aside:
        # Copies: safetensors refuses to store shared weights under two names.
        copies = {key: value.detach().clone().contiguous() for key, value in tensors.items()}
        save_file(copies, aside, metadata={"sha256": _BLANK})
        with aside.open("r+b") as file:
            place, _, digest = _digest(file)
            file.seek(place)
            file.write(digest.encode())


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read tensors that ``write_tensors`` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        ConfigError: It is damaged, or has no checksum.
    """
    try:
        with path.open("rb") as file:
            _, stored, digest = _digest(file)
        if stored != digest:
            raise ValueError("its SHA-256 differs")
        tensors: dict[str, Tensor] = load_file(path)
        return tensors
    except FileNotFoundError:
        raise
    except Exception as error:  # safetensors' own error has no public base
        raise ConfigError(
            f"damaged ({error}).",
            subject=path,
            remedy="Restore the file from a backup, or train into another folder.",
        ) from error


def _digest(file: BinaryIO) -> tuple[int, str, str]:
    """Return where a file's checksum stands, the checksum that stands there, and the one that should."""
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > _MAX_HEADER:
        raise ValueError("it is not a safetensors file")
    header = file.read(length)
    place = header.find(_KEY) + len(_KEY)
    if place < len(_KEY) or len(header) < length:
        raise ValueError("it has no checksum")
    stored = header[place : place + 64]
    digest = hashlib.sha256(start + header[:place] + _BLANK.encode() + header[place + 64 :])
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return 8 + place, stored.decode("ascii", "replace"), digest.hexdigest()
