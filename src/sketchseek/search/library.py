"""A library: photos indexed for finding them with a sketch.

::

    with Library.open("pictures.library", create=True) as library:
        library.add(["~/Pictures"])
        for result in library.search("cat.svg"):
            print(result.rank, result.path)
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from sketchseek.encoder import Encoder
from sketchseek.errors import InputError, LibraryError, LibraryNotFoundError
from sketchseek.images import ImageSource
from sketchseek.models.package import DEFAULT_MODEL, ModelPackage, load_model_package
from sketchseek.search.catalog import Catalog
from sketchseek.search.filters import Filter
from sketchseek.search.index_mirror import IndexMirror
from sketchseek.search.library_model import facts_of, mismatch
from sketchseek.search.lock import WriterLock
from sketchseek.search.query import QueryEngine, SearchParams
from sketchseek.search.results import (
    Failure,
    IndexProgress,
    IndexReport,
    Photo,
    SearchResult,
    Status,
    Verification,
)
from sketchseek.search.scan import from_user, lies_in, parents, without_nested
from sketchseek.search.status import status_of
from sketchseek.sketches import SketchSource

PathLike = str | os.PathLike[str]
Progress = Callable[[IndexProgress], object]


class Library:
    """A folder that holds a catalog of photos and an index of their vectors.

    Any number of processes may search a library while one writes to it; searches see new photos as they are committed.
    One ``Library`` may be used from several threads.
    """

    def __init__(self, path: Path, package: ModelPackage | None, *, readonly: bool) -> None:
        """Use ``Library.open`` or ``Library.create``."""
        self.path = path
        self._readonly = readonly
        self._catalog = Catalog(path)
        self._lock = threading.RLock()
        facts = self._catalog.meta()
        if package is not None and package.manifest.fingerprint != facts["fingerprint"]:
            self._catalog.close()
            raise mismatch(path, facts, package)
        self._finder = QueryEngine(path, self._catalog, self._lock, package)

    @classmethod
    def open(
        cls, path: PathLike, model: PathLike | None = None, *, create: bool = False, readonly: bool = False
    ) -> Library:
        """Open a library.

        Args:
            path: The library's folder.
            model: Name of a bundled package or path of one; by default the one that the library was built with.
            create: Make the library where there is none.
            readonly: Refuse to write; works in folders that cannot be written to.

        Raises:
            LibraryNotFoundError: There is no library.
            ModelMismatchError: It was built with another package.
            LibraryCorruptError: Its catalog is damaged.
        """
        folder = _folder(path)
        try:
            return cls(folder, None if model is None else load_model_package(model), readonly=readonly)
        except LibraryNotFoundError:
            if not create or readonly:
                raise
        return cls.create(folder, model)

    @classmethod
    def create(cls, path: PathLike, model: PathLike | None = None) -> Library:
        """Make an empty library, or open the one that is there. See ``open``."""
        folder = _folder(path)
        package = load_model_package(DEFAULT_MODEL if model is None else model)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:  # ValueError where there is a NUL in the name
            reason = getattr(error, "strerror", error)
            raise LibraryError(
                f"{folder}: cannot be made ({reason}).", remedy="Choose another folder for the library."
            ) from error
        with WriterLock(folder):
            Catalog(folder, create=facts_of(package)).close()
        return cls(folder, package, readonly=False)

    def close(self) -> None:
        """Close the catalog. The library cannot be used afterwards."""
        with self._lock:
            self._catalog.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """How many photos are in the library."""
        with self._lock:
            return self._catalog.count()

    # --- writing ----------

    def add(self, folders: Iterable[PathLike] | PathLike, progress: Progress | None = None) -> IndexReport:
        """Index folders with all folders below them, and keep them for ``sync``.

        Photos that are in the library already are not embedded again; those whose files are gone from the folders are
        removed. An interrupt (KeyboardInterrupt) leaves what is done committed, and calling again goes on from there.

        Args:
            folders: Folders or single files.
            progress: Called about every two seconds, after what it reports was committed.

        Raises:
            InputError: One of the folders does not exist.
            LibraryLockedError: Another process is writing.
            ModelMismatchError: The package is not the one that the library was built with.
        """
        paths = _absolute(folders)
        for path in paths:
            if not os.path.exists(path):  # noqa: PTH110  on bytes
                raise InputError(f"{os.fsdecode(path)}: no such folder.", remedy="Check the spelling of the path.")
        with self._writing() as catalog:
            # What was removed once comes back when it, or a folder in it, is named.
            named = set(paths).union(*map(parents, paths))
            excluded = [path for path in catalog.excluded() if path not in named]
            with catalog.transaction():
                catalog.set_roots(without_nested(catalog.roots() + paths), excluded)
            return self._update(catalog, without_nested(paths), progress)

    def sync(self, progress: Progress | None = None) -> IndexReport:
        """Bring the library up to date with every folder that was added. See ``add``.

        The photos of a folder that is not there (a drive that is not connected) stay, and the folder is among the
        failures.
        """
        with self._writing() as catalog:
            return self._update(catalog, catalog.roots(), progress)

    def remove(self, paths: Iterable[PathLike] | PathLike) -> int:
        """Take photos and folders out of the library; files are not touched.

        ``sync`` leaves out what was removed from a folder that it visits, until it is added again by name.

        Returns:
            How many photos were removed.
        """
        gone = _absolute(paths)
        with self._writing() as catalog:
            roots, excluded = catalog.roots(), catalog.excluded()
            removed = 0
            with catalog.transaction():
                for path in gone:
                    removed += catalog.drop_below(path)
                    roots = [root for root in roots if not lies_in(root, path)]
                    excluded = [other for other in excluded if not lies_in(other, path)]
                    if any(lies_in(path, root) for root in roots):
                        excluded.append(path)
                catalog.set_roots(roots, excluded)
            IndexMirror.of(self.path, catalog.meta()).save(catalog)
        return removed

    def re_embed(self, model: PathLike | None = None, progress: Progress | None = None) -> IndexReport:
        """Embed every photo anew with another package.

        The new vectors are gathered beside the old ones, which answer until the last one is ready; then all change in
        one transaction. After an interrupt, calling again goes on from there.

        Args:
            model: Name of a bundled package or path of one; by default the library's own name, as it is now.
            progress: See ``add``.

        Raises:
            LibraryError: One of the library's folders is not there.
        """
        from sketchseek.search.re_embed import re_embed

        with self._writing() as catalog:
            chosen = catalog.meta()["model"] if model is None else model
            package = load_model_package(chosen)
            report = re_embed(catalog, Encoder(package, threads=1), facts_of(package), progress)
            IndexMirror.of(self.path, catalog.meta()).save(catalog)
        self._finder.use(package)
        return report

    def _update(self, catalog: Catalog, folders: Sequence[bytes], progress: Progress | None) -> IndexReport:
        from sketchseek.search.update import update

        encoder = Encoder(self._finder.package(catalog.meta()), threads=1)
        return update(self.path, catalog, encoder, folders, progress)

    @contextmanager
    def _writing(self) -> Iterator[Catalog]:
        if self._readonly:
            raise LibraryError(f"{self.path}: opened with readonly=True.", remedy="Open it without, to write to it.")
        with WriterLock(self.path):
            catalog = Catalog(self.path, write=True)
            try:
                yield catalog
            finally:
                catalog.close()

    # --- searching ----------

    def search(
        self,
        sketch: SketchSource,
        k: int = 10,
        folder: PathLike | None = None,
        *,
        after: datetime | None = None,
        before: datetime | None = None,
        offset: int = 0,
    ) -> list[SearchResult]:
        """Find the photos that look most like a sketch.

        Args:
            sketch: Strokes, SVG, a picture; see ``sketchseek.sketches.rasterize_sketch``.
            k: How many to find.
            folder: Only look in this folder and below it.
            after, before: Only find photos whose file time is ``after`` or later, and earlier than ``before``; without
                a time zone they are local times.
            offset: Leave out this many of the best, to go on where another search ended.

        Returns:
            Best first; fewer than ``k`` where there are no more photos.

        Raises:
            SketchError: The sketch cannot be read; EmptySketchError where it has no ink.
        """
        return self._finder.by_sketch(sketch, SearchParams.of(k, folder, after, before, offset))

    def search_photo(
        self,
        photo: ImageSource | int,
        k: int = 10,
        folder: PathLike | None = None,
        *,
        after: datetime | None = None,
        before: datetime | None = None,
        offset: int = 0,
    ) -> list[SearchResult]:
        """Find the photos that look most like a photo, itself left out where it is in the library.

        Args:
            photo: The id of a photo in the library, a path, a picture's bytes, or a PIL image.
            k, folder, after, before, offset: See ``search``.

        Raises:
            ImageError: The photo cannot be read.
            InputError: There is no photo with this id.
        """
        return self._finder.by_photo(photo, SearchParams.of(k, folder, after, before, offset))

    def search_vector(
        self,
        vector: npt.ArrayLike,
        k: int = 10,
        folder: PathLike | None = None,
        *,
        after: datetime | None = None,
        before: datetime | None = None,
        offset: int = 0,
    ) -> list[SearchResult]:
        """Find the photos whose vectors are nearest to a vector, (d,).

        Args:
            vector: An embedding by the library's package; of any length where the distance is ``cosine``.
            k, folder, after, before, offset: See ``search``.

        Raises:
            InputError: It has another shape, is not finite, or is zero.
        """
        return self._finder.by_vector(vector, SearchParams.of(k, folder, after, before, offset))

    def refine(
        self,
        sketch: SketchSource | None = None,
        *,
        vector: npt.ArrayLike | None = None,
        photo: ImageSource | int | None = None,
        right: Sequence[int] = (),
        wrong: Sequence[int] = (),
        k: int = 10,
        folder: PathLike | None = None,
        after: datetime | None = None,
        before: datetime | None = None,
        offset: int = 0,
    ) -> list[SearchResult]:
        """Search again with feedback; see ``sketchseek.search.feedback``.

        Args:
            sketch, vector, photo: The query as it was, one of the three; see ``search``, ``search_vector`` and
                ``search_photo``.
            right, wrong: Ids of photos that answered it well, or badly; the latter are not found again.
            k, folder, after, before, offset: See ``search``.

        Raises:
            InputError: There is not one query, or no photo with one of the ids; or a photo is right and wrong.
        """
        params = SearchParams.of(k, folder, after, before, offset)
        return self._finder.refined(sketch, vector, photo, right, wrong, params)

    # --- looking ----------

    def count(
        self,
        folder: PathLike | None = None,
        after: datetime | None = None,
        before: datetime | None = None,
    ) -> int:
        """How many photos a search within these bounds can find; see ``search``. Counted once after each change.

        Raises:
            InputError: ``after`` is not before ``before``.
        """
        return self._finder.count(Filter.of(folder, after, before))

    @property
    def encoder(self) -> Encoder:
        """The library's encoders.

        Raises:
            ModelMismatchError: The library was meanwhile embedded with another package than the one asked for, or
                its own package has changed.
        """
        return self._finder.encoder

    def is_built_with(self, model: PathLike | None = None) -> bool:
        """Whether the library's vectors are by this package; by default its own, which an update may have changed.

        Args:
            model: Name of a bundled package or path of one.

        Raises:
            ModelPackageError: There is no such package.
        """
        with self._lock:
            facts = self._catalog.meta()
        package = load_model_package(facts["model"] if model is None else model)
        return package.manifest.fingerprint == facts["fingerprint"]

    def photo(self, photo: int) -> Photo | None:
        """What the catalog knows of a photo; ``None`` where there is none with this id."""
        with self._lock:
            return self._catalog.photo(photo)

    def vector(self, photo: int) -> npt.NDArray[np.float32]:
        """A photo's vector, (d,) float32.

        Raises:
            InputError: There is no photo with this id.
        """
        return self._finder.vector(photo)

    def status(self) -> Status:
        """The library at a glance."""
        with self._lock, self._catalog.snapshot():
            return status_of(self.path, self._catalog, self._finder.mirror)

    def failures(self) -> list[Failure]:
        """Files that could not be indexed and folders that could not be read, each with its reason."""
        with self._lock:
            return self._catalog.failures()

    def verify(self) -> Verification:
        """Check the library's files: SQLite's integrity, every vector, the index on disk, and the package."""
        from sketchseek.search.verify import verify

        catalog = Catalog(self.path)
        try:
            return verify(self.path, catalog, self._finder.package)
        finally:
            catalog.close()


def _folder(path: PathLike) -> Path:
    """A library's folder as the user named it."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  Path.expanduser raises where there is no such user


def _absolute(paths: Iterable[PathLike] | PathLike) -> list[bytes]:
    some = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    return [from_user(path) for path in some]
