"""A library: photos indexed for sketch-based retrieval.

::

    with Library.open("pictures.library", create=True) as library:
        library.add(["~/Pictures"])
        for result in library.search("cat.svg"):
            print(result.rank, result.path)
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from sketchseek.encoder import Encoder
from sketchseek.errors import InputError
from sketchseek.images import ImageSource
from sketchseek.models.package import load_model_package
from sketchseek.search.browse import Order
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.object_path import PhotoPath, is_uri
from sketchseek.search.params import Filter, SearchParams
from sketchseek.search.query import QueryEngine
from sketchseek.search.results import (
    Failure,
    IndexReport,
    LibraryPhoto,
    PhotoFolder,
    ProgressCallback,
    SearchResults,
    Status,
    Verification,
)
from sketchseek.sketches import SketchSource

if TYPE_CHECKING:
    from sketchseek.search.explain import Explanation

PathLike = str | os.PathLike[str]

LANCE_TABLE = "photos.lance"
"""Name of the table that a library in Lance consists of."""


class Library(ABC):
    """A catalog of photos and an index of their embeddings, in a folder.

    Any number of processes may search a library while one writes to it; searches find new photos once they are
    committed. Several threads may use one ``Library``.
    """

    path: PhotoPath
    _engine: QueryEngine

    @classmethod
    def open(
        cls, path: PathLike, model: PathLike | None = None, *, create: bool = False, readonly: bool = False
    ) -> Library:
        """Open a library.

        Args:
            path: The library's folder. A URI, such as ``s3://bucket/library`` or ``file:///mnt/library``, names a
                library in Lance, which many machines can share (extra ``cluster``); see docs/guides/cluster.md.
            model: Name of a bundled model, or path of a model package; by default the model that the library was built
                with.
            create: Create the library if there is none.
            readonly: Refuse to write. Works in folders without write access.

        Raises:
            LibraryNotFoundError: There is no library.
            ModelMismatchError: It was built with another model.
            LibraryCorruptError: Its catalog is damaged, or missing.
        """
        return _kind_of(path).open(path, model, create=create, readonly=readonly)

    @classmethod
    def create(cls, path: PathLike, model: PathLike | None = None) -> Library:
        """Create an empty library, or open the existing one. See ``open``."""
        return _kind_of(path).create(path, model)

    @abstractmethod
    def close(self) -> None:
        """Close the library. It cannot be used afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of photos in the library."""

    # --- writing ----------

    @abstractmethod
    def add(
        self,
        folders: Iterable[PathLike] | PathLike,
        progress: ProgressCallback | None = None,
        *,
        exclude: Iterable[str] | None = None,
        follow_symlinks: bool | None = None,
        hidden: bool | None = None,
        within: Iterable[PathLike] | None = None,
    ) -> IndexReport:
        """Index folders with their subfolders, and remember the folders for ``sync``.

        Photos that are already in the library are not embedded again. Deleted photos are removed. After an interrupt
        (KeyboardInterrupt), committed work is kept, and the next call continues from there.

        Args:
            folders: Folders or single files.
            progress: Called about every two seconds, after each commit.
            exclude: Patterns of files and folders to skip, in the syntax of .gitignore; see ``scan_rules``. They
                replace those that the library has; by default, those stay. ``sync`` heeds them, too.
            follow_symlinks: Whether symbolic links to folders are followed. By default, what the library was told
                before, at first no.
            hidden: Whether files and folders whose names begin with a dot are indexed. By default, what the library was
                told before, at first no.
            within: Folders that symbolic links must not lead out of, for folders that others can write to. Links that
                do are failures. By default, links may lead anywhere.

        Raises:
            InputError: One of the folders does not exist, or a pattern is invalid.
            LibraryLockedError: Another process is writing.
            ModelMismatchError: The model is not the one that the library was built with.
        """

    @abstractmethod
    def sync(
        self, progress: ProgressCallback | None = None, *, within: Iterable[PathLike] | None = None
    ) -> IndexReport:
        """Bring the library up to date with every folder that was added. See ``add``.

        If a folder is not there (a drive that is not connected, for example), its photos stay, and the folder is
        reported as a failure.
        """

    def watch(
        self,
        progress: ProgressCallback | None = None,
        *,
        stop: threading.Event | None = None,
        polling: bool = False,
        settle: float = 2.0,
    ) -> Iterator[IndexReport]:
        """Run ``sync`` now, and again after photos in the library's folders change; yield a report after each run.

        Folders that are missing are watched once they are there, and folders that are added meanwhile, too.

        Args:
            progress: See ``add``.
            stop: Ends the iteration when it is set. KeyboardInterrupt does, too.
            polling: Compare the folders again and again, for network drives, which do not report changes.
            settle: Seconds without further changes after which a run starts.

        Raises:
            LibraryError: The library was opened for reading only.
        """
        from sketchseek.search.watch import watch

        return watch(self, progress, stop=stop, polling=polling, settle=settle)

    @abstractmethod
    def remove(self, paths: Iterable[PathLike] | PathLike) -> int:
        """Remove photos and folders from the library. Files are not touched.

        ``sync`` skips removed paths until they are added again by name.

        Returns:
            Number of photos removed.

        Raises:
            InputError: A path is neither in the library nor does it exist in one of its folders. Nothing is removed.
        """

    @abstractmethod
    def re_embed(self, model: PathLike | None = None, progress: ProgressCallback | None = None) -> IndexReport:
        """Embed every photo again, with another model.

        Searches use the old embeddings until all new ones are ready; one transaction replaces them. After an interrupt,
        the next call continues from there.

        Args:
            model: Name of a bundled model, or path of a model package; by default the library's model as it is now.
            progress: See ``add``.

        Raises:
            LibraryError: One of the library's folders is missing.
        """

    # --- searching ----------

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
            group_copies: Make one result of copies of one photo: the same file, or saved again in a similar quality.
                ``k`` and ``offset`` count groups then.

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

    def explain(self, photo: int, query: SketchSource | Query) -> Explanation:
        """Explain why a photo matches: split its score over the photo and over the sketch. The splits are exact.

        Args:
            photo: Id of a photo in the library. Its file is read and encoded again.
            query: A sketch, or a query with examples; its words are left out.

        Raises:
            InputError: There is no photo with this id, or the query has no examples.
            ImageError: The photo's file cannot be read.
            SketchError: A sketch cannot be read.
            ModelPackageError: The library's model package does not have the outputs that this needs.
        """
        from sketchseek.search.explain import explain

        examples = query.examples if isinstance(query, Query) else (Example(sketch=query),)
        known = self.photo(photo)
        if known is None:
            raise InputError(f"there is no photo with id {photo}.", subject=self.path)
        if not examples:
            raise InputError("there is nothing to explain.", remedy="Give a sketch or a photo; words need none.")
        asked = Query(examples)
        embedded = self._engine.embed_query(asked)
        return explain(
            self.encoder,
            asked,
            (embedded.query, embedded.examples, embedded.factors),
            photo,
            known.path if isinstance(known.path, Path) else self.photo_bytes(photo),
        )

    # --- reading ----------

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

    @property
    def encoder(self) -> Encoder:
        """The encoder of the library's model.

        Raises:
            ModelMismatchError: The library now has another model than the one asked for, or its model package has
                changed.
        """
        return self._engine.encoder

    def is_built_with(self, model: PathLike | None = None) -> bool:
        """Return whether the library's embeddings are from this model.

        Args:
            model: Name of a bundled model, or path of a model package; by default the library's own, which an update
                may have changed.

        Raises:
            ModelPackageError: There is no such model package.
        """
        metadata = self._engine.metadata()
        package = load_model_package(metadata.model if model is None else model)
        return package.manifest.fingerprint == metadata.fingerprint

    @abstractmethod
    def photo(self, photo: int) -> LibraryPhoto | None:
        """Return a photo by its id, or None if there is none."""

    @abstractmethod
    def photo_bytes(self, photo: int) -> bytes:
        """Return the bytes of a photo's file.

        Raises:
            InputError: There is no photo with this id.
            ImageError: The file cannot be read.
        """

    def embedding(self, photo: int) -> npt.NDArray[np.float32]:
        """Return a photo's embedding, (d,) float32.

        Raises:
            InputError: There is no photo with this id.
        """
        return self._engine.embedding(photo)

    @abstractmethod
    def status(self) -> Status:
        """Return the library's status."""

    @abstractmethod
    def failures(self) -> list[Failure]:
        """Return the files that could not be indexed and the folders that could not be read, with reasons."""

    @abstractmethod
    def verify(self, *, sample: int = 0) -> Verification:
        """Check the catalog's integrity, every embedding, the index on disk, and the model package.

        Args:
            sample: Number of photos, chosen at random, to embed again and to compare with what is stored.
        """


def _params(k: int, offset: int, filter: Filter | None, group_copies: bool = False) -> SearchParams:
    return SearchParams(k, offset, filter or Filter(), group_copies)


def is_in_lance(path: PathLike) -> bool:
    """Return whether a path names a library in Lance: by a URI, or because the folder has its table."""
    return is_uri(path) or os.path.isdir(os.path.join(os.path.expanduser(path), LANCE_TABLE))  # noqa: PTH111, PTH112, PTH118


def _kind_of(path: PathLike) -> type[Library]:
    """Return the class of the library at a path."""
    if is_in_lance(path):
        # By its name: the package lies above this one, and needs the extra "cluster".
        kind: type[Library] = import_module("sketchseek.cluster.library").LanceLibrary
        return kind
    from sketchseek.search.local_library import LocalLibrary

    return LocalLibrary
