"""The searches of a library, and what else its query engine answers."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sketchseek.images import ImageSource
from sketchseek.search.browse import Order
from sketchseek.search.combined_query import Query
from sketchseek.search.params import Filter, SearchParams
from sketchseek.search.query import QueryEngine
from sketchseek.search.results import LibraryPhoto, PhotoFolder, SearchResults
from sketchseek.sketches import SketchSource


class LibrarySearch(ABC):
    """The part of ``Library`` that searches; ``Library`` adds writing and single photos."""

    _engine: QueryEngine

    def search(
        self,
        sketch: SketchSource,
        k: int = 10,
        *,
        offset: int = 0,
        filter: Filter | None = None,
        group_copies: bool = False,
    ) -> SearchResults:
        """Find the photos that match a sketch best.

        Args:
            sketch: Strokes, SVG or an image; see ``sketchseek.sketches.rasterize_sketch``.
            k: Maximum number of results.
            offset: Number of best results to skip, for paging.
            filter: Which photos may be returned; by default every photo.
            group_copies: Make one result of copies of one photo: the same file, or saved again in another size or
                quality. ``k`` and ``offset`` count groups then.

        Returns:
            Results, best first; fewer than ``k`` if there are no more photos.

        Raises:
            SketchError: The sketch cannot be read; EmptySketchError if it has no ink.
            InputError: ``k``, ``offset`` or ``filter`` is invalid.
        """
        return SearchResults(self._engine.search_sketch(sketch, _params(k, offset, filter, group_copies)))

    def search_query(
        self, query: Query, k: int = 10, *, offset: int = 0, filter: Filter | None = None, group_copies: bool = False
    ) -> SearchResults:
        """Find photos with several sketches and photos, with words, or with all of them together.

        Args:
            query: What to search for; see ``sketchseek.search.combined_query.Query``.
            k, offset, filter, group_copies: See ``search``.

        Returns:
            Results, best first. If several criteria count, ``SearchResult.parts`` says what each contributed.

        Raises:
            SketchError, ImageError: A sketch or a photo cannot be read.
            InputError: An example has the id of no photo, or an invalid embedding.
        """
        return SearchResults(self._engine.search_query(query, _params(k, offset, filter, group_copies)))

    def search_photo(
        self,
        photo: ImageSource | int,
        k: int = 10,
        *,
        offset: int = 0,
        filter: Filter | None = None,
        group_copies: bool = False,
    ) -> SearchResults:
        """Find the photos that look most like a photo. A photo of the library is not among its own results.

        Args:
            photo: Id of a photo in the library, or a path, an image's bytes or a PIL image.
            k, offset, filter, group_copies: See ``search``.

        Raises:
            ImageError: The photo cannot be read.
            InputError: There is no photo with this id.
        """
        return SearchResults(self._engine.search_photo(photo, _params(k, offset, filter, group_copies)))

    def search_embedding(
        self,
        embedding: npt.ArrayLike,
        k: int = 10,
        *,
        offset: int = 0,
        filter: Filter | None = None,
        group_copies: bool = False,
    ) -> SearchResults:
        """Find the photos whose embeddings are nearest to a query embedding.

        Args:
            embedding: Embedding by the library's model, (d,); need not have unit length.
            k, offset, filter, group_copies: See ``search``.

        Raises:
            InputError: It has another shape, is not finite, or is zero.
        """
        return SearchResults(self._engine.search_embedding(embedding, _params(k, offset, filter, group_copies)))

    def refine(
        self,
        sketch: SketchSource | None = None,
        *,
        embedding: npt.ArrayLike | None = None,
        photo: ImageSource | int | None = None,
        positive: Sequence[int] = (),
        negative: Sequence[int] = (),
        k: int = 10,
        offset: int = 0,
        filter: Filter | None = None,
        group_copies: bool = False,
    ) -> SearchResults:
        """Search again with relevance feedback; see ``sketchseek.search.feedback``.

        Args:
            sketch, embedding, photo: The original query; give exactly one. See ``search``, ``search_embedding`` and
                ``search_photo``.
            positive: Ids of photos with positive feedback.
            negative: Ids of photos with negative feedback; they are not returned again.
            k, offset, filter, group_copies: See ``search``.

        Raises:
            InputError: There is not exactly one query, an id is unknown, or an id has both kinds of feedback.
        """
        return SearchResults(
            self._engine.refine(sketch, embedding, photo, positive, negative, _params(k, offset, filter, group_copies))
        )

    def count(self, filter: Filter | None = None) -> int:
        """Return how many photos a search with this filter can find. The number is cached until the library changes."""
        return self._engine.count(filter or Filter())

    def count_query(self, query: Query, filter: Filter | None = None) -> int:
        """Return how many photos ``search_query`` can find."""
        return self._engine.count_query(query, filter or Filter())

    def browse(
        self, order: Order = "newest", k: int = 100, *, offset: int = 0, filter: Filter | None = None
    ) -> list[LibraryPhoto]:
        """Return photos without a query.

        Args:
            order: ``newest`` or ``oldest``, by file time, or ``path``.
            k, offset, filter: See ``search``; ``count`` says how many photos there are.

        Raises:
            InputError: There is no such order.
        """
        return self._engine.browse(order, _params(k, offset, filter))

    def folders(self, contains: str = "", limit: int = 100) -> list[PhotoFolder]:
        """Return folders that hold photos: first those whose own names contain a text, then those whose paths do.

        Args:
            contains: Part of a path, ignoring case; by default every folder matches.
            limit: Maximum number of folders.
        """
        return self._engine.folders(contains, limit)

    def embedding(self, photo: int) -> npt.NDArray[np.float32]:
        """Return a photo's embedding, (d,) float32.

        Raises:
            InputError: There is no photo with this id.
        """
        return self._engine.embedding(photo)


def _params(k: int, offset: int, filter: Filter | None, group_copies: bool = False) -> SearchParams:
    return SearchParams(k, offset, filter or Filter(), group_copies)
