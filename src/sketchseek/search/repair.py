"""Rebuilding a damaged library from what can still be read."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from sketchseek.atomic_write import SUFFIX, atomic_path, make_folders, sync_folder, sync_tree
from sketchseek.errors import LibraryCorruptError, LibraryError, LibraryNotFoundError
from sketchseek.search import library_file
from sketchseek.search.catalog import (
    FILE,
    Catalog,
    Description,
    LibraryMetadata,
    Salvage,
    SavedPhoto,
    is_library,
    salvage,
    write_catalog,
)
from sketchseek.search.index_mirror import IndexMirror
from sketchseek.search.lock import WriterLock
from sketchseek.search.presence import is_there, remedy_for
from sketchseek.search.scan import lies_in
from sketchseek.search.scan_rules import ScanRules

_log = logging.getLogger(__name__)
_UNKNOWN_JUMP = 1_000_000
"""Ids are never given twice. If the highest one cannot be read, numbering goes on this far above those that can."""


@dataclass(frozen=True)
class RepairReport:
    """What ``repair`` did.

    Attributes:
        problems: What was damaged; empty if nothing was.
        kept: Number of photos in the library now.
        lost: Paths of photos that were in the library and could not be read. ``sync`` embeds them again.
        incomplete: Whether there may be lost photos that are not in ``lost``.
        copy: Folder with a copy of the damaged files; None if nothing was damaged.
    """

    problems: list[str]
    kept: int
    lost: list[Path]
    incomplete: bool
    copy: Path | None


def repair(library: Path) -> RepairReport:
    """Rebuild a library's catalog and index from what can be read. Stop servers of the library before.

    A copy of the damaged files is kept in the folder ``damaged-N`` of the library. The photos are not touched.

    Args:
        library: The library's folder.

    Raises:
        LibraryNotFoundError: There is no library.
        LibraryCorruptError: Neither the catalog nor ``library.json`` says which model the library was built with.
        LibraryLockedError: Another process is writing.
        LibraryError: The disk is full, or the folder cannot be written to.
    """
    try:
        found = is_there(library) and is_library(library)
    except OSError as error:
        raise _cannot_use(library, error) from error
    if not found:
        raise LibraryNotFoundError("there is no library here.", subject=library, remedy="Check the spelling.")
    with WriterLock(library):
        problems, metadata = _examine(library)
        if not problems:
            return RepairReport([], _rebuild_index(library), [], incomplete=False, copy=None)
        described = library_file.read(library)
        if metadata is None:
            if described is None:
                raise LibraryCorruptError(
                    f"cannot be repaired: neither {FILE} nor {library_file.FILE} says which model it was built with.",
                    subject=library,
                    remedy="Restore it from a backup, or delete its folder and index again. Photos are not touched.",
                )
            metadata = described.metadata
        try:
            return _rebuild(library, metadata, described, problems)
        except OSError as error:
            raise _cannot_use(library, error) from error


def _cannot_use(library: Path, error: OSError) -> LibraryError:
    return LibraryError(
        f"its files cannot be read or written ({error.strerror or error}).", subject=library, remedy=remedy_for(error)
    )


def _examine(library: Path) -> tuple[list[str], LibraryMetadata | None]:
    """Return what is wrong with a catalog, and its metadata if that can be believed."""
    metadata = None
    try:
        catalog = Catalog(library)
    except LibraryCorruptError as error:
        return [error.reason], None
    try:
        metadata = catalog.metadata()
        return catalog.check() or [f"words: {problem}" for problem in catalog.check_words()], metadata
    except LibraryCorruptError as error:
        return [error.reason], metadata
    finally:
        catalog.close()


def _rebuild(
    library: Path, metadata: LibraryMetadata, described: library_file.LibraryFile | None, problems: list[str]
) -> RepairReport:
    copy = _copy(library)
    scratch = copy / f"scratch{SUFFIX}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        for name in (FILE, f"{FILE}-wal"):
            if is_there(copy / name):
                shutil.copyfile(copy / name, scratch / name)
        folders, rules = _folders(library, described)
        descriptions = _descriptions(library)
        saved = salvage(scratch / FILE, metadata.fingerprint) if is_there(scratch / FILE) else Salvage(damaged=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    photos = [photo for photo in saved.photos.values() if folders is None or _belongs(photo, *folders)]
    with atomic_path(library / FILE) as aside:
        write_catalog(
            aside,
            metadata,
            sorted(photos, key=lambda photo: photo.id),
            folders or ([], []),
            descriptions=descriptions,
            rules=rules,
            last_id=saved.last_id + (0 if saved.revision >= 0 else _UNKNOWN_JUMP),
            last_removal=saved.last_removal + (0 if saved.revision >= 0 else _UNKNOWN_JUMP),
            revision=saved.revision + 1 if saved.revision >= 0 else _UNKNOWN_JUMP,
        )
        # SQLite would apply the old journal to the new file.
        for name in (f"{FILE}-wal", f"{FILE}-shm"):
            (library / name).unlink(missing_ok=True)
        sync_folder(library)
    kept = _rebuild_index(library)
    lost = sorted(saved.named - {photo.path for photo in photos})
    return RepairReport(problems, kept, [Path(os.fsdecode(path)) for path in lost], saved.damaged, copy)


def _folders(
    library: Path, described: library_file.LibraryFile | None
) -> tuple[tuple[Sequence[bytes], Sequence[bytes]] | None, ScanRules]:
    """Return the library's folders and excluded paths, None if they are lost, and what scans skip."""
    with suppress(LibraryError), closing(Catalog(library)) as catalog:
        return (catalog.roots(), catalog.excluded()), catalog.scan_rules()
    if described is None:
        return None, ScanRules()
    folders = ([os.fsencode(path) for path in some] for some in (described.folders, described.excluded))
    return (next(folders), next(folders)), described.rules


def _descriptions(library: Path) -> dict[int, Description]:
    """Return the words and colors by id, as far as they can be read; ``sync`` reads the rest from the photos."""
    found: dict[int, Description] = {}
    with suppress(LibraryError), closing(Catalog(library)) as catalog:
        found.update(catalog.sound_descriptions())
    return found


def _belongs(photo: SavedPhoto, roots: Sequence[bytes], excluded: Sequence[bytes]) -> bool:
    """Whether a photo is one that ``sync`` would find: pages may hold photos that were removed long ago."""
    return any(lies_in(photo.path, root) for root in roots) and not any(lies_in(photo.path, x) for x in excluded)


def _copy(library: Path) -> Path:
    """Copy the catalog's files to a folder of their own."""
    number = 1
    while is_there(folder := library / f"damaged-{number}"):
        number += 1
    aside = folder.with_name(f"{folder.name}{SUFFIX}")
    shutil.rmtree(aside, ignore_errors=True)
    make_folders(aside)
    for name in (FILE, f"{FILE}-wal", library_file.FILE):
        if is_there(library / name):
            shutil.copyfile(library / name, aside / name)
    sync_tree(aside)
    aside.replace(folder)
    sync_folder(library)
    return folder


def _rebuild_index(library: Path) -> int:
    """Write a new index if the recorded one cannot be used; return the number of photos."""
    catalog = Catalog(library, write=True)
    try:
        mirror = IndexMirror.of(library, catalog.metadata())
        with catalog.snapshot():
            mirror.current(catalog, catalog.metadata())
        if mirror.stale or mirror.recorded(catalog, catalog.metadata().snapshot) is None:
            mirror.save(catalog, force=True)
        library_file.update(library, catalog)
        return catalog.count()
    finally:
        catalog.close()
