"""Downloads official data sets: resumable, checked, unpacked beside the folder and moved into it when complete."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sketchseek.atomic_write import atomic_write, make_folders
from sketchseek.datasets.known_downloads import known_file, remember
from sketchseek.datasets.official import OfficialDataset, RemoteFile
from sketchseek.download import download
from sketchseek.errors import ConfigError, DatasetError, DownloadError
from sketchseek.file_lock import try_lock
from sketchseek.progress import Progress, ignore_progress
from sketchseek.unpack import unpack

RECORD = "downloaded.json"
"""File in the data set's folder that names what was downloaded into it."""

_ASIDE = ".downloading"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class DownloadedFile:
    """A file that is in the folder now.

    Attributes:
        address: Where it is from.
        sha256: Its checksum.
        trust: What the checksum was compared with: ``given``, ``published``, ``earlier`` (the first download of this
            user) or ``first`` (nothing; it is recorded).
        new: Whether it was downloaded now.
    """

    address: str
    sha256: str
    trust: str
    new: bool


def download_dataset(
    dataset: OfficialDataset,
    folder: Path,
    *,
    accept_terms: bool,
    words: tuple[str, ...] = (),
    sha256: str = "",
    trust_new: bool = False,
    progress: Progress = ignore_progress,
) -> list[DownloadedFile]:
    """Download a data set into a folder. An interrupted download continues, and a finished one is not repeated.

    Args:
        dataset: One of ``official.OFFICIAL``.
        folder: The data set's folder; created if it is missing.
        accept_terms: That the user has read the terms and accepts them.
        words: Words to download, where there is a file for each.
        sha256: Checksum that the file must have; for data sets of one file.
        trust_new: Accept a file that differs from the first download.
        progress: Called with the stage, the bytes done and the total.

    Raises:
        ConfigError: The terms are not accepted, the data set has no stable address, or an argument does not fit.
        DatasetError: The folder is in use by another download, or already has what the archive unpacks to.
        DownloadError: A file cannot be downloaded, or has another checksum.
        InputError: An archive is damaged or unsafe.
        OSError: The folder cannot be written.
    """
    if not dataset.downloads:
        raise ConfigError(
            f"{dataset.name} has no stable address.",
            remedy=f"{dataset.steps} Page: {dataset.page} Then run: sketchseek data check {dataset.name} {folder}",
        )
    if not accept_terms:
        raise ConfigError(
            f"The terms of {dataset.title}: {dataset.terms} Page: {dataset.page}",
            remedy="Read them, then run the command again with --accept-terms.",
        )
    files = dataset.chosen(words)
    if sha256 and len(files) != 1:
        raise ConfigError(f"--sha256 is for one file, and these are {len(files)}.", remedy="Leave it out.")
    make_folders(folder)
    aside = folder / _ASIDE
    aside.mkdir(exist_ok=True)
    with try_lock(aside / "lock") as ours:
        if not ours:
            raise DatasetError("another download into it is running.", subject=folder, remedy="Wait until it ends.")
        done = [_get(file, folder, aside, sha256, trust_new, progress) for file in files]
    shutil.rmtree(aside, ignore_errors=True)
    return done


def _get(
    file: RemoteFile, folder: Path, aside: Path, sha256: str, trust_new: bool, progress: Progress
) -> DownloadedFile:
    record = _read_record(folder)
    if file.address in record:
        return DownloadedFile(file.address, record[file.address], "earlier", new=False)
    stored = aside / file.name
    download(file.address, stored, limit=file.max_bytes, progress=progress, stage=file.name)
    found, trust = _check(file, stored, sha256.strip().lower(), trust_new)
    if file.archive:
        _unpack(file, stored, folder, aside, progress)
        stored.unlink()
    else:
        _move(stored, folder / file.name)
    atomic_write(folder / RECORD, json.dumps(record | {file.address: found}, indent=1) + "\n")
    return DownloadedFile(file.address, found, trust, new=True)


def _read_record(folder: Path) -> dict[str, str]:
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return {str(address): str(digest) for address, digest in record.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        raise DatasetError(f"cannot be read ({error}).", subject=folder / RECORD, remedy="Delete it.") from error


def _check(file: RemoteFile, stored: Path, sha256: str, trust_new: bool) -> tuple[str, str]:
    """The file's SHA-256, and what it was compared with. A file that differs is deleted."""
    algorithm, published = file.checksum or ("sha256", "")
    digests = {name: hashlib.new(name, usedforsecurity=False) for name in {"sha256", algorithm}}
    with stored.open("rb") as reader:
        while chunk := reader.read(_CHUNK):
            for digest in digests.values():
                digest.update(chunk)
    found = digests["sha256"].hexdigest()
    known = known_file(file.address)
    if sha256:
        _require(file, stored, "SHA-256", found, sha256, "the one given")
    if published:
        _require(file, stored, algorithm.upper(), digests[algorithm].hexdigest(), published, file.checksum_source)
    if known is not None and not trust_new:
        _require(file, stored, "SHA-256", found, known.sha256, f"the first download, of {known.date}")
    if known is None or known.sha256 != found:
        remember(file.address, found, stored.stat().st_size)
    if sha256 or published:
        return found, "given" if sha256 else "published"
    return found, "first" if known is None or known.sha256 != found else "earlier"


def _require(file: RemoteFile, stored: Path, algorithm: str, found: str, wanted: str, source: str) -> None:
    if found != wanted:
        stored.unlink()
        raise DownloadError(
            f"its {algorithm} is {found}, not {wanted} ({source}).",
            subject=file.address,
            remedy="Run the command again in case the transfer was damaged. If the publisher has replaced the file, "
            "compare it with what the page says; --trust-new then accepts a file that differs from the first download.",
        )


def _unpack(file: RemoteFile, stored: Path, folder: Path, aside: Path, progress: Progress) -> None:
    """Unpack an archive, or those inside it, and move what is in them into the folder."""
    with tempfile.TemporaryDirectory(dir=aside, prefix="unpack-") as name:
        outer = Path(name) / "outer"
        outer.mkdir()
        unpack(stored, outer, max_bytes=file.max_bytes, progress=progress)
        content = outer
        if file.inner:
            content = Path(name) / "inner"
            content.mkdir()
            for inner in file.inner:
                if not (outer / inner).is_file():
                    raise DatasetError(f"has no {inner}.", subject=file.address, remedy="Tell us: the archive changed.")
                unpack(outer / inner, content, max_bytes=file.max_bytes, progress=progress)
        target = folder / file.folder
        target.mkdir(parents=True, exist_ok=True)
        entries = sorted(entry for entry in content.iterdir() if entry.name not in ("__MACOSX", ".DS_Store"))
        for entry in entries:
            _require_free(target / entry.name)
        for entry in entries:
            entry.replace(target / entry.name)


def _move(stored: Path, target: Path) -> None:
    _require_free(target)
    stored.replace(target)


def _require_free(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise DatasetError("is there already.", subject=path, remedy="Move it away, or name another folder.")
