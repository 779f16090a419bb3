"""Push model packages to the Hugging Face Hub, and pull them from it. Needs the extra ``hub``.

Nothing is sent or fetched unless the user names a repository. Only the files of a model package travel: JSON, ONNX
graphs, and the card as Markdown; anything else in a repository is left alone. The token is the one that
huggingface_hub finds by itself (``hf auth login`` or ``HF_TOKEN``). ``HF_ENDPOINT`` names another server.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sketchseek.atomic_write import make_folders
from sketchseek.errors import InputError, MissingExtraError, ModelPackageError
from sketchseek.models.install import CARD, place_package, sweep, temporary_folder
from sketchseek.models.package import (
    MANIFEST,
    MAX_GRAPH_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_TOKENIZER_BYTES,
    Manifest,
    ModelPackage,
    installed_models_dir,
    load_model_package,
)
from sketchseek.progress import Progress, ignore_progress

README = "README.md"
"""The card's name on the Hub."""

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_LICENSES = {"Apache-2.0": "apache-2.0", "MIT": "mit", "CC BY 4.0": "cc-by-4.0", "CC0": "cc0-1.0"}
"""Licenses whose text in a manifest is exactly this, and their names on the Hub; all others are ``other``."""


@dataclass(frozen=True)
class Pushed:
    """A model package on the Hub.

    Attributes:
        address: Web address of the repository.
        commit: The commit, for ``revision``.
        files: What was sent.
    """

    address: str
    commit: str
    files: tuple[str, ...]


def push_model(model: str | os.PathLike[str], repository: str, *, public: bool = False) -> Pushed:
    """Send a model package to a repository of the Hub, which is created if it is missing.

    Args:
        model: Name of a bundled or installed model, or the path of a package.
        repository: ``owner/name``.
        public: Create the repository for everybody to see; otherwise only its owner sees it. An existing repository
            stays as it is.

    Raises:
        InputError: ``repository`` is not ``owner/name``.
        MissingExtraError: huggingface_hub is not installed.
        ModelPackageError: The package is damaged, or the Hub refuses or does not answer.
    """
    _require_repository(repository)
    package = load_model_package(model)
    package.verify()
    hub = _hub()
    with _failures(repository):
        api = hub.HfApi()
        address = str(api.create_repo(repository, private=not public, exist_ok=True))
        there = {entry.rfilename for entry in api.model_info(repository).siblings or ()}
        operations = [
            hub.CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(package.path / name))
            for name in _files(package.manifest)
        ]
        if README not in there:
            operations.append(hub.CommitOperationAdd(path_in_repo=README, path_or_fileobj=model_card(package).encode()))
        message = f"Push {package.manifest.name} ({package.manifest.fingerprint})"
        made = api.create_commit(repository, operations, commit_message=message)
    return Pushed(address, str(made.oid), tuple(operation.path_in_repo for operation in operations))


def pull_model(
    repository: str,
    *,
    revision: str = "main",
    fingerprint: str = "",
    folder: Path | None = None,
    progress: Progress = ignore_progress,
) -> tuple[ModelPackage, str]:
    """Install a model package from a repository of the Hub, under the name in its manifest.

    Args:
        repository: ``owner/name``.
        revision: Branch, tag or commit. Only a commit always names the same files.
        fingerprint: Fingerprint that the model must have; empty for any.
        folder: Where models are installed; by default this user's own.
        progress: Called with ``download``, the number of files done and their total.

    Returns:
        The installed package, and the commit that it is from.

    Raises:
        InputError: ``repository`` is not ``owner/name``.
        MissingExtraError: huggingface_hub is not installed.
        ModelPackageError: There is no such repository or revision, it holds no valid model package, the model has
            another fingerprint, or the folder cannot be written to.
    """
    _require_repository(repository)
    hub = _hub()
    folder = folder or installed_models_dir()
    try:
        make_folders(folder)
        sweep(folder)
        with temporary_folder(folder) as temporary, _failures(repository):
            info = hub.HfApi().model_info(repository, revision=revision, files_metadata=True)
            sizes = {entry.rfilename: entry.size or 0 for entry in info.siblings or ()}
            fetched = _Fetch(hub, repository, str(info.sha), sizes, temporary / "package")
            package = fetched.package(progress)
            package.verify()
            if fingerprint and package.manifest.fingerprint != fingerprint:
                raise ModelPackageError(
                    f"its model's fingerprint is {package.manifest.fingerprint}, not {fingerprint}.",
                    subject=repository,
                    remedy="Name another revision, or ask its publisher.",
                )
            return place_package(repository, package, folder), str(info.sha)
    except OSError as error:
        raise ModelPackageError(
            f"cannot be written to ({error.strerror or error}).",
            subject=folder,
            remedy="Free some space on the disk, or check the folder's permissions.",
        ) from error


