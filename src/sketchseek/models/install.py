"""Install models that are not bundled, from a ZIP archive given by path or https address and checked by SHA-256.

Nothing is downloaded unless the user names an address and a checksum. Only the files of a model package are extracted.
"""

from __future__ import annotations

import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path
from typing import BinaryIO

from sketchseek.errors import ModelPackageError
from sketchseek.file_digest import file_digest
from sketchseek.models.package import MANIFEST, ModelPackage, installed_models_dir, load_model_package
from sketchseek.progress import Progress, ignore_progress

MAX_BYTES = 4_000_000_000
"""Cap on an archive and on what it unpacks to."""

_CHUNK = 1 << 20
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

"""Called with the bytes downloaded so far and the total, which is 0 if unknown."""


def install_model(
    source: str, sha256: str, *, folder: Path | None = None, progress: Progress = ignore_progress
) -> ModelPackage:
    """Install a model from an archive, under the name in its manifest.

    Args:
        source: Path of a ZIP, or its ``https://`` address.
        sha256: Checksum of the archive, as hexadecimal digits.
        folder: Where models are installed; by default this user's own (``package.installed_models_dir``).
        progress: Called as the download proceeds.

    Raises:
        ModelPackageError: The archive cannot be read, does not match its checksum, or holds no valid model package.
    """
    folder = folder or installed_models_dir()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".installing-") as aside:
        archive, unpacked = Path(aside) / "archive.zip", Path(aside) / "package"
        _fetch(source, archive, progress)
        found = file_digest(archive)
        if found != sha256.strip().lower():
            raise ModelPackageError(
                f"{source}: its SHA-256 is {found}, not the one asked for.",
                remedy="Compare the checksum with its publisher's; do not use the file if they differ.",
            )
        unpacked.mkdir()
        _unpack(source, archive, unpacked)
        package = load_model_package(unpacked)
        package.verify()
        name = package.manifest.name
        if not name or name.startswith(".") or set(name) & set("/\\:"):
            raise ModelPackageError(f"{source}: its model's name {name!r} cannot be a folder's.")
        place = folder / name
        if place.exists():
            if load_model_package(place).manifest.fingerprint == package.manifest.fingerprint:
                return load_model_package(place)
            raise ModelPackageError(
                f"{place}: another model of this name is installed.", remedy="Remove that folder, then install again."
            )
        unpacked.replace(place)
    return load_model_package(place)


def _fetch(source: str, archive: Path, progress: Progress) -> None:
    try:
        if "://" not in source:
            if Path(source).stat().st_size > MAX_BYTES:
                raise ModelPackageError(f"{source}: more than the cap of {MAX_BYTES:,} bytes.")
            shutil.copyfile(source, archive)
            return
        address = urllib.parse.urlsplit(source)
        if address.scheme != "https" and address.hostname not in _LOOPBACK:
            raise ModelPackageError(
                f"{source}: only https is fetched.", remedy="Download it yourself, and give the file."
            )
        with urllib.request.urlopen(source, timeout=60) as answer, archive.open("wb") as file:
            _copy(source, answer, file, int(answer.headers.get("Content-Length") or 0), progress)
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise ModelPackageError(f"{source}: cannot be read ({error}).", remedy="Check the address or path.") from error


def _copy(source: str, answer: BinaryIO, file: BinaryIO, total: int, progress: Progress) -> None:
    done = 0
    while chunk := answer.read(_CHUNK):
        done += len(chunk)
        if done > MAX_BYTES:
            raise ModelPackageError(f"{source}: more than the cap of {MAX_BYTES:,} bytes.")
        file.write(chunk)
        progress("download", done, total)


def _unpack(source: str, archive: Path, folder: Path) -> None:
    """Extract a model package's files and its card by their base names, from any folder inside the archive."""
    try:
        with zipfile.ZipFile(archive) as zipped:
            members = [
                item
                for item in zipped.infolist()
                if not item.is_dir()
                and (Path(item.filename).suffix == ".onnx" or Path(item.filename).name in (MANIFEST, "CARD.md"))
            ]
            names = [Path(item.filename).name for item in members]
            if len(set(names)) != len(names):
                raise ModelPackageError(f"{source}: holds more than one package.")
            if sum(item.file_size for item in members) > MAX_BYTES:
                raise ModelPackageError(f"{source}: unpacks to more than the cap of {MAX_BYTES:,} bytes.")
            for item, name in zip(members, names, strict=True):
                with zipped.open(item) as packed, (folder / name).open("wb") as file:
                    shutil.copyfileobj(packed, file, _CHUNK)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ModelPackageError(f"{source}: not a ZIP archive that can be read ({error}).") from error
