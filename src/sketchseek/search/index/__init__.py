"""Index engines behind one protocol, and index snapshots on disk."""

from __future__ import annotations

from collections.abc import Iterable

from sketchseek.models.package import Distance
from sketchseek.search.index.approximate import ApproximateIndex
from sketchseek.search.index.exact import ExactIndex
from sketchseek.search.index.partition import SAMPLE_PER_CELL, cells_for
from sketchseek.search.index.protocol import Ids, VectorIndex, Vectors
from sketchseek.search.index.reference import ReferenceIndex

__all__ = ["ENGINES", "EXACT_UP_TO", "Ids", "VectorIndex", "Vectors", "build", "engine_for", "sample_size"]

EXACT_UP_TO = 200_000
"""Maximum number of photos for exhaustive search; measured in docs/engines.md."""

ENGINES: dict[str, type[VectorIndex]] = {
    engine.name: engine for engine in (ExactIndex, ApproximateIndex, ReferenceIndex)
}


def engine_for(count: int) -> str:
    """Return the name of the engine for a number of photos."""
    return ExactIndex.name if count <= EXACT_UP_TO else ApproximateIndex.name


def sample_size(engine: str, count: int) -> int:
    """Return the number of vectors that an engine is trained on."""
    return min(count, SAMPLE_PER_CELL * cells_for(count)) if engine == ApproximateIndex.name else 0


def build(
    engine: str,
    dimension: int,
    distance: Distance,
    blocks: Iterable[tuple[Ids, Vectors]],
    *,
    sample: Vectors,
    count: int,
) -> VectorIndex:
    """Build an index from blocks of ids, (m,), and vectors, (m, dimension); see ``VectorIndex.create``."""
    index = ENGINES[engine].create(dimension, distance, sample=sample, count=count)
    for ids, vectors in blocks:
        index.add(ids, vectors)
    return index
