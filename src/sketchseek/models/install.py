"""Install models that are not bundled, from a ZIP archive given by path or https address and checked by SHA-256.

Nothing is downloaded unless the user names an address and a checksum. Only the files of a model package are extracted.
The archive is hostile until its checksum is known, and may be damaged even then: everything is counted while it is
copied, and every fault is a ModelPackageError. A model appears under its name complete and synced to disk, or not at
all.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from sketchseek.atomic_write import make_folders, sync_folder, sync_tree
from sketchseek.download import SafeRedirects, require_https
from sketchseek.errors import InputError, ModelPackageError
from sketchseek.file_digest import file_digest, open_regular
from sketchseek.file_lock import try_lock
from sketchseek.models.package import (
    MANIFEST,
    MAX_GRAPH_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_TOKENIZER_BYTES,
    TOKENIZER,
    ModelPackage,
    bundled_models,
    installed_models_dir,
    load_model_package,
)
from sketchseek.progress import Progress, ignore_progress
from sketchseek.unpack import ZIP_ERRORS

MAX_BYTES = 4_000_000_000
"""Cap on an archive and on what it unpacks to."""

CARD = "CARD.md"
_CAPS = {TOKENIZER: MAX_TOKENIZER_BYTES}
_CHUNK = 1 << 20
_ASIDE = ".installing-"
_LOCK = "lock"
_GRACE = 60.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}(?<!\.)")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows gives to devices."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def install_model(
    source: str, sha256: str, *, folder: Path | None = None, progress: Progress = ignore_progress
) -> ModelPackage:
    """Install a model from an archive, under the name in its manifest.

    Args:
        source: Path of a ZIP, or its ``https://`` address.
        sha256: Checksum of the archive, as hexadecimal digits.
        folder: Where models are installed; by default this user's own (``package.installed_models_dir``).
        progress: Called as the archive is copied.

    Raises:
        ModelPackageError: The archive cannot be read, does not match its checksum, or holds no valid model package;
            or the folder cannot be written to.
        InputError: ``sha256`` is not a SHA-256.
    """
    wanted = sha256.strip().lower()
    if not _SHA256.fullmatch(wanted):
        raise InputError(
            "not a SHA-256 checksum.", subject=repr(sha256[:80]), remedy="It has 64 digits from 0 to 9 and a to f."
        )
    folder = folder or installed_models_dir()
    try:
        make_folders(folder)
        sweep(folder)
        with temporary_folder(folder) as temporary:
            archive, unpacked = temporary / "archive.zip", temporary / "package"
            _fetch(source, archive, progress)
            found = file_digest(archive)
            if found != wanted:
                raise ModelPackageError(
                    f"its SHA-256 is {found}, not the one asked for.",
                    subject=source,
                    remedy="Compare the checksum with its publisher's; do not use the file if they differ.",
                )
            unpacked.mkdir()
            _unpack(source, archive, unpacked)
            package = load_model_package(unpacked)
            package.verify()
            return place_package(source, package, folder)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the folder's name
        if isinstance(error, InputError):
            raise
        raise ModelPackageError(
            f"cannot be written to ({getattr(error, 'strerror', None) or error}).",
            subject=folder,
            remedy="Free some space on the disk, or check the folder's permissions.",
        ) from error


def sweep(folder: Path | None = None) -> int:
    """Delete what killed installations left behind; return how many there were.

    An installation that still runs holds a lock, and is left alone.
    """
    folder = folder or installed_models_dir()
    swept = 0
    with suppress(OSError):
        for aside in folder.glob(f"{_ASIDE}*"):
            # Without a lock file, an installation may have created the folder just now.
            if not (aside / _LOCK).exists() and abs(time.time() - aside.stat().st_mtime) < _GRACE:
                continue
            with suppress(OSError), try_lock(aside / _LOCK) as ours:
                if ours:
                    shutil.rmtree(aside, ignore_errors=True)
                    swept += 1
    return swept


@contextmanager
def temporary_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside the models, with a lock that says that its owner is alive."""
    temporary = tempfile.TemporaryDirectory(dir=folder, prefix=_ASIDE, ignore_cleanup_errors=True)
    with temporary as name, try_lock(Path(name) / _LOCK):
        yield Path(name)


