"""Pixels of many pictures that stay in files until a batch needs them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]


class PixelRows:
    """Rows of memory-mapped arrays, in an order of their own; what a batch takes of it is an array in memory.

    Processes that map the same files share the pages that the system keeps in memory.

    Args:
        arrays: (n, …) uint8 arrays of one shape but for n.
        array_of: (rows,) number of each row's array.
        row_of: (rows,) place of each row in its array.

    Attributes:
        shape: (rows, …), as of an array.
        nbytes: Bytes of all rows.
    """

    def __init__(self, arrays: Sequence[Pixels], array_of: Indices, row_of: Indices) -> None:
        self._arrays = arrays
        self._array_of = array_of
        self._row_of = row_of
        self.shape: tuple[int, ...] = (len(row_of), *arrays[0].shape[1:])
        self.nbytes: int = int(np.prod(self.shape))

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def __len__(self) -> int:
        return len(self._row_of)

    def __getitem__(self, places: slice | Sequence[int] | Indices) -> Pixels:
        """The rows at these places, in memory."""
        array_of, row_of = self._array_of[places], self._row_of[places]
        found = np.empty((len(row_of), *self.shape[1:]), dtype=np.uint8)
        for number in np.unique(array_of).tolist():
            here = np.flatnonzero(array_of == number)
            found[here] = self._arrays[number][row_of[here]]
        return found

    def __iter__(self) -> Iterator[Pixels]:
        for array, row in zip(self._array_of.tolist(), self._row_of.tolist(), strict=True):
            yield self._arrays[array][row]


PixelSource: TypeAlias = Pixels | PixelRows
"""Pixels of many pictures, in memory or in files."""
