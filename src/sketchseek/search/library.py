"""A library: photos indexed for finding them with a drawing.

::

    with Library.open("pictures.library", create=True) as library:
        library.add(["~/Pictures"])
        for result in library.search("cat.svg"):
            print(result.rank, result.path)
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import cast

import numpy as np
import numpy.typing as npt

from sketchseek.artefact import DEFAULT_MODEL, Artefact, Metric, load_artefact
from sketchseek.drawings import DrawingSource
from sketchseek.encoder import Encoder
from sketchseek.errors import (
    InputError,
    LibraryError,
    LibraryNotFoundError,
)
from sketchseek.images import PictureSource
from sketchseek.search.catalog import Catalog
from sketchseek.search.follower import Follower
from sketchseek.search.identity import artefact_of, facts_of, mismatch
from sketchseek.search.index.engine import available_cores
from sketchseek.search.lock import WriterLock
from sketchseek.search.narrowing import Narrowing, NarrowingCache
from sketchseek.search.nearest import check_k, check_vector, nearest
from sketchseek.search.refine import rocchio
from sketchseek.search.results import (
    Failure,
    IndexProgress,
    IndexReport,
    Photo,
    SearchResult,
    Status,
    Verification,
)
from sketchseek.search.scan import absolute, lies_in, parents, without_nested
from sketchseek.search.status import status_of

__all__ = [
    "Failure",
    "IndexProgress",
    "IndexReport",
    "Library",
    "Photo",
    "SearchResult",
    "Status",
    "Verification",
]

PathLike = str | os.PathLike[str]
Progress = Callable[[IndexProgress], object]


class Library:
    """A folder that holds a catalogue of photos and an index of their vectors.

    Any number of processes may search a library while one writes to it; searches see new photos as they are committed.
    One ``Library`` may be used from several threads.
    """

    def __init__(self, path: Path, artefact: Artefact | None, *, readonly: bool) -> None:
        """Use ``Library.open`` or ``Library.create``."""
        self.path = path
        self._readonly = readonly
        self._catalog = Catalog(path)
        self._lock = threading.RLock()
        self._encoder: Encoder | None = None
        self._chosen = artefact
        self._within = NarrowingCache()
        self._counted = (-1, 0)  # the catalogue's changes, and its photos then
        facts = self._catalog.meta()
        if artefact is not None and artefact.manifest.fingerprint != facts["fingerprint"]:
            self._catalog.close()
            raise mismatch(path, facts, artefact)
        self._follower = self._new_follower(facts)

    @classmethod
    def open(
        cls, path: PathLike, model: PathLike | None = None, *, create: bool = False, readonly: bool = False
    ) -> Library:
        """Open a library.

        Args:
            path: The library's folder.
            model: Name of a bundled artefact or path of one; by default the one that the library was built with.
            create: Make the library where there is none.
            readonly: Refuse to write; works in folders that cannot be written to.

        Raises:
            LibraryNotFoundError: There is no library.
            ArtefactMismatchError: It was built with another artefact.
            LibraryCorruptError: Its catalogue is damaged.
        """
        folder = Path(path).expanduser()
        try:
            return cls(folder, None if model is None else load_artefact(model), readonly=readonly)
        except LibraryNotFoundError:
            if not create or readonly:
                raise
        return cls.create(folder, model)

    @classmethod
    def create(cls, path: PathLike, model: PathLike | None = None) -> Library:
        """Make an empty library, or open the one that is there. See ``open``."""
        folder = Path(path).expanduser()
        artefact = load_artefact(DEFAULT_MODEL if model is None else model)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(
                f"{folder}: cannot be made ({error.strerror}).", remedy="Choose another folder for the library."
            ) from error
        with WriterLock(folder):
            Catalog(folder, create=facts_of(artefact)).close()
        return cls(folder, artefact, readonly=False)

    def close(self) -> None:
        """Close the catalogue. The library cannot be used afterwards."""
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
            ArtefactMismatchError: The artefact is not the one that the library was built with.
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
            self._new_follower(catalog.meta()).save(catalog)
        return removed

    def re_embed(self, model: PathLike | None = None, progress: Progress | None = None) -> IndexReport:
        """Embed every photo anew with another artefact.

        The new vectors are gathered beside the old ones, which answer until the last one is ready; then all change in
        one transaction. After an interrupt, calling again goes on from there.

        Args:
            model: Name of a bundled artefact or path of one; by default the library's own name, as it is now.
            progress: See ``add``.

        Raises:
            LibraryError: One of the library's folders is not there.
        """
        from sketchseek.search.embedding import re_embed

        with self._writing() as catalog:
            chosen = catalog.meta()["model"] if model is None else model
            artefact = load_artefact(chosen)
            report = re_embed(catalog, Encoder(artefact, threads=1), facts_of(artefact), progress)
            self._new_follower(catalog.meta()).save(catalog)
        with self._lock:
            self._chosen, self._encoder = artefact, None
            self._follower = self._new_follower(self._catalog.meta())
        return report

    def _update(self, catalog: Catalog, folders: Sequence[bytes], progress: Progress | None) -> IndexReport:
        from sketchseek.search.update import Update

        start = time.monotonic()
        encoder = Encoder(self._artefact(catalog.meta()), threads=1)
        reader = Catalog(self.path)
        try:
            report = Update(catalog, reader, encoder, folders, progress=progress).run()
        finally:
            reader.close()
        if progress is not None:
            progress(IndexProgress("index", 0, 1, report.indexed, report.failed, report.moved))
        self._new_follower(catalog.meta()).save(catalog)
        return IndexReport(**{**vars(report), "seconds": time.monotonic() - start})

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
        drawing: DrawingSource,
        k: int = 10,
        folder: PathLike | None = None,
        *,
        after: datetime | None = None,
        before: datetime | None = None,
        offset: int = 0,
    ) -> list[SearchResult]:
        """Find the photos that look most like a drawing.

        Args:
            drawing: Strokes, SVG, a picture; see ``sketchseek.drawings.raster_drawing``.
            k: How many to find.
            folder: Only look in this folder and below it.
            after, before: Only find photos whose file time is ``after`` or later, and earlier than ``before``; without
                a time zone they are local times.
            offset: Leave out this many of the best, to go on where another search ended.

        Returns:
            Best first; fewer than ``k`` where there are no more photos.

        Raises:
            DrawingError: The drawing cannot be read; EmptyDrawingError where it has no ink.
        """
        within = Narrowing.of(folder, after, before)
        return self._search(lambda encoder: encoder.embed_drawing(drawing), k, within, offset)

    def search_photo(
        self,
        photo: PictureSource | int,
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
            PictureError: The photo cannot be read.
            InputError: There is no photo with this id.
        """
        within = Narrowing.of(folder, after, before)
        known: int | None = None
        if isinstance(photo, (int, np.integer)):
            known = int(photo)
        elif isinstance(photo, (str, os.PathLike)):
            with self._lock:
                known = self._catalog.id_of(absolute(photo))
        if known is None:
            source = cast(PictureSource, photo)
            return self._search(lambda encoder: encoder.embed_photo(source), k, within, offset)
        while True:
            with self._lock, self._catalog.snapshot():
                vector, space = self.vector(known), self._catalog.meta()["fingerprint"]
            try:
                return self._find(vector, k, within, offset, without={known}, space=space)
            except _EmbeddedAnewError:
                continue

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
            vector: An embedding by the library's artefact; of any length where the metric is ``cosine``.
            k, folder, after, before, offset: See ``search``.

        Raises:
            InputError: It has another shape, is not finite, or is zero.
        """
        within = Narrowing.of(folder, after, before)
        return self._find(np.asarray(vector, dtype=np.float32), k, within, offset)

    def refine(
        self,
        drawing: DrawingSource | None = None,
        *,
        vector: npt.ArrayLike | None = None,
        photo: PictureSource | int | None = None,
        right: Sequence[int] = (),
        wrong: Sequence[int] = (),
        k: int = 10,
        folder: PathLike | None = None,
        after: datetime | None = None,
        before: datetime | None = None,
        offset: int = 0,
    ) -> list[SearchResult]:
        """Search again with feedback; see ``sketchseek.search.refine``.

        Args:
            drawing, vector, photo: The query as it was, one of the three; see ``search``, ``search_vector`` and
                ``search_photo``.
            right, wrong: Ids of photos that answered it well, or badly; the latter are not found again.
            k, folder, after, before, offset: See ``search``.

        Raises:
            InputError: There is not one query, or no photo with one of the ids; or a photo is right and wrong.
        """
        if sum(one is not None for one in (drawing, vector, photo)) != 1:
            raise InputError("a query to refine is one of drawing, vector and photo.")
        if both := sorted({*right} & {*wrong}):
            raise InputError(f"photo {both[0]} is marked as right and as wrong.", remedy="Mark it as one of the two.")
        within = Narrowing.of(folder, after, before)
        without = {*wrong, *([int(photo)] if isinstance(photo, (int, np.integer)) else [])}
        while True:
            with self._lock, self._catalog.snapshot():
                facts = self._catalog.meta()
                known = self.vector(int(photo)) if isinstance(photo, (int, np.integer)) else None
                marked = [[self.vector(one) for one in ids] for ids in (right, wrong)]
            dimension, metric = int(facts["embedding"]), cast(Metric, facts["metric"])
            if vector is not None:
                query = check_vector(np.asarray(vector, dtype=np.float32), dimension, metric)
            elif known is not None:
                query = known
            elif photo is not None:
                query = self.encoder.embed_photo(cast(PictureSource, photo))
            else:
                query = self.encoder.embed_drawing(cast(DrawingSource, drawing))
            good, bad = (np.array(vectors, np.float32).reshape(-1, dimension) for vectors in marked)
            try:
                moved = rocchio(query, good, bad, metric=metric)
                return self._find(moved, k, within, offset, without=without, space=facts["fingerprint"])
            except _EmbeddedAnewError:
                continue

    def _search(
        self, embed: Callable[[Encoder], npt.NDArray[np.float32]], k: int, within: Narrowing, offset: int
    ) -> list[SearchResult]:
        check_k(k)
        while True:
            encoder = self.encoder
            try:
                return self._find(embed(encoder), k, within, offset, space=encoder.manifest.fingerprint)
            except _EmbeddedAnewError:
                continue

    def _find(
        self,
        vector: npt.NDArray[np.float32],
        k: int,
        within: Narrowing,
        offset: int,
        *,
        without: Collection[int] = (),
        space: str | None = None,
    ) -> list[SearchResult]:
        check_k(k)
        if offset < 0:
            raise InputError(f"offset is {offset}; it must be at least 0.")
        with self._lock, self._catalog.snapshot():
            facts = self._catalog.meta()
            if space is not None and facts["fingerprint"] != space:
                raise _EmbeddedAnewError
            query = check_vector(vector, int(facts["embedding"]), cast(Metric, facts["metric"]))
            if (self._follower.dimension, self._follower.metric) != (len(query), facts["metric"]):
                self._follower = self._new_follower(facts)
            index = self._follower.current(self._catalog, facts)
            allowed = self._within.ids(self._catalog, within, int(facts["changes"])) if within else None
            ids, scores = nearest(index, self._catalog, query, offset + k + len(without), allowed)
            pairs = [(int(i), float(s)) for i, s in zip(ids, scores, strict=True) if int(i) not in without]
            pairs = pairs[offset : offset + k]
            photos = self._catalog.photos([photo for photo, _ in pairs])
        return [
            SearchResult(rank, photos[photo].path, score, photo)
            for rank, (photo, score) in enumerate(pairs, start=offset + 1)
        ]

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
        within = Narrowing.of(folder, after, before)
        with self._lock, self._catalog.snapshot():
            changes = int(self._catalog.meta()["changes"])
            if within:
                return len(self._within.ids(self._catalog, within, changes))
            if self._counted[0] != changes:
                self._counted = (changes, self._catalog.count())
            return self._counted[1]

    @property
    def encoder(self) -> Encoder:
        """The library's encoders.

        Raises:
            ArtefactMismatchError: The library was meanwhile embedded with another artefact than the one asked for, or
                its own artefact has changed.
        """
        with self._lock:
            facts = self._catalog.meta()
            if self._encoder is None or self._encoder.manifest.fingerprint != facts["fingerprint"]:
                self._encoder = Encoder(self._artefact(facts), threads=min(4, available_cores()))
            return self._encoder

    def is_built_with(self, model: PathLike | None = None) -> bool:
        """Whether the library's vectors are by this artefact; by default its own, which an update may have changed.

        Args:
            model: Name of a bundled artefact or path of one.

        Raises:
            ArtefactError: There is no such artefact.
        """
        with self._lock:
            facts = self._catalog.meta()
        artefact = load_artefact(facts["model"] if model is None else model)
        return artefact.manifest.fingerprint == facts["fingerprint"]

    def _artefact(self, facts: dict[str, str]) -> Artefact:
        return artefact_of(self.path, facts, self._chosen)

    def photo(self, photo: int) -> Photo | None:
        """What the catalogue knows of a photo; ``None`` where there is none with this id."""
        with self._lock:
            return self._catalog.photo(photo)

    def vector(self, photo: int) -> npt.NDArray[np.float32]:
        """A photo's vector, (d,) float32.

        Raises:
            InputError: There is no photo with this id.
        """
        with self._lock:
            vector = self._catalog.vector(photo)
        if vector is None:
            raise InputError(f"{self.path}: there is no photo with id {photo}.")
        return np.frombuffer(vector, np.float16).astype(np.float32)

    def status(self) -> Status:
        """The library at a glance."""
        with self._lock, self._catalog.snapshot():
            return status_of(self.path, self._catalog, self._follower)

    def failures(self) -> list[Failure]:
        """Files that could not be indexed and folders that could not be read, each with its reason."""
        with self._lock:
            return self._catalog.failures()

    def verify(self) -> Verification:
        """Check the library's files: SQLite's integrity, every vector, the index on disk, and the artefact."""
        from sketchseek.search.verify import verify

        catalog = Catalog(self.path)
        try:
            return verify(self.path, catalog, self._artefact)
        finally:
            catalog.close()

    def _new_follower(self, facts: dict[str, str]) -> Follower:
        return Follower(self.path, int(facts["embedding"]), cast(Metric, facts["metric"]))


class _EmbeddedAnewError(Exception):
    """The library was embedded anew between embedding the query and searching."""


def _absolute(paths: Iterable[PathLike] | PathLike) -> list[bytes]:
    some = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    return [absolute(Path(path).expanduser()) for path in some]
