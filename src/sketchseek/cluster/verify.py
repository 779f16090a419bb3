"""Checking a library in Lance: its rows against one another, its index and its model."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable

import numpy as np

from sketchseek.cluster.gallery import Gallery, embeddings_of, open_gallery
from sketchseek.cluster.reading import read_photo
from sketchseek.cluster.table import IS_PHOTO, STATE_ID, Snapshot
from sketchseek.encoder import Encoder
from sketchseek.errors import InputError, LibraryCorruptError, SketchseekError, StorageError
from sketchseek.models.package import ModelPackage
from sketchseek.search.catalog import LibraryMetadata
from sketchseek.search.results import Verification
from sketchseek.search.verify import CLOSEST, RE_EMBEDDED

CHECKS = ["table", "embeddings", "index", "package"]
_SAMPLE = 64


def verify(
    snapshot: Snapshot,
    package: Callable[[LibraryMetadata], ModelPackage],
    *,
    sample: int = 0,
    exact_below: int,
) -> Verification:
    """Run every check. See ``Library.verify``.

    Args:
        snapshot: The version to check.
        package: Returns the library's model package, or raises.
        sample: Number of photos to embed again.
        exact_below: See ``gallery.EXACT_BELOW``.
    """
    checks = [*CHECKS, RE_EMBEDDED] if sample else CHECKS
    problems = [f"table: {problem}" for problem in _check_rows(snapshot)]
    if problems:
        return Verification(CHECKS[:1], problems)
    try:
        problems += [f"embeddings: {problem}" for problem in _check_embeddings(snapshot)]
        if not problems:
            gallery = open_gallery(snapshot, exact_below=exact_below)
            problems += [f"index: {problem}" for problem in _check_index(snapshot, gallery)]
    except LibraryCorruptError as error:
        problems.append(f"embeddings: {error.message}")
    try:
        found = package(snapshot.metadata)
        found.verify()
        if sample and not problems:
            problems += [f"{RE_EMBEDDED}: {problem}" for problem in _check_sample(snapshot, found, sample)]
    except SketchseekError as error:
        problems.append(f"package: {error.message}")
    return Verification(checks, problems)


def _check_rows(snapshot: Snapshot) -> list[str]:
    rows = snapshot.rows(["id", "path"])
    ids = Counter(rows["id"].to_pylist())
    paths = Counter(path for path in rows["path"].to_pylist() if path is not None)
    problems = [f"there are {count} rows with id {one}" for one, count in ids.items() if count > 1]
    problems += [f"{path} is there {count} times" for path, count in paths.items() if count > 1]
    if ids and max(ids) >= snapshot.state.next_id:
        problems.append(f"id {max(ids)} was never given")
    if ids[STATE_ID] != 1 or len(paths) != sum(ids.values()) - 1:
        problems.append("rows without a path, or more than one state")
    return problems


def _check_embeddings(snapshot: Snapshot) -> list[str]:
    problems = []
    scanner = snapshot.dataset.scanner(columns=["id", "embedding"], filter=IS_PHOTO)
    for batch in scanner.to_batches():
        import pyarrow as pa

        table = pa.Table.from_batches([batch])
        values = embeddings_of(table, snapshot.state.dimensions, snapshot.dataset.uri).astype(np.float32)
        bad = ~np.isfinite(values).all(axis=1)
        if snapshot.state.distance == "cosine":
            bad |= np.abs(np.linalg.norm(values, axis=1) - 1.0) > 0.01
        problems += [
            f"photo {photo} has an embedding that is not finite or not of unit length"
            for photo in table["id"].to_numpy()[bad]
        ]
    return problems


def _check_index(snapshot: Snapshot, gallery: Gallery) -> list[str]:
    """Check that a sample of the photos find themselves."""
    ids = snapshot.rows(["id"], IS_PHOTO)["id"].to_numpy()
    if gallery.count() != len(ids):
        return [f"it holds {gallery.count()} photos, the table {len(ids)}"]
    problems = []
    for photo in np.random.default_rng(0).choice(ids, min(_SAMPLE, len(ids)), replace=False).tolist():
        embedding = gallery.embedding(photo)
        assert embedding is not None
        _, scores = gallery.nearest(embedding, 1, None)
        expected = float(embedding @ embedding) if snapshot.state.distance == "cosine" else 0.0
        if len(scores) == 0 or abs(float(scores[0]) - expected) > 0.05:
            problems.append(f"photo {photo} is missing, or has another embedding")
    return problems


def _check_sample(snapshot: Snapshot, package: ModelPackage, size: int) -> list[str]:
    """Embed photos again and compare. Photos that changed or are missing are left out."""
    encoder = Encoder(package, threads=1)
    rows = snapshot.rows(["id", "path", "version", "digest", "embedding"], IS_PHOTO)
    problems = []
    left = size
    for row in np.random.default_rng().permutation(len(rows)).tolist():
        if left == 0:
            break
        one = rows.slice(row, 1)
        try:
            data = read_photo(one["path"][0].as_py(), one["version"][0].as_py())
            if hashlib.sha256(data).digest() != one["digest"][0].as_py():
                continue
            again = encoder.encode_photo(data)
        except (OSError, InputError, StorageError):
            continue
        left -= 1
        stored = embeddings_of(one, snapshot.state.dimensions, snapshot.dataset.uri)[0].astype(np.float32)
        lengths = float(np.linalg.norm(stored) * np.linalg.norm(again))
        if not float(stored @ again) >= CLOSEST * lengths:
            problems.append(f"photo {one['id'][0].as_py()} has another embedding now; index it into a new library")
    if left == size and len(rows):
        problems.append("none of the photos could be read")
    return problems
