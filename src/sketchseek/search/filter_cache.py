"""The photos that a filter allows, kept while the catalog does not change, and brought up to date when it does."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sketchseek.search.catalog import Catalog, CatalogState, PhotoFilter
from sketchseek.search.index.protocol import Ids

CACHED = 16
"""Maximum number of filters in the cache."""

CACHED_IDS = 30_000_000
"""Maximum number of ids in the cache; more are kept only for the latest filter."""

LOOKED_UP = 10_000
"""Up to this many photos of a folder, their times are looked up one by one."""


@dataclass(frozen=True, eq=False)
class _Known:
    """What a filter allowed at a state of the catalog."""

    ids: Ids
    changes: int
    state: CatalogState


class FilterCache:
    """Caches the photo ids that recent filters allow."""

    def __init__(self) -> None:
        self._known: dict[PhotoFilter, _Known] = {}

    def ids(self, catalog: Catalog, filter: PhotoFilter, changes: int) -> Ids:
        """Return the ids that match a filter, ascending: the same array as before, if they are the same.

        Call inside a ``snapshot``.

        Args:
            catalog: The catalog.
            filter: The filter.
            changes: The catalog's change counter.
        """
        known = self._known.pop(filter, None)
        if known is None or known.changes != changes:
            state = catalog.state()
            followed = None if known is None else _followed(catalog, filter, known, state)
            known = _Known(self._found(catalog, filter, changes) if followed is None else followed, changes, state)
        while self._known and (
            len(self._known) >= CACHED or sum(map(_size, self._known.values())) > CACHED_IDS - _size(known)
        ):
            del self._known[next(iter(self._known))]  # the one that was not asked for the longest
        self._known[filter] = known
        return known.ids

    def _found(self, catalog: Catalog, filter: PhotoFilter, changes: int) -> Ids:
        """Find the ids anew. Large sets by folder and by time are found apart, each in an index of its own."""
        folder = replace(filter, after=None, before=None)
        times = PhotoFilter(after=filter.after, before=filter.before)
        if PhotoFilter() in (folder, times):
            return catalog.ids_matching(filter)
        in_folder = self.ids(catalog, folder, changes)
        if len(in_folder) <= LOOKED_UP:
            return catalog.ids_matching(filter)
        return in_folder[np.isin(in_folder, self.ids(catalog, times, changes), assume_unique=True)]


def _followed(catalog: Catalog, filter: PhotoFilter, known: _Known, state: CatalogState) -> Ids | None:
    """Return what a filter allows, by what was added and removed since; None if that does not tell."""
    before = known.state
    if before.moved != state.moved or not before.leads_to(state):
        return None
    ids = known.ids
    if before.last_removal < state.last_removal:
        removed = catalog.removed_since(before.last_removal)
        places = np.searchsorted(ids, removed)
        gone = places[(places < len(ids)) & (np.append(ids, 0)[places] == removed)]
        ids = np.delete(ids, gone) if len(gone) else ids
    if before.last_id < state.last_id:
        added = catalog.ids_matching(filter, above=before.last_id)
        ids = np.concatenate([ids, added]) if len(added) else ids
    return ids


def _size(known: _Known) -> int:
    return len(known.ids)
