"""Embeddings of an audit, kept on disk so that one that was interrupted goes on where it was."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from sketchseek.atomic_write import atomic_path
from sketchseek.datasets.records import Photo, Sketch
from sketchseek.evaluation.encode_dataset import Embedded, Problem
from sketchseek.sketches import RASTER_VERSION


def stored(
    file: Path | None, fingerprint: str, items: Sequence[Photo] | Sequence[Sketch], embed: Callable[[], Embedded]
) -> Embedded:
    """What ``embed`` gives, from the file if that was written for the same model and the same files.

    Args:
        file: Where it is kept; None to keep nothing. A model in training has no fingerprint and is not kept.
        fingerprint: Of the model.
        items: What is embedded.
        embed: Called if there is nothing that fits.
    """
    if file is None or not fingerprint:
        return embed()
    identity = _identity(fingerprint, items)
    if file.is_file():
        try:
            with file.open("rb") as opened, np.load(opened) as kept:
                if str(kept["identity"]) == identity:
                    problems = zip(kept["problem_keys"].tolist(), kept["problem_reasons"].tolist(), strict=True)
                    return Embedded(kept["vectors"], kept["read"], tuple(Problem(key, why) for key, why in problems))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            pass  # a damaged file is one that does not fit
    found = embed()
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(file, durable=False) as aside, aside.open("wb") as writing:
        np.savez(
            writing,
            identity=np.array(identity),
            vectors=found.vectors,
            read=found.read,
            problem_keys=np.array([problem.key for problem in found.problems], dtype=str),
            problem_reasons=np.array([problem.reason for problem in found.problems], dtype=str),
        )
    return found


def _identity(fingerprint: str, items: Sequence[Photo] | Sequence[Sketch]) -> str:
    digest = hashlib.sha256(f"{fingerprint} {RASTER_VERSION}".encode())
    for item in items:
        stat = item.path.stat() if item.path is not None and item.path.is_file() else None
        # Not hash(): it differs from process to process for text.
        stamp = f"{stat.st_size} {stat.st_mtime_ns}" if stat else repr(getattr(item, "strokes", None))
        digest.update(f"{item.key} {item.path} {stamp}\n".encode())
    return digest.hexdigest()
