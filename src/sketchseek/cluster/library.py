"""A library in Lance: in object storage, or in a folder that several machines share."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any

from sketchseek.cluster.extra import require_extra
from sketchseek.cluster.gallery import EXACT_BELOW
from sketchseek.cluster.indexing import Indexer
from sketchseek.cluster.maintenance import optimize
from sketchseek.cluster.query_engine import LanceQueryEngine, photo_of
from sketchseek.cluster.reading import read_photo
from sketchseek.cluster.runners import Runner, run_here
from sketchseek.cluster.sources import check_there, kind_of, lies_in
from sketchseek.cluster.state import State
from sketchseek.cluster.storage import normalized
from sketchseek.cluster.table import IS_FAILURE, Change, Snapshot, Table
from sketchseek.errors import ImageError, InputError, LibraryError, LibraryNotFoundError
from sketchseek.models import DEFAULT_MODEL
from sketchseek.models.package import ModelPackage, load_model_package
from sketchseek.search.library import LANCE_TABLE, Library, PathLike
from sketchseek.search.library_model import metadata_of, mismatch
from sketchseek.search.object_path import is_uri, photo_path
from sketchseek.search.results import (
    Failure,
    IndexReport,
    LibraryPhoto,
    ProgressCallback,
    Status,
    Verification,
)


class LanceLibrary(Library):
    """A library whose photos and embeddings are a table in Lance. See ``Library``.

    Several processes, on several machines, may write at the same time.

    Attributes:
        runner: Where photos are embedded; by default in threads of this process.
    """

    _engine: LanceQueryEngine

    def __init__(
        self,
        address: str,
        package: ModelPackage | None,
        *,
        readonly: bool,
        runner: Runner = run_here,
        exact_below: int = EXACT_BELOW,
    ) -> None:
        """Use ``Library.open`` or ``Library.create``."""
        self.path = photo_path(address)
        self.runner = runner
        self._table = Table(address)
        self._readonly = readonly
        self._exact_below = exact_below
        metadata = self._table.latest().metadata
        if package is not None and package.manifest.fingerprint != metadata.fingerprint:
            raise mismatch(self.path, metadata, package)
        self._engine = LanceQueryEngine(self.path, self._table, package, exact_below=exact_below)

    @classmethod
    def open(
        cls,
        path: PathLike,
        model: PathLike | None = None,
        *,
        create: bool = False,
        readonly: bool = False,
        runner: Runner = run_here,
        exact_below: int = EXACT_BELOW,
    ) -> LanceLibrary:
        """See ``Library.open``. ``exact_below`` is ``gallery.EXACT_BELOW``."""
        require_extra("lance", "obstore", "pyarrow")
        address = normalized(path)
        package = None if model is None else load_model_package(model)
        try:
            return cls(address, package, readonly=readonly, runner=runner, exact_below=exact_below)
        except LibraryNotFoundError:
            if not create or readonly:
                raise
        cls._create(address, load_model_package(DEFAULT_MODEL) if package is None else package)
        return cls(address, package, readonly=False, runner=runner, exact_below=exact_below)

    @classmethod
    def create(cls, path: PathLike, model: PathLike | None = None) -> LanceLibrary:
        """See ``Library.create``."""
        return cls.open(path, DEFAULT_MODEL if model is None else model, create=True)

    @staticmethod
    def _create(address: str, package: ModelPackage) -> None:
        if not is_uri(address) and os.path.isdir(address) and os.listdir(address) not in ([], [LANCE_TABLE]):  # noqa: PTH112, PTH208
            raise LibraryError("the folder has other files.", subject=address, remedy="Choose a new folder.")
        Table(address).create(State.new(metadata_of(package)))

    def close(self) -> None:
        """See ``Library.close``."""
        self._engine.close()

    def __len__(self) -> int:
        return self.count()

    # --- writing ----------

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
        """See ``Library.add``."""
        self._check_writable()
        for name, wanted in (("regions", regions), ("frames", frames)):
            if wanted:
                raise LibraryError(
                    f"a library in Lance cannot have {name}.",
                    subject=self.path,
                    remedy=f"Leave out --{name}, or use a library in a local folder.",
                )
        if within is not None:
            raise LibraryError("a library in Lance cannot limit where links lead.", subject=self.path)
        paths = _addresses(folders)
        for path in paths:
            check_there(path)
        patterns = None if exclude is None else tuple(exclude)  # more than one change may read them

        def change(snapshot: Snapshot) -> Change | None:
            state = snapshot.state
            changed = replace(
                state,
                folders=_without_nested((*state.folders, *paths)),
                # A path that was removed comes back if it, or a folder in it, is named.
                excluded=tuple(one for one in state.excluded if not any(lies_in(path, one) for path in paths)),
                **asdict(state.rules.updated(patterns, follow_symlinks, hidden)),
            )
            return None if changed == state else Change(changed)

        self._table.commit(change)
        return self._update(_without_nested(paths), progress)

    def sync(
        self, progress: ProgressCallback | None = None, *, within: Iterable[PathLike] | None = None
    ) -> IndexReport:
        """See ``Library.sync``."""
        self._check_writable()
        if within is not None:
            raise LibraryError("a library in Lance cannot limit where links lead.", subject=self.path)
        return self._update(self._table.latest().state.folders, progress)

    def _update(self, folders: tuple[str, ...], progress: ProgressCallback | None) -> IndexReport:
        self._engine.package(self._engine.refresh().metadata)  # fail here rather than on every machine
        try:
            report = Indexer(self._table, self.runner, progress).run(folders)
            optimize(self._table, exact_below=self._exact_below, mapper=getattr(self.runner, "map", None))
        finally:
            self._engine.refresh()
        return report

    def watch(
        self,
        progress: ProgressCallback | None = None,
        *,
        stop: threading.Event | None = None,
        polling: bool = False,
        settle: float = 2.0,
    ) -> Iterator[IndexReport]:
        """See ``Library.watch``.

        Raises:
            LibraryError: Always: object storage does not report changes.
        """
        raise LibraryError(
            "a library in Lance cannot be watched.",
            subject=self.path,
            remedy='Run "sketchseek sync" from time to time.',
        )

    def remove(self, paths: Iterable[PathLike] | PathLike) -> int:
        """See ``Library.remove``."""
        self._check_writable()
        gone = _addresses(paths)
        removed = 0

        def change(snapshot: Snapshot) -> Change:
            nonlocal removed
            state = snapshot.state
            below = _rows_below(snapshot, gone)
            for path, found in below.items():
                inside = any(lies_in(root, path) for root in state.folders)
                if not (found or inside or path in state.excluded or self._is_there(path, state.folders)):
                    raise InputError("not in the library.", subject=path, remedy="Check the path's spelling.")
            folders = tuple(root for root in state.folders if not any(lies_in(root, path) for path in gone))
            excluded = [one for one in state.excluded if not any(lies_in(one, path) for path in gone)]
            excluded += [
                path
                for path, found in below.items()
                if any(lies_in(path, root) for root in folders) or any(row["source"] in folders for row in found)
            ]
            drop = {row["id"]: row["reason"] is None for found in below.values() for row in found}
            removed = sum(drop.values())
            return Change(replace(state, folders=folders, excluded=tuple(dict.fromkeys(excluded))), (), drop.keys())

        self._table.commit(change)
        self._engine.refresh()
        return removed

    @staticmethod
    def _is_there(path: str, folders: Iterable[str]) -> bool:
        return not is_uri(path) and os.path.lexists(path) and any(lies_in(path, root) for root in folders)

    def re_embed(self, model: PathLike | None = None, progress: ProgressCallback | None = None) -> IndexReport:
        """See ``Library.re_embed``.

        Raises:
            LibraryError: Always: libraries in Lance cannot be embedded again yet.
        """
        raise LibraryError(
            "a library in Lance cannot be embedded again.",
            subject=self.path,
            remedy="Index its folders into a new library, with the other model.",
        )

    def _check_writable(self) -> None:
        if self._readonly:
            raise LibraryError(
                "opened for reading only, and cannot be written to.",
                subject=self.path,
                remedy="Use a process that opened it for writing (in Python: readonly=False).",
            )

    # --- reading ----------

    def photo(self, photo: int) -> LibraryPhoto | None:
        """See ``Library.photo``."""
        row = self._engine.facts(photo)
        return None if row is None else photo_of(row)

    def photo_bytes(self, photo: int) -> bytes:
        """See ``Library.photo_bytes``."""
        row = self._engine.facts(photo)
        if row is None:
            raise InputError(f"there is no photo with id {photo}.", subject=self.path)
        try:
            return read_photo(row["path"], row["version"])
        except OSError as error:
            raise ImageError(
                f"cannot be read ({error.strerror or 'it is gone'}).",
                subject=row["path"],
                remedy='Restore it, or run "sketchseek sync" to update the library.',
            ) from error

    def status(self) -> Status:
        """See ``Library.status``."""
        snapshot = self._engine.refresh()
        state = snapshot.state
        dataset = snapshot.dataset
        photos = self.count()
        with self._engine.snapshot():
            engine = self._engine.gallery.engine
        return Status(
            path=self.path,
            photos=photos,
            failures=int(dataset.count_rows(filter=IS_FAILURE)),
            folders=[photo_path(folder) for folder in state.folders],
            excluded=[photo_path(path) for path in state.excluded],
            model=state.name,
            fingerprint=state.fingerprint,
            dimensions=state.dimensions,
            distance=state.distance,
            engine=engine,
            pending=0,
            revision=snapshot.version,
            bytes=self._table.bytes(),
            exclude=list(state.exclude),
            follow_symlinks=state.follow_symlinks,
            hidden=state.hidden,
        )

    def failures(self) -> list[Failure]:
        """See ``Library.failures``."""
        rows = self._engine.refresh().rows(["path", "reason"], IS_FAILURE).to_pylist()
        return sorted((Failure(photo_path(row["path"]), row["reason"]) for row in rows), key=lambda one: str(one.path))

    def verify(self, *, sample: int = 0) -> Verification:
        """See ``Library.verify``."""
        from sketchseek.cluster.verify import verify

        return verify(self._engine.refresh(), self._engine.package, sample=sample, exact_below=self._exact_below)


def _addresses(paths: Iterable[PathLike] | PathLike) -> tuple[str, ...]:
    some = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    return tuple(normalized(path) for path in some)


def _rows_below(snapshot: Snapshot, paths: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of photos and failures that are at or below each path, or have it as their source."""
    below: dict[str, list[dict[str, Any]]] = {path: [] for path in paths}
    rows = snapshot.rows(["id", "path", "source", "reason"], "id > 0")
    for batch in rows.to_batches():
        for row in batch.to_pylist():
            path, found = row["path"], {row["source"], row["path"]} & below.keys()
            while "/" in path.strip("/"):
                path = path.rpartition("/")[0]
                if path in below:
                    found.add(path)
            if "/" in below and path.startswith("/"):
                found.add("/")
            for one in found:
                below[one].append(row)
    return below


def _without_nested(folders: Iterable[str]) -> tuple[str, ...]:
    every = sorted(set(folders))
    return tuple(
        one
        for one in every
        if kind_of(one) != "folder" or not any(lies_in(one, other) for other in every if other != one)
    )