class _Fetch:
    """Downloads the files of one package into a folder.

    Args:
        hub: The module huggingface_hub.
        repository: ``owner/name``.
        commit: The commit to take.
        sizes: Size of every file in the repository.
        folder: Where to.
    """

    def __init__(self, hub: Any, repository: str, commit: str, sizes: dict[str, int], folder: Path) -> None:
        self._hub = hub
        self._repository = repository
        self._commit = commit
        self._sizes = sizes
        self._folder = folder

    def package(self, progress: Progress) -> ModelPackage:
        """The manifest first, then the files that it names, then the card."""
        self._file(MANIFEST, MAX_MANIFEST_BYTES)
        package = load_model_package(self._folder)
        names = [name for name in _files(package.manifest) if name not in (MANIFEST, CARD)]
        for number, name in enumerate(names, 1):
            if not name.endswith((".onnx", ".json")):
                raise ModelPackageError(f"its manifest names {name!r}, which is no graph.", subject=self._repository)
            self._file(name, MAX_GRAPH_BYTES if name.endswith(".onnx") else MAX_TOKENIZER_BYTES)
            progress("download", number, len(names))
        if CARD in self._sizes:
            self._file(CARD, MAX_MANIFEST_BYTES)
        # What huggingface_hub keeps beside the files is not part of the package.
        kept = {*names, MANIFEST, CARD}
        clean = self._folder.with_name("clean")
        clean.mkdir()
        for file in self._folder.iterdir():
            if file.name in kept and file.is_file():
                file.replace(clean / file.name)
        return load_model_package(clean)

    def _file(self, name: str, limit: int) -> None:
        if name not in self._sizes:
            raise ModelPackageError(f"has no {name}.", subject=self._repository, remedy="It holds no model package.")
        if self._sizes[name] > limit:
            raise ModelPackageError(f"its {name} has more than {limit:,} bytes.", subject=self._repository)
        self._hub.hf_hub_download(self._repository, name, revision=self._commit, local_dir=str(self._folder))


def model_card(package: ModelPackage) -> str:
    """The card for the Hub: what its search needs, then the package's own card."""
    manifest = package.manifest
    card = package.path / CARD
    text = card.read_text(encoding="utf-8") if card.is_file() else f"# {manifest.name}\n\nA model of sketchseek.\n"
    lines = [
        "---",
        "library_name: sketchseek",
        "pipeline_tag: image-feature-extraction",
        "tags: [sketch-based-image-retrieval, onnx]",
        f"license: {_LICENSES.get(manifest.license, 'other')}",
        "---",
        "",
        text.rstrip(),
        "",
        f"License of the weights: {manifest.license or 'not given'}",
        "",
        *(f"- {source}" for source in manifest.data),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _files(manifest: Manifest) -> list[str]:
    """The files of a package that travel."""
    names = [MANIFEST, manifest.photo.file, manifest.sketch.file]
    if manifest.text is not None:
        names += [manifest.text.file, manifest.text.tokenizer]
    return list(dict.fromkeys(names))


def _require_repository(repository: str) -> None:
    if not _REPOSITORY.fullmatch(repository):
        raise InputError("not a repository.", subject=repr(repository[:80]), remedy="Write owner/name.")


def _hub() -> Any:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the library is imported
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingExtraError(
            "The Hugging Face Hub needs huggingface_hub.", remedy="pip install 'sketchseek[hub]'"
        ) from error
    return huggingface_hub


@contextmanager
def _failures(repository: str) -> Iterator[None]:
    """Turn what huggingface_hub raises into errors of ours."""
    import huggingface_hub.errors as known

    # OSError: among others, a broken connection. What concerns the disk says so in its text.
    absent = (known.RepositoryNotFoundError, known.RevisionNotFoundError, known.EntryNotFoundError)
    others = (known.HTTPError, known.HFValidationError, known.OfflineModeIsEnabled, json.JSONDecodeError, OSError)
    try:
        yield
    except (*absent, *others) as error:
        if isinstance(error, absent) and not isinstance(error, known.LocalEntryNotFoundError):
            raise ModelPackageError(
                "no such repository, revision or file on the Hub, or it is private.",
                subject=repository,
                remedy="Check the name, and log in with: hf auth login",
            ) from error
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelPackageError(
            f"the Hub did not do it ({first}).",
            subject=repository,
            remedy="Check the connection, and your token's rights: hf auth whoami",
        ) from error
