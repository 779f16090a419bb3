"""A library: photos indexed for sketch-based retrieval.

::

    with Library.open("pictures.library", create=True) as library:
        library.add(["~/Pictures"])
        for result in library.search("cat.svg"):
            print(result.rank, result.path)
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sketchseek.atomic_write import make_folders
from sketchseek.encoder import Encoder
from sketchseek.errors import InputError, LibraryError, LibraryNotFoundError
from sketchseek.images import ImageSource
from sketchseek.models.package import DEFAULT_MODEL, ModelPackage, load_model_package
from sketchseek.search import library_file
from sketchseek.search.catalog import Catalog, OldFormatError, upgrade_catalog
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.index_mirror import IndexMirror
from sketchseek.search.library_model import metadata_of, mismatch
from sketchseek.search.lock import WriterLock
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
from sketchseek.search.scan import absolute, from_user, lies_in, parents, real_path, without_nested
from sketchseek.search.scan_rules import ScanRules
from sketchseek.search.status import status_of
from sketchseek.sketches import SketchSource

if TYPE_CHECKING:
    from sketchseek.search.explain import Explanation

PathLike = str | os.PathLike[str]
_log = logging.getLogger(__name__)


class Library:
    """A folder that holds a catalog of photos and an index of their embeddings.

    Any number of processes may search a library while one writes to it; searches find new photos once they are
    committed. Several threads may use one ``Library``.
    """

    def __init__(self, path: Path, package: ModelPackage | None, *, readonly: bool) -> None:
        """Use ``Library.open`` or ``Library.create``."""
        self.path = path
        self._readonly = readonly
        self._catalog = Catalog(path)
        self._lock = threading.RLock()
        metadata = self._catalog.metadata()
        if package is not None and package.manifest.fingerprint != metadata.fingerprint:
            self._catalog.close()
            raise mismatch(path, metadata, package)
        self._engine = QueryEngine(path, self._catalog, self._lock, package)

    @classmethod
    def open(
        cls, path: PathLike, model: PathLike | None = None, *, create: bool = False, readonly: bool = False
    ) -> Library:
        """Open a library.

        Args:
            path: The library's folder.
            model: Name of a bundled model, or path of a model package; by default the model that the library was built
                with.
            create: Create the library if there is none.
            readonly: Refuse to write. Works in folders without write access.

        Raises:
            LibraryNotFoundError: There is no library.
            ModelMismatchError: It was built with another model.
            LibraryCorruptError: Its catalog is damaged, or missing.
        """
        folder = _folder(path)
        package = None if model is None else load_model_package(model)
        try:
            return cls(folder, package, readonly=readonly)
        except LibraryNotFoundError:
            if not create or readonly:
                raise
        except OldFormatError:
            if readonly:
                raise
            with WriterLock(folder):
                upgrade_catalog(folder)
            return cls(folder, package, readonly=readonly)
        return cls.create(folder, model)

    @classmethod
    def create(cls, path: PathLike, model: PathLike | None = None) -> Library:
        """Create an empty library, or open the existing one. See ``open``."""
        folder = _folder(path)
        package = load_model_package(DEFAULT_MODEL if model is None else model)
        try:
            make_folders(folder)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            reason = getattr(error, "strerror", error)
            raise LibraryError(
                f"cannot be created ({reason}).", subject=folder, remedy="Choose another folder for the library."
            ) from error
        with WriterLock(folder):
            catalog = Catalog(folder, create=metadata_of(package))
            try:
                _update_library_file(folder, catalog)
            finally:
                catalog.close()
        return cls(folder, package, readonly=False)

    def close(self) -> None:
        """Close the library. It cannot be used afterwards."""
        with self._lock:
            self._catalog.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Return the number of photos in the library."""
        with self._lock:
            return self._catalog.count()

    # --- writing ----------

    def add(
        self,
        folders: Iterable[PathLike] | PathLike,
        progress: ProgressCallback | None = None,
        *,
        exclude: Iterable[str] | None = None,
        follow_symlinks: bool | None = None,
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
            within: Folders that symbolic links must not lead out of, for folders that others can write to. Links that
                do are failures. By default, links may lead anywhere.

        Raises:
            InputError: One of the folders does not exist, or a pattern is invalid.
            LibraryLockedError: Another process is writing.
            ModelMismatchError: The model is not the one that the library was built with.
        """
        paths = _absolute(folders)
        for path in paths:
            if not os.path.exists(path):  # noqa: PTH110  on bytes
                raise InputError("no such folder.", subject=os.fsdecode(path), remedy="Check the spelling of the path.")
        patterns = None if exclude is None else tuple(pattern for pattern in exclude if pattern)
        with self._writing() as catalog:
            rules = catalog.scan_rules()
            rules = ScanRules(
                rules.exclude if patterns is None else patterns,
                rules.follow_symlinks if follow_symlinks is None else follow_symlinks,
            )
            # A path that was removed comes back if it, or a folder in it, is named.
            named = set(paths).union(*map(parents, paths))
            excluded = [path for path in catalog.excluded() if path not in named]
            with catalog.transaction():
                catalog.set_roots(without_nested(catalog.roots() + paths), excluded)
                catalog.set_scan_rules(rules)
            return self._update(catalog, without_nested(paths), progress, within)

    def sync(
        self, progress: ProgressCallback | None = None, *, within: Iterable[PathLike] | None = None
    ) -> IndexReport:
        """Bring the library up to date with every folder that was added. See ``add``.

        If a folder is not there (a drive that is not connected, for example), its photos stay, and the folder is
        reported as a failure.
        """
        with self._writing() as catalog:
            return self._update(catalog, catalog.roots(), progress, within)

    def remove(self, paths: Iterable[PathLike] | PathLike) -> int:
        """Remove photos and folders from the library. Files are not touched.

        ``sync`` skips removed paths until they are added again by name.

        Returns:
            Number of photos removed.

        Raises:
            InputError: A path is neither in the library nor does it exist in one of its folders. Nothing is removed.
        """
        gone = _absolute(paths)
        with self._writing() as catalog:
            roots, excluded = catalog.roots(), catalog.excluded()
            for path in gone:
                if not (catalog.holds(path) or _is_there(path, roots) or any(lies_in(root, path) for root in roots)):
                    raise InputError(
                        "not in the library.", subject=os.fsdecode(path), remedy="Check the path's spelling."
                    )
            removed = 0
            with catalog.transaction():
                for path in gone:
                    removed += catalog.drop_below(path)
                    roots = [root for root in roots if not lies_in(root, path)]
                    excluded = [other for other in excluded if not lies_in(other, path)]
                    if any(lies_in(path, root) for root in roots):
                        excluded.append(path)
                catalog.set_roots(roots, excluded)
            IndexMirror.of(self.path, catalog.metadata()).save(catalog)
        return removed

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
        from sketchseek.search.re_embed import re_embed

        with self._writing() as catalog:
            chosen = catalog.metadata().model if model is None else model
            package = load_model_package(chosen)
            report = re_embed(catalog, Encoder(package, threads=1), metadata_of(package), progress)
            IndexMirror.of(self.path, catalog.metadata()).save(catalog)
        self._engine.use(package)
        return report

    def _update(
        self,
        catalog: Catalog,
        folders: Sequence[bytes],
        progress: ProgressCallback | None,
        within: Iterable[PathLike] | None,
    ) -> IndexReport:
        from sketchseek.search.update import update

        encoder = Encoder(self._engine.package(catalog.metadata()), threads=1)
        real = None if within is None else [real_path(absolute(folder)) for folder in within]
        return update(self.path, catalog, encoder, folders, progress, real)

    @contextmanager
    def _writing(self) -> Iterator[Catalog]:
        if self._readonly:
            raise LibraryError(
                "opened for reading only, and cannot be written to.",
                subject=self.path,
                remedy="Use a process that opened it for writing (in Python: readonly=False).",
            )
        with WriterLock(self.path):
            catalog = Catalog(self.path, write=True)
            try:
                try:
                    yield catalog
                finally:
                    _update_library_file(self.path, catalog)
            finally:
                catalog.close()

    # --- searching ----------

    def search(
        self, sketch: SketchSource, k: int = 10, *, offset: int = 0, filter: Filter | None = None
    ) -> SearchResults:
        """Find the photos that match a sketch best.

        Args:
            sketch: Strokes, SVG or an image; see ``sketchseek.sketches.rasterize_sketch``.
            k: Maximum number of results.
            offset: Number of best results to skip, for paging.
            filter: Which photos may be returned; by default every photo.

        Returns:
            Results, best first; fewer than ``k`` if there are no more photos.

        Raises:
            SketchError: The sketch cannot be read; EmptySketchError if it has no ink.
            InputError: ``k``, ``offset`` or ``filter`` is invalid.
        """
        return SearchResults(self._engine.search_sketch(sketch, _params(k, offset, filter)))

    def search_query(
        self, query: Query, k: int = 10, *, offset: int = 0, filter: Filter | None = None
    ) -> SearchResults:
        """Find photos with several sketches and photos, with words, or with all of them together.

        Args:
            query: What to search for; see ``sketchseek.search.combined_query.Query``.
            k, offset, filter: See ``search``.

        Returns:
            Results, best first. If several criteria count, ``SearchResult.parts`` says what each contributed.

        Raises:
            SketchError, ImageError: A sketch or a photo cannot be read.
            InputError: An example has the id of no photo, or an invalid embedding.
        """
        return SearchResults(self._engine.search_query(query, _params(k, offset, filter)))

    def search_photo(
        self, photo: ImageSource | int, k: int = 10, *, offset: int = 0, filter: Filter | None = None
    ) -> SearchResults:
        """Find the photos that look most like a photo. A photo of the library is not among its own results.

        Args:
            photo: Id of a photo in the library, or a path, an image's bytes or a PIL image.
            k, offset, filter: See ``search``.

        Raises:
            ImageError: The photo cannot be read.
            InputError: There is no photo with this id.
        """
        return SearchResults(self._engine.search_photo(photo, _params(k, offset, filter)))

    def search_embedding(
        self, embedding: npt.ArrayLike, k: int = 10, *, offset: int = 0, filter: Filter | None = None
    ) -> SearchResults:
        """Find the photos whose embeddings are nearest to a query embedding.

        Args:
            embedding: Embedding by the library's model, (d,); need not have unit length.
            k, offset, filter: See ``search``.

        Raises:
            InputError: It has another shape, is not finite, or is zero.
        """
        return SearchResults(self._engine.search_embedding(embedding, _params(k, offset, filter)))

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
    ) -> SearchResults:
        """Search again with relevance feedback; see ``sketchseek.search.feedback``.

        Args:
            sketch, embedding, photo: The original query; give exactly one. See ``search``, ``search_embedding`` and
                ``search_photo``.
            positive: Ids of photos with positive feedback.
            negative: Ids of photos with negative feedback; they are not returned again.
            k, offset, filter: See ``search``.

        Raises:
            InputError: There is not exactly one query, an id is unknown, or an id has both kinds of feedback.
        """
        return SearchResults(
            self._engine.refine(sketch, embedding, photo, positive, negative, _params(k, offset, filter))
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
        return explain(self.encoder, asked, (embedded.query, embedded.examples, embedded.factors), photo, known.path)

    # --- reading ----------

    def count(self, filter: Filter | None = None) -> int:
        """Return how many photos a search with this filter can find. The number is cached until the library changes."""
        return self._engine.count(filter or Filter())

    def count_query(self, query: Query, filter: Filter | None = None) -> int:
        """Return how many photos ``search_query`` can find."""
        return self._engine.count_query(query, filter or Filter())

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
        with self._lock:
            metadata = self._catalog.metadata()
        package = load_model_package(metadata.model if model is None else model)
        return package.manifest.fingerprint == metadata.fingerprint

    def photo(self, photo: int) -> LibraryPhoto | None:
        """Return a photo by its id, or None if there is none."""
        with self._lock:
            return self._catalog.photo(photo)

    def embedding(self, photo: int) -> npt.NDArray[np.float32]:
        """Return a photo's embedding, (d,) float32.

        Raises:
            InputError: There is no photo with this id.
        """
        return self._engine.embedding(photo)

    def status(self) -> Status:
        """Return the library's status."""
        with self._lock, self._catalog.snapshot():
            return status_of(self.path, self._catalog, self._engine.mirror)

    def failures(self) -> list[Failure]:
        """Return the files that could not be indexed and the folders that could not be read, with reasons."""
        with self._lock:
            return self._catalog.failures()

    def verify(self, *, sample: int = 0) -> Verification:
        """Check the catalog's integrity, every embedding, the index on disk, and the model package.

        Args:
            sample: Number of photos, chosen at random, to embed again and to compare with what is stored.
        """
        from sketchseek.search.verify import verify

        catalog = Catalog(self.path)
        try:
            return verify(self.path, catalog, self._engine.package, sample=sample)
        finally:
            catalog.close()


def _is_there(path: bytes, roots: Sequence[bytes]) -> bool:
    """Return whether a path exists in one of the folders."""
    return os.path.lexists(path) and any(lies_in(path, root) for root in roots)


def _update_library_file(folder: Path, catalog: Catalog) -> None:
    """Bring ``library.json`` up to date. Only ``repair`` reads it, so nothing fails if that does."""
    try:
        library_file.update(folder, catalog)
    except (OSError, LibraryError) as error:
        _log.warning("Cannot write %s (%s).", folder / library_file.FILE, error)


def _folder(path: PathLike) -> Path:
    """Return a library's folder, with ``~`` expanded."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  Path.expanduser raises if there is no such user


def _params(k: int, offset: int, filter: Filter | None) -> SearchParams:
    return SearchParams(k, offset, filter or Filter())


def _absolute(paths: Iterable[PathLike] | PathLike) -> list[bytes]:
    some = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    return [from_user(path) for path in some]
