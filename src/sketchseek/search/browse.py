"""Browsing a library without a query: photos by date or by path, a page at a time."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from sketchseek.errors import InputError
from sketchseek.search.catalog import Catalog
from sketchseek.search.index.protocol import Ids

Order = Literal["newest", "oldest", "path"]
ORDERS: tuple[Order, ...] = get_args(Order)


class PhotoOrder:
    """Keeps the ids of all photos in each order while the catalog does not change."""

    def __init__(self) -> None:
        self._changes = -1
        self._ids: dict[Order, Ids] = {}

    def page(self, catalog: Catalog, changes: int, order: Order, allowed: Ids | None, k: int, offset: int) -> list[int]:
        """Return the ids of one page.

        Args:
            catalog: The catalog.
            changes: The catalog's change counter.
            order: By file time, newest or oldest first, or by path.
            allowed: Ids of the photos to choose from, ascending; by default all.
            k: Maximum number of photos.
            offset: Number of photos to skip.

        Raises:
            InputError: There is no such order.
        """
        if order not in ORDERS:
            raise InputError(f"there is no order {order!r}.", remedy=f"Choose one of {', '.join(ORDERS)}.")
        if self._changes != changes:
            self._ids.clear()
            self._changes = changes
        if order not in self._ids:
            self._ids[order] = catalog.ids_by_path() if order == "path" else catalog.ids_by_time(order == "newest")
        ids = self._ids[order]
        if allowed is not None:
            ids = ids[np.isin(ids, allowed)]
        return [int(one) for one in ids[offset : offset + k]]
