"""Which package a library was built with."""

from __future__ import annotations

from pathlib import Path

from sketchseek.errors import ModelMismatchError, ModelPackageError
from sketchseek.models.package import BUNDLED, ModelPackage, load_model_package


def package_of(path: Path, facts: dict[str, str], chosen: ModelPackage | None = None) -> ModelPackage:
    """The package that a library was built with.

    Args:
        path: The library's folder.
        facts: What its catalog remembers.
        chosen: The one that was asked for, if any.

    Raises:
        ModelPackageError: It is not there any more.
        ModelMismatchError: The one there, or asked for, is another one.
    """
    try:
        package = chosen or load_model_package(facts["model"])
    except ModelPackageError as error:
        raise ModelPackageError(
            f"{path}: its model {facts['model']} is not there any more.",
            remedy=f"{error.remedy}\nTo use another one: sketchseek index --library {path} --model NAME --re-embed",
        ) from error
    if package.manifest.fingerprint != facts["fingerprint"]:
        raise mismatch(path, facts, package)
    return package


def mismatch(path: Path, facts: dict[str, str], package: ModelPackage) -> ModelMismatchError:
    """The error for a package that is not the one that a library was built with."""
    manifest = package.manifest
    return ModelMismatchError(
        f"{path}: built with model {facts['name']} ({facts['fingerprint']}), "
        f"not with {manifest.name} ({manifest.fingerprint}).",
        remedy=f"To embed its photos anew: sketchseek index --library {path} --model {_model_of(package)} --re-embed",
    )


def _model_of(package: ModelPackage) -> str:
    """What to find a package by later: the name of a bundled one, else its absolute path."""
    path = package.path.absolute()
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise ModelPackageError(f"{path}: a library cannot remember a path that is no valid text.") from error
    return path.name if path.parent == BUNDLED.absolute() else str(path)


def facts_of(package: ModelPackage) -> dict[str, str]:
    """What a catalog remembers of a package, in its ``meta``."""
    manifest = package.manifest
    return {
        "model": _model_of(package),
        "name": manifest.name,
        "fingerprint": manifest.fingerprint,
        "embedding": str(manifest.embedding),
        "distance": manifest.distance,
    }
