"""The output of frozen stages, kept on disk by picture.

Runs whose training sets overlap, such as those of a cross-validation, compute each picture once.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sketchseek.errors import ConfigError
from sketchseek.training.pixel_rows import PixelSource
from sketchseek.training.sealed_tensors import read_tensors, write_tensors

_KEY = 16  # bytes of a picture's key

_log = logging.getLogger(__name__)


def cached_features(file: Path | None, pixels: PixelSource, compute: Callable[[PixelSource], Tensor]) -> Tensor:
    """Features (n, …) of pictures, from a file where it has them. The others are computed and added to it.

    Args:
        file: The file, which is made if it is missing and made anew if it is damaged; None for no cache.
        pixels: (n, …) uint8, at least one.
        compute: Features (m, …) of pictures (m, …).
    """
    if file is None:
        return compute(pixels)
    keys = [hashlib.blake2b(np.ascontiguousarray(row).data, digest_size=_KEY).digest() for row in pixels]
    known, features = _read(file)
    new = {key: i for i, key in enumerate(keys) if key not in known}
    if new:
        computed = compute(pixels[list(new.values())])
        features = computed if features is None else torch.cat([features, computed])
        known |= {key: len(known) + i for i, key in enumerate(new)}
        file.parent.mkdir(parents=True, exist_ok=True)
        stored = np.frombuffer(b"".join(known), dtype=np.uint8).reshape(-1, _KEY)
        write_tensors(file, {"keys": torch.from_numpy(stored.copy()), "features": features})
    assert features is not None
    return features[[known[key] for key in keys]]


def _read(file: Path) -> tuple[dict[bytes, int], Tensor | None]:
    """The place of each picture's features, and the features; nothing if the file is missing or damaged."""
    if not file.is_file():
        return {}, None
    try:
        stored = read_tensors(file)
        return {row.tobytes(): i for i, row in enumerate(stored["keys"].numpy())}, stored["features"]
    except (ConfigError, KeyError) as error:
        _log.warning("Computing it again: %s", error)
        return {}, None
