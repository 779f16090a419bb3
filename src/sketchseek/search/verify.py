"""Checking a library's files against one another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from sketchseek.errors import LibraryCorruptError, SketchseekError
from sketchseek.models.package import ModelPackage
from sketchseek.search.catalog import Catalog
from sketchseek.search.index import snapshots
from sketchseek.search.index.snapshots import StaleSnapshotError
from sketchseek.search.index_mirror import IndexMirror
from sketchseek.search.results import Verification

CHECKS = ["catalog", "vectors", "index", "package"]
_SAMPLE = 64


def verify(path: Path, catalog: Catalog, package: Callable[[dict[str, str]], ModelPackage]) -> Verification:
    """Run every check. See ``Library.verify``.

    Args:
        path: The library's folder.
        catalog: A connection to its catalog.
        package: Finds the library's package from the catalog's facts, or raises.
    """
    with catalog.snapshot():
        problems = [f"catalog: {problem}" for problem in catalog.check()]
        if problems:
            return Verification(CHECKS[:1], problems)  # nothing that is read from it means anything
        facts = catalog.meta()
        problems += [f"vectors: {problem}" for problem in _vectors(catalog, facts)]
        if not problems:
            problems += [f"index: {problem}" for problem in _index(path, catalog, facts)]
        try:
            package(facts).verify()
        except SketchseekError as error:
            problems.append(f"package: {error.message}")
    return Verification(CHECKS, problems)


def _vectors(catalog: Catalog, facts: dict[str, str]) -> list[str]:
    problems = []
    try:
        for ids, vectors in catalog.vectors(int(facts["embedding"])):
            values = vectors.astype(np.float32)
            bad = ~np.isfinite(values).all(axis=1)
            if facts["distance"] == "cosine":
                bad |= np.abs(np.linalg.norm(values, axis=1) - 1.0) > 0.01
            problems += [f"photo {photo} has a vector that is not finite or not of unit length" for photo in ids[bad]]
    except LibraryCorruptError as error:
        problems.append(error.message)
    return problems


def _index(path: Path, catalog: Catalog, facts: dict[str, str]) -> list[str]:
    record = facts.get("snapshot", "")
    if not record:
        return []  # nothing was indexed yet, or a crash came before; searches build it
    try:
        snapshots.load(path, record)
    except StaleSnapshotError as error:
        return [f"{error} (it is built again when the library is next written to)"]
    mirror = IndexMirror.of(path, facts)
    index = mirror.current(catalog, facts)
    if mirror.stale:
        return [f"{mirror.stale} (it is built again when the library is next written to)"]
    # The index must hold exactly the catalog's ids: ask it for all of them, and for some by their own vectors.
    ids = catalog.ids()
    if len(index) != len(ids):
        return [f"it holds {len(index)} photos, the catalog {len(ids)}"]
    if len(ids) == 0:
        return []
    problems = []
    for photo in np.random.default_rng(0).choice(ids, min(_SAMPLE, len(ids)), replace=False):
        vector = np.frombuffer(catalog.vector(int(photo)) or b"", np.float16).astype(np.float32)
        found, scores = index.search(vector[None], 1, allowed=np.array([photo]))
        expected = float(vector @ vector) if facts["distance"] == "cosine" else 0.0
        if found.shape[1] == 0 or abs(float(scores[0, 0]) - expected) > 0.05:
            problems.append(f"photo {photo} is not in it, or under another vector")
    return problems
