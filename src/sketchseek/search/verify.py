"""Checking a library's files against one another."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from sketchseek.encoder import Encoder
from sketchseek.errors import ImageError, LibraryCorruptError, LibraryError, SketchseekError
from sketchseek.file_digest import file_digest
from sketchseek.models.package import ModelPackage
from sketchseek.search.catalog import Catalog, LibraryMetadata
from sketchseek.search.catalog.derived_store import DerivedStore
from sketchseek.search.catalog.frame_store import FrameStore
from sketchseek.search.catalog.region_store import RegionStore
from sketchseek.search.index import VectorIndex, snapshots
from sketchseek.search.index.snapshots import StaleSnapshotError
from sketchseek.search.index_mirror import IndexMirror
from sketchseek.search.results import Verification

CHECKS = ["catalog", "words", "embeddings", "index", "package"]
DERIVED: dict[str, type[DerivedStore[Any]]] = {"regions": RegionStore, "frames": FrameStore}
RE_EMBEDDED = "sample"
_SAMPLE = 64
CLOSEST = 0.99
"""Smallest cosine of a stored embedding and a new one of the same file. Rounding and processors account for 0.0001."""

_REBUILT = "it is rebuilt when the library is next written to"


def verify(
    path: Path, catalog: Catalog, package: Callable[[LibraryMetadata], ModelPackage], *, sample: int = 0
) -> Verification:
    """Run every check. See ``Library.verify``.

    Args:
        path: The library's folder.
        catalog: A connection to its catalog.
        package: Returns the library's model package, or raises.
        sample: Number of photos to embed again.
    """
    derived = {name: store for name, store in DERIVED.items() if store.exists(path)}
    checks = [*CHECKS, *derived, *([RE_EMBEDDED] if sample else [])]
    with catalog.snapshot():
        problems = [f"catalog: {problem}" for problem in catalog.check()]
        if problems:
            return Verification(CHECKS[:1], problems)  # nothing that is read from it can be trusted
        metadata = catalog.metadata()
        problems += [f"words: {problem}" for problem in catalog.check_words()]
        damaged = [f"embeddings: {problem}" for problem in _check_embeddings(catalog, metadata)]
        problems += damaged
        if not damaged:
            problems += [f"index: {problem}" for problem in _check_index(path, catalog, metadata)]
        for name, store in derived.items():
            problems += [f"{name}: {problem}" for problem in _check_derived(path, metadata, store)]
        try:
            found = package(metadata)
            found.verify()
            if sample and not problems:
                problems += [f"{RE_EMBEDDED}: {problem}" for problem in _check_sample(catalog, found, sample)]
        except SketchseekError as error:
            problems.append(f"package: {error.message}")
    return Verification(checks, problems)


def _check_sample(catalog: Catalog, package: ModelPackage, size: int) -> list[str]:
    """Embed photos again and compare. Photos whose files changed or are missing are left out."""
    encoder = Encoder(package, threads=1)
    problems = []
    ids = catalog.ids()
    left = size
    for photo in np.random.default_rng().permutation(ids):
        if left == 0:
            break
        row = catalog.row(int(photo))
        if row is None:
            continue
        path = Path(os.fsdecode(row.path))
        try:
            if file_digest(path) != row.digest.hex():
                continue
            again = encoder.encode_photo(path)
        except (OSError, ImageError):
            continue
        left -= 1
        stored = np.frombuffer(row.embedding, np.float16).astype(np.float32)
        lengths = float(np.linalg.norm(stored) * np.linalg.norm(again))
        if not float(stored @ again) >= CLOSEST * lengths:
            problems.append(f"photo {photo} has another embedding now; embed the library again with index --re-embed")
    if left == size and len(ids):
        problems.append("none of the photos' files could be read")
    return problems


def _check_embeddings(catalog: Catalog, metadata: LibraryMetadata) -> list[str]:
    problems = []
    try:
        for ids, embeddings in catalog.embeddings(metadata.dimensions):
            values = embeddings.astype(np.float32)
            bad = ~np.isfinite(values).all(axis=1)
            if metadata.distance == "cosine":
                bad |= np.abs(np.linalg.norm(values, axis=1) - 1.0) > 0.01
            problems += [
                f"photo {photo} has an embedding that is not finite or not of unit length" for photo in ids[bad]
            ]
    except LibraryCorruptError as error:
        problems.append(error.message)
    return problems


def _check_index(path: Path, catalog: Catalog, metadata: LibraryMetadata) -> list[str]:
    if not metadata.snapshot:
        return []  # nothing was indexed yet, or a crash interrupted it; searches build the index
    try:
        snapshots.load(path, metadata.snapshot)
    except StaleSnapshotError as error:
        return [f"{error} ({_REBUILT})"]
    mirror = IndexMirror.of(path, metadata)
    index = mirror.current(catalog, metadata)
    if mirror.stale:
        return [f"{mirror.stale} ({_REBUILT})"]
    return _check_contents(catalog, metadata, index)


def _check_derived(path: Path, metadata: LibraryMetadata, kind: type[DerivedStore[Any]]) -> list[str]:
    try:
        with closing(kind(path, metadata.fingerprint, metadata.dimensions)) as store:
            damaged = store.damaged()
    except LibraryError as error:
        return [f"{error.reason} They are made again by sync."]
    return [f"those of {damaged} photos do not match their checksums; sync makes them again"] if damaged else []


def _check_contents(catalog: Catalog, metadata: LibraryMetadata, index: VectorIndex) -> list[str]:
    """Check that an index holds exactly the catalog's ids, and a sample of them with their own embeddings."""
    ids = catalog.ids()
    if len(index) != len(ids):
        return [f"it holds {len(index)} photos, the catalog {len(ids)}"]
    if len(ids) == 0:
        return []
    problems = []
    for photo in np.random.default_rng(0).choice(ids, min(_SAMPLE, len(ids)), replace=False):
        embedding = np.frombuffer(catalog.embedding(int(photo)) or b"", np.float16).astype(np.float32)
        found, scores = index.search(embedding[None], 1, allowed=np.array([photo]))
        expected = float(embedding @ embedding) if metadata.distance == "cosine" else 0.0
        if found.shape[1] == 0 or abs(float(scores[0, 0]) - expected) > 0.05:
            problems.append(f"photo {photo} is missing, or has another embedding")
    return problems
