"""The index of embeddings of a large library in Lance: built by many jobs, extended without being built again.

IVF_SQ: the embeddings are clustered, and stored as one byte for each number. A search visits the nearest clusters and
scores the best candidates again with the stored embeddings. How many clusters it must visit depends on the photos, so
that it is measured after each build, and kept in the library's state.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sketchseek.cluster import gallery
from sketchseek.cluster.gallery import METRICS, embeddings_of, nearest_in_index
from sketchseek.cluster.table import IS_PHOTO, Change, Snapshot, Table

NAME = "embedding_idx"
KIND = "IVF_SQ"
"""IVF_HNSW_SQ found less and was built in twenty times the time; IVF_PQ found as much with 50 candidates for each
result only, and was built in thirty times the time."""

GROWTH = 2
"""Times that a library may grow before its clusters are computed again."""

SEGMENTS = 8
"""Parts of the index that may come together before the new ones are merged."""

JOBS = 8
"""Parts that an index is built in at most. They are never merged: each part of an IVF_SQ index has a scale of its own,
and Lance keeps only one, so that a search of 20,000 photos found 0.93 of the nearest instead of 0.99."""

RECALL = 0.997
"""Fraction of the true ten nearest that a search must find in the measurement of the clusters to visit."""

LEAST = 32
"""Clusters that a search visits at least: sketches lie further from photos than the queries of the measurement."""

QUERIES, K = 200, 10

_log = logging.getLogger(__name__)

Mapper = Callable[["Callable[[SegmentJob], Any]", Sequence["SegmentJob"]], Iterator[Any]]
"""Calls a function for each item, anywhere, and yields what it returns in any order."""


@dataclass(frozen=True)
class SegmentJob:
    """A part of an index to build.

    Attributes:
        uri: The table.
        version: Its version.
        metric: See ``gallery.METRICS``.
        centroids: Centers of the clusters, (n, d), which all parts share.
        fragments: Fragments of the table whose rows it has.
    """

    uri: str
    version: int
    metric: str
    centroids: npt.NDArray[np.float16]
    fragments: tuple[int, ...]


def update_index(table: Table, mapper: Mapper | None = None) -> None:
    """Build the index of embeddings, or add new photos to it.

    Args:
        table: The library's table.
        mapper: Where parts of the index are built; by default, in this process, in one part.
    """
    snapshot = table.latest()
    photos = int(snapshot.dataset.count_rows(filter=IS_PHOTO))
    known = next((one for one in snapshot.dataset.describe_indices() if one.name == NAME), None)
    if known is None or photos > GROWTH * max(1, snapshot.state.trained):
        _log.info("Building the index of %d embeddings", photos)
        parts = _build(snapshot, photos, mapper)
        probes = measured_probes(table.latest(), photos)
        table.commit(lambda one: Change(replace(one.state, probes=probes, trained=photos, parts=parts)))
        return
    added = len(known.segments) - snapshot.state.parts
    indexed = set().union(*(segment.fragment_ids for segment in known.segments))
    new = (one for one in snapshot.dataset.get_fragments() if one.fragment_id not in indexed)
    if any(fragment.count_rows(filter=IS_PHOTO) for fragment in new):
        # The parts that were built together come first, and stay as they are.
        merged = added if added >= SEGMENTS - 1 else 0
        snapshot.dataset.optimize.optimize_indices(num_indices_to_merge=merged, index_names=[NAME])


def _build(snapshot: Snapshot, photos: int, mapper: Mapper | None) -> int:
    """Build the index and return the number of its parts."""
    dataset, metric = snapshot.dataset, METRICS[snapshot.state.distance]
    partitions = max(1, photos // gallery.PARTITION)
    if mapper is None:
        dataset.create_index("embedding", KIND, name=NAME, metric=metric, num_partitions=partitions, replace=True)
        return 1
    from lance.indices import IndicesBuilder

    trained = IndicesBuilder(dataset, "embedding").train_ivf(
        num_partitions=partitions, distance_type=metric, sample_rate=min(256, max(2, photos // partitions))
    )
    centroids = trained.centroids.flatten().to_numpy().reshape(-1, snapshot.state.dimensions)
    fragments = [one.fragment_id for one in dataset.get_fragments()]
    size = max(1, -(-len(fragments) // JOBS))
    parts = [tuple(fragments[start : start + size]) for start in range(0, len(fragments), size)]
    jobs = [SegmentJob(dataset.uri, snapshot.version, metric, centroids, part) for part in parts]
    segments = [segment for segment in mapper(build_segment, jobs) if segment is not None]
    dataset.commit_existing_index_segments(NAME, "embedding", segments)
    return len(segments)


def build_segment(job: SegmentJob) -> Any:
    """Build a part of an index and return its description, or None if its fragments have no photos."""
    import lance
    import pyarrow as pa

    dataset = lance.dataset(job.uri, version=job.version)
    count, dimension = job.centroids.shape
    if not any(dataset.get_fragment(one).count_rows(filter=IS_PHOTO) for one in job.fragments):
        return None
    return dataset.create_index_uncommitted(
        "embedding",
        KIND,
        name=NAME,
        metric=job.metric,
        num_partitions=count,
        ivf_centroids=pa.FixedSizeListArray.from_arrays(pa.array(job.centroids.reshape(-1)), dimension),
        fragment_ids=list(job.fragments),
        replace=True,
    )


def measured_probes(snapshot: Snapshot, photos: int) -> int:
    """Return how many clusters a search must visit to find ``RECALL`` of the nearest photos of an exhaustive search.

    Half of the queries are noisy embeddings of photos, half lie between two photos, as sketches do.
    """
    queries = _queries(snapshot, photos)
    exact = _exact(snapshot, queries)
    probes, partitions = LEAST, max(1, photos // gallery.PARTITION)
    while probes < partitions:
        found = [nearest_in_index(snapshot, query, K, probes)["id"].to_pylist() for query in queries]
        recall = sum(len(set(ids) & true) for ids, true in zip(found, exact, strict=True)) / (K * len(queries))
        _log.info("A search of %d of %d clusters finds %.4f of the nearest", probes, partitions, recall)
        if recall >= RECALL:
            return probes
        probes *= 2
    return partitions


def _queries(snapshot: Snapshot, photos: int) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(0)
    sampled = snapshot.dataset.sample(min(photos, 4 * QUERIES), columns=["embedding"])
    some = embeddings_of(sampled.drop_null(), snapshot.state.dimensions, snapshot.dataset.uri).astype(np.float32)
    some = some[: 2 * QUERIES]
    first, second = some[: len(some) // 2], some[len(some) // 2 : 2 * (len(some) // 2)]
    mix = np.where(np.arange(len(first)) % 2, 0.5, 0.0)[:, None]
    queries = (1 - mix) * first + mix * second
    queries += rng.standard_normal(queries.shape) * 0.3 * np.linalg.norm(first, axis=1).mean() / queries.shape[1] ** 0.5
    if snapshot.state.distance == "cosine":
        queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    return np.asarray(queries, np.float32)


def _exact(snapshot: Snapshot, queries: npt.NDArray[np.float32]) -> list[set[int]]:
    ids = np.zeros((len(queries), 0), np.int64)
    scores = np.zeros((len(queries), 0), np.float32)
    for new, embeddings in _embeddings(snapshot):
        values = embeddings.astype(np.float32)
        found = queries @ values.T
        if snapshot.state.distance == "euclidean":
            found = 2 * found - (values * values).sum(axis=1)  # the query's own length is the same for all
        ids = np.hstack([ids, np.broadcast_to(new, found.shape)])
        scores = np.hstack([scores, found])
        best = np.argsort(-scores, axis=1)[:, :K]
        ids, scores = np.take_along_axis(ids, best, 1), np.take_along_axis(scores, best, 1)
    return [set(row.tolist()) for row in ids]


def _embeddings(snapshot: Snapshot) -> Iterable[tuple[npt.NDArray[np.int64], npt.NDArray[np.float16]]]:
    import pyarrow as pa

    scanner = snapshot.dataset.scanner(columns=["id", "embedding"], filter=IS_PHOTO, batch_size=8192)
    for batch in scanner.to_batches():
        table = pa.Table.from_batches([batch])
        yield (
            table["id"].to_numpy(),
            embeddings_of(table, snapshot.state.dimensions, snapshot.dataset.uri),
        )