def place_package(source: str, package: ModelPackage, folder: Path) -> ModelPackage:
    """Move a checked package to its final place; returns what is there.

    Raises:
        ModelPackageError: Its name cannot be used, or another model has it.
    """
    name = package.manifest.name
    if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
        raise ModelPackageError(
            f"its model's name {name[:80]!r} cannot be a folder's.",
            subject=source,
            remedy="Ask its publisher for a name of letters, digits, dots, dashes and underscores.",
        )
    if name in bundled_models():
        raise ModelPackageError(
            f"its model has the name of a bundled one, {name!r}.",
            subject=source,
            remedy="Unpack it into a folder of your own, and name that folder where a command asks for a model.",
        )
    target = folder / name
    if target.exists() or target.is_symlink():
        other = ModelPackageError(
            "another model of this name is installed.",
            subject=target,
            remedy="Remove that folder, then install again.",
        )
        try:
            installed = load_model_package(target)
            installed.verify()
        except ModelPackageError as error:
            raise other from error
        if installed.manifest.fingerprint != package.manifest.fingerprint:
            raise other
        return installed
    sync_tree(package.path)
    package.path.replace(target)
    sync_folder(folder)
    return load_model_package(target)


def _fetch(source: str, archive: Path, progress: Progress) -> None:
    """Copy an archive to a file, counting its bytes."""
    try:
        if "://" not in source:
            with os.fdopen(open_regular(Path(source)), "rb") as file:
                _copy(source, file, archive, os.fstat(file.fileno()).st_size, progress)
            return
        require_https(source)
        with urllib.request.build_opener(SafeRedirects).open(source, timeout=60) as answer:
            length = answer.headers.get("Content-Length") or "0"
            _copy(source, answer, archive, int(length) if length.isdecimal() else 0, progress)
    except (OSError, urllib.error.URLError, http.client.HTTPException, ValueError) as error:
        raise ModelPackageError(
            f"cannot be read ({error}).", subject=source, remedy="Check the address or path."
        ) from error


def _copy(source: str, reader: IO[bytes], file: Path, total: int, progress: Progress, limit: int = MAX_BYTES) -> int:
    """Copy at most ``limit`` bytes, however many there seem to be; return their number."""
    done = 0
    with file.open("wb") as writer:
        while chunk := reader.read(_CHUNK):
            done += len(chunk)
            if done > limit:
                raise ModelPackageError(f"more than the cap of {limit:,} bytes.", subject=source)
            writer.write(chunk)
            progress("download", done, total)
    return done


def _unpack(source: str, archive: Path, folder: Path) -> None:
    """Extract a model package's files and its card by their base names, from any folder inside the archive."""
    try:
        with zipfile.ZipFile(archive) as zipped:
            members = [item for item in zipped.infolist() if not item.is_dir() and _is_wanted(item.filename)]
            names = [Path(item.filename).name for item in members]
            if len({name.lower() for name in names}) != len(names):  # some file systems ignore case
                raise ModelPackageError("holds more than one package.", subject=source)
            room = MAX_BYTES
            for item, name in zip(members, names, strict=True):
                cap = min(room, MAX_GRAPH_BYTES if name.endswith(".onnx") else _CAPS.get(name, MAX_MANIFEST_BYTES))
                with zipped.open(item) as packed:
                    room -= _copy(source, packed, folder / name, item.file_size, ignore_progress, cap)
    except ZIP_ERRORS as error:
        raise ModelPackageError(
            f"not a ZIP archive that can be read ({error}).", subject=source, remedy="Download it again."
        ) from error


def _is_wanted(member: str) -> bool:
    path = Path(member)
    if path.suffix == ".onnx":
        return bool(_NAME.fullmatch(path.name)) and not _RESERVED.fullmatch(path.name)
    return path.name in (MANIFEST, CARD, TOKENIZER)
