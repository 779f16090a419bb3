"""Embeddings of frames of videos and animated pictures; see ``sketchseek.search.frames``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketchseek.search.catalog.derived_store import DerivedStore


@dataclass(frozen=True, eq=False)
class StoredFrames:
    """The frames of a file.

    Attributes:
        times: Seconds from the beginning, (n,); n may be 0.
        embeddings: (n, d).
    """

    times: npt.NDArray[np.float64]
    embeddings: npt.NDArray[np.float16]


class FrameStore(DerivedStore[StoredFrames]):
    """A library's frames. Files that were looked at and have none are stored, too. See ``DerivedStore``."""

    FILE = "frames.db"

    def _encode(self, value: StoredFrames) -> bytes:
        return value.times.tobytes() + value.embeddings.tobytes()

    def _decode(self, data: bytes) -> StoredFrames | None:
        count, rest = divmod(len(data), 8 + 2 * self._dimensions)
        if rest:
            return None
        times = np.frombuffer(data, np.float64, count)
        embeddings = np.frombuffer(data, np.float16, offset=8 * count)
        return StoredFrames(times, embeddings.reshape(count, self._dimensions))
