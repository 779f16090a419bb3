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
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sketchseek.encoder import Encoder
from sketchseek.errors import InputError
from sketchseek.models.package import load_model_package
from sketchseek.search.combined_query import Example, Query
from sketchseek.search.library_search import LibrarySearch
from sketchseek.search.object_path import PhotoPath, is_uri
from sketchseek.search.results import (
    Failure,
    IndexReport,
    LibraryPhoto,
    ProgressCallback,
    Status,
    Verification,
)
from sketchseek.sketches import SketchSource

if TYPE_CHECKING:
    from sketchseek.search.explain import Explanation

PathLike = str | os.PathLike[str]

LANCE_TABLE = "photos.lance"
"""Name of the table that a library in Lance consists of."""


class Library(LibrarySearch):
    """A catalog of photos and an index of their embeddings, in a folder. ``LibrarySearch`` has its searches.

    Any number of processes may search a library while one writes to it; searches find new photos once they are
    committed. Several threads may use one ``Library``.
    """

    path: PhotoPath

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
        regions: bool | None = None,
        frames: bool | None = None,
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
            regions: Whether halves of photos are embedded, too, so that a sketch of two objects finds them in their
                places (``Query.parts``). Indexing then takes about six times as long. By default, what the library
                was told before, at first no. Not in a library in Lance.
            frames: Whether several frames of videos and animated pictures are embedded, so that a search finds what is
                shown later than at the beginning. By default, what the library was told before, at first no. Not in a
                library in Lance.

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

    # --- reading ----------

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
