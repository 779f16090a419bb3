"""Embeddings of regions of photos; see ``sketchseek.search.regions``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sketchseek.search.catalog.derived_store import DerivedStore

REGIONS = 4
"""Regions of a photo."""

Embeddings = npt.NDArray[np.float16]


class RegionStore(DerivedStore[Embeddings]):
    """A library's regions: (``REGIONS``, d) of each photo. See ``DerivedStore``."""

    FILE = "regions.db"

    def _encode(self, value: Embeddings) -> bytes:
        return value.tobytes()

    def _decode(self, data: bytes) -> Embeddings | None:
        fits = len(data) == 2 * REGIONS * self._dimensions
        return np.frombuffer(data, np.float16).reshape(REGIONS, self._dimensions) if fits else None
