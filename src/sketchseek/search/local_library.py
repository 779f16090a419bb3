"""A library in a folder of this machine: a SQLite catalog and an index snapshot."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sketchseek.atomic_write import make_folders
from sketchseek.encoder import Encoder
from sketchseek.errors import InputError, LibraryError, LibraryNotFoundError
from sketchseek.images.sources import open_regular
from sketchseek.models import DEFAULT_MODEL
from sketchseek.models.package import ModelPackage, load_model_package
from sketchseek.search import library_file
from sketchseek.search.catalog import Catalog, OldFormatError, upgrade_catalog
from sketchseek.search.catalog.frame_store import FrameStore
from sketchseek.search.catalog.region_store import RegionStore
from sketchseek.search.catalog_query import CatalogQueryEngine
from sketchseek.search.index_mirror import IndexMirror
from sketchseek.search.library import Library, PathLike
from sketchseek.search.library_model import metadata_of, mismatch
from sketchseek.search.lock import WriterLock
from sketchseek.search.path_case import on_disk
from sketchseek.search.results import (
    Failure,
    IndexReport,
    LibraryPhoto,
    ProgressCallback,
    Status,
    Verification,
)
from sketchseek.search.scan import absolute, from_user, lies_in, parents, real_path, without_nested
from sketchseek.search.status import status_of

_log = logging.getLogger(__name__)


class LocalLibrary(Library):
    """A library in a folder. See ``Library``."""

    path: Path
    _engine: CatalogQueryEngine

    def __init__(self, path: Path, package: ModelPackage | None, *, readonly: bool) -> None:
        """Use ``Library.open`` or ``Library.create``."""
        self.path = path
        self._readonly = readonly
        self._catalog = Catalog(path)
        self._lock = threading.RLock()
        try:
            metadata = self._catalog.metadata()
            if package is not None and package.manifest.fingerprint != metadata.fingerprint:
                raise mismatch(path, metadata, package)
            self._engine = CatalogQueryEngine(path, self._catalog, self._lock, package)
        except BaseException:
            self._catalog.close()
            raise

    @classmethod
    def open(
        cls, path: PathLike, model: PathLike | None = None, *, create: bool = False, readonly: bool = False
    ) -> LocalLibrary:
        """See ``Library.open``."""
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
    def create(cls, path: PathLike, model: PathLike | None = None) -> LocalLibrary:
        """See ``Library.create``."""
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
        """See ``Library.close``."""
        with self._lock:
            self._catalog.close()

    def __len__(self) -> int:
        with self._lock:
            return self._catalog.count()

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
        paths = _absolute(folders)
        for path in paths:
            if not os.path.exists(path):  # noqa: PTH110  on bytes
                raise InputError("no such folder.", subject=os.fsdecode(path), remedy="Check the spelling of the path.")
        with self._writing() as catalog:
            rules = catalog.scan_rules().updated(exclude, follow_symlinks, hidden)
            # A path that was removed comes back if it, or a folder in it, is named.
            named = set(paths).union(*map(parents, paths))
            excluded = [path for path in catalog.excluded() if path not in named]
            with catalog.transaction():
                roots = [on_disk(root) for root in catalog.roots()]  # a folder's case may have changed
                catalog.set_roots(without_nested(roots + paths), excluded)
                catalog.set_scan_rules(rules)
            for kind, wanted in ((RegionStore, regions), (FrameStore, frames)):
                if wanted is False:
                    kind.delete(self.path)
            return self._update(catalog, without_nested(paths), progress, within, regions=regions, frames=frames)

    def sync(
        self, progress: ProgressCallback | None = None, *, within: Iterable[PathLike] | None = None
    ) -> IndexReport:
        """See ``Library.sync``."""
        with self._writing() as catalog:
            return self._update(catalog, catalog.roots(), progress, within)

    def remove(self, paths: Iterable[PathLike] | PathLike) -> int:
        """See ``Library.remove``."""
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
        """See ``Library.re_embed``."""
        from sketchseek.search.re_embed import re_embed

        with self._writing() as catalog:
            chosen = catalog.metadata().model if model is None else model
            package = load_model_package(chosen)
            encoder = Encoder(package, threads=1)
            report = re_embed(catalog, encoder, metadata_of(package), progress)
            IndexMirror.of(self.path, catalog.metadata()).save(catalog)
            self._index_derived(catalog, encoder, progress)
        self._engine.use(package)
        return report

    def _update(
        self,
        catalog: Catalog,
        folders: Sequence[bytes],
        progress: ProgressCallback | None,
        within: Iterable[PathLike] | None,
        *,
        regions: bool | None = None,
        frames: bool | None = None,
    ) -> IndexReport:
        from sketchseek.search.update import update

        encoder = Encoder(self._engine.package(catalog.metadata()), threads=1)
        real = None if within is None else [real_path(absolute(folder)) for folder in within]
        report = update(self.path, catalog, encoder, folders, progress, real)
        self._index_derived(catalog, encoder, progress, regions=bool(regions), frames=bool(frames))
        return report

    def _index_derived(
        self,
        catalog: Catalog,
        encoder: Encoder,
        progress: ProgressCallback | None,
        *,
        regions: bool = False,
        frames: bool = False,
    ) -> None:
        """Embed regions and frames if they are asked for, or the library has them."""
        from sketchseek.search.frames import index_frames
        from sketchseek.search.regions import index_regions

        if regions or RegionStore.exists(self.path):
            index_regions(self.path, catalog, encoder, catalog.roots(), progress)
        if frames or FrameStore.exists(self.path):
            index_frames(self.path, catalog, encoder, catalog.roots(), progress)

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

    def photo(self, photo: int) -> LibraryPhoto | None:
        """See ``Library.photo``."""
        with self._lock:
            return self._catalog.photo(photo)

    def photo_bytes(self, photo: int) -> bytes:
        """See ``Library.photo_bytes``."""
        known = self.photo(photo)
        if known is None:
            raise InputError(f"there is no photo with id {photo}.", subject=self.path)
        with open_regular(known.path) as file:
            return file.read()

    def status(self) -> Status:
        """See ``Library.status``."""
        with self._lock, self._catalog.snapshot():
            return status_of(self.path, self._catalog, self._engine.mirror)

    def failures(self) -> list[Failure]:
        """See ``Library.failures``."""
        with self._lock:
            return self._catalog.failures()

    def verify(self, *, sample: int = 0) -> Verification:
        """See ``Library.verify``."""
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


def _absolute(paths: Iterable[PathLike] | PathLike) -> list[bytes]:
    some = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    return [on_disk(from_user(path)) for path in some]
