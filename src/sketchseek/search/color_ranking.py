"""Ranking photos by the colors of a palette, from signatures that are held in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sketchseek.search.catalog import Catalog
from sketchseek.search.colors import SIGNATURE, PaletteColor, Signatures, palette_scores
from sketchseek.search.fusion import Ranking, ranks_of
from sketchseek.search.index.protocol import Ids


class ColorCache:
    """The color signatures of a catalog, read when colors are first searched and when the catalog has changed."""

    def __init__(self) -> None:
        self._changes = -1
        self._ids: Ids = np.zeros(0, np.int64)
        self._signatures: Signatures = np.zeros((0, SIGNATURE), np.uint8)

    def ranking(
        self,
        catalog: Catalog,
        changes: int,
        palette: Sequence[PaletteColor],
        weight: float,
        *,
        k: int,
        allowed: Ids | None = None,
    ) -> Ranking:
        """Rank the ``k`` photos that fit a palette best.

        Args:
            catalog: A connection to the catalog.
            changes: The catalog's change counter.
            palette: The colors.
            weight: The ranking's weight.
            k: Maximum number of photos.
            allowed: Ids that may be returned, ascending; None for all.
        """
        if changes != self._changes:
            self._ids, self._signatures = catalog.color_signatures(SIGNATURE)
            self._changes = changes
        ids, signatures = self._ids, self._signatures
        if allowed is not None:
            kept = np.isin(ids, allowed, assume_unique=True)
            ids, signatures = ids[kept], signatures[kept]
        return color_ranking(ids, signatures, palette, weight, k)


def color_ranking(ids: Ids, signatures: Signatures, palette: Sequence[PaletteColor], weight: float, k: int) -> Ranking:
    """Rank the ``k`` photos that fit a palette best, given ids, (n,), and color signatures, (n, ``SIGNATURE``)."""
    return ranking_of(ids, palette_scores(signatures, palette), weight, k)


def ranking_of(ids: Ids, scores: npt.NDArray[np.float32], weight: float, k: int) -> Ranking:
    """Rank the ``k`` photos with the highest scores, (n,)."""
    best = np.argpartition(-scores, k)[:k] if len(scores) > k else np.arange(len(scores))
    best = best[np.lexsort((ids[best], -scores[best]))]
    return Ranking(ids[best], ranks_of(scores[best]), weight)
