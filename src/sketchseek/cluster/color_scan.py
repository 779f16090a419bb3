"""Color signatures of photos in a library in Lance: read into memory, or scanned in the storage for each palette."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sketchseek.cluster.table import Snapshot
from sketchseek.search.color_ranking import ranking_of
from sketchseek.search.colors import SIGNATURE, PaletteColor, Signatures, palette_scores
from sketchseek.search.fusion import Ranking
from sketchseek.search.index.protocol import Ids


def read_signatures(snapshot: Snapshot, filter: str) -> tuple[Ids, Signatures]:
    """Return the ids, (n,), and color signatures, (n, ``SIGNATURE``), of the photos that have one."""
    found = list(_batches(snapshot, filter))
    ids = [np.zeros(0, np.int64), *(one for one, _ in found)]
    return np.concatenate(ids), np.concatenate([np.zeros((0, SIGNATURE), np.uint8), *(one for _, one in found)])


def scan_colors(snapshot: Snapshot, palette: Sequence[PaletteColor], weight: float, k: int, filter: str) -> Ranking:
    """Rank the ``k`` photos that fit a palette best, without holding more than them and a batch in memory.

    Args:
        snapshot: The version.
        palette: The colors.
        weight: The ranking's weight.
        k: Maximum number of photos.
        filter: Which photos may be returned, as SQL.
    """
    ids, scores = np.zeros(0, np.int64), np.zeros(0, np.float32)
    for more, signatures in _batches(snapshot, filter):
        ids = np.concatenate([ids, more])
        scores = np.concatenate([scores, palette_scores(signatures, palette)])
        if len(ids) > k:
            best = np.argpartition(-scores, k)[:k]
            ids, scores = ids[best], scores[best]
    return ranking_of(ids, scores, weight, k)


def _batches(snapshot: Snapshot, filter: str) -> Iterator[tuple[Ids, Signatures]]:
    import pyarrow.compute as pc

    if not snapshot.has_descriptions:
        return
    some = f"{filter} AND colors IS NOT NULL"
    batches: Any = snapshot.dataset.scanner(columns=["id", "colors"], filter=some).to_batches()
    for every in batches:
        batch = every.filter(pc.equal(pc.binary_length(every["colors"]), SIGNATURE))
        signatures = np.frombuffer(b"".join(batch["colors"].to_pylist()), np.uint8).reshape(-1, SIGNATURE)
        yield batch["id"].to_numpy(), signatures
