"""Caches the embeddings of an audit on disk, so that an interrupted audit continues."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from sketchseek.atomic_write import atomic_path
from sketchseek.datasets.records import Photo, Sketch
from sketchseek.evaluation.encode_dataset import EncodedItems, Problem
from sketchseek.sketches import RASTER_VERSION


def stored(
    file: Path | None, fingerprint: str, items: Sequence[Photo] | Sequence[Sketch], embed: Callable[[], EncodedItems]
) -> EncodedItems:
    """The result of ``embed``, or the file's content if it was written for the same model and the same inputs.

    Args:
        file: The cache file; None for no cache.
        fingerprint: Of the model. A model in training has none; its embeddings are not cached.
        items: The photos or sketches to encode.
        embed: Called if the cache has no matching embeddings.
    """
    if file is None or not fingerprint:
        return embed()
    identity = _identity(fingerprint, items)
    if file.is_file():
        try:
            with file.open("rb") as opened, np.load(opened) as kept:
                if str(kept["identity"]) == identity:
                    problems = zip(kept["problem_keys"].tolist(), kept["problem_reasons"].tolist(), strict=True)
                    return EncodedItems(
                        kept["embeddings"], kept["read"], tuple(Problem(key, why) for key, why in problems)
                    )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            pass  # treat a damaged file as a missing one
    found = embed()
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(file, durable=False) as aside, aside.open("wb") as writing:
        np.savez(
            writing,
            identity=np.array(identity),
            embeddings=found.embeddings,
            read=found.read,
            problem_keys=np.array([problem.key for problem in found.problems], dtype=str),
            problem_reasons=np.array([problem.reason for problem in found.problems], dtype=str),
        )
    return found


def _identity(fingerprint: str, items: Sequence[Photo] | Sequence[Sketch]) -> str:
    digest = hashlib.sha256(f"{fingerprint} {RASTER_VERSION}".encode())
    for item in items:
        stat = item.path.stat() if item.path is not None and item.path.is_file() else None
        # Not hash(): for strings it differs between processes.
        stamp = f"{stat.st_size} {stat.st_mtime_ns}" if stat else repr(getattr(item, "strokes", None))
        digest.update(f"{item.key} {item.path} {stamp}\n".encode())
    return digest.hexdigest()
