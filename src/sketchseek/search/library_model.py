"""The model that a library was built with."""

from __future__ import annotations

from sketchseek.errors import ModelMismatchError, ModelPackageError
from sketchseek.models.package import BUNDLED, ModelPackage, load_model_package
from sketchseek.search.catalog import LibraryMetadata
from sketchseek.search.object_path import PhotoPath


def package_of(path: PhotoPath, metadata: LibraryMetadata, chosen: ModelPackage | None = None) -> ModelPackage:
    """Return the model package that a library was built with.

    Args:
        path: The library's folder.
        metadata: The library's metadata.
        chosen: The package that the user asked for, if any.

    Raises:
        ModelPackageError: The package is not there any more.
        ModelMismatchError: The package, or the one asked for, is not the one that the library was built with.
    """
    try:
        package = chosen or load_model_package(metadata.model)
    except ModelPackageError as error:
        raise ModelPackageError(
            f"its model {metadata.model} is not there any more.",
            subject=path,
            remedy=f"{error.remedy}\nTo use another model: sketchseek index --library {path} --model NAME --re-embed",
        ) from error
    if package.manifest.fingerprint != metadata.fingerprint:
        raise mismatch(path, metadata, package)
    return package


def mismatch(path: PhotoPath, metadata: LibraryMetadata, package: ModelPackage) -> ModelMismatchError:
    """Return the error for a package that is not the one that a library was built with."""
    manifest = package.manifest
    return ModelMismatchError(
        f"built with model {metadata.name} ({metadata.fingerprint}), "
        f"not with {manifest.name} ({manifest.fingerprint}).",
        subject=path,
        remedy=f"To embed its photos again: sketchseek index --library {path} --model {_model_of(package)} --re-embed",
    )


def metadata_of(package: ModelPackage) -> LibraryMetadata:
    """Return what a catalog records about a model package."""
    manifest = package.manifest
    return LibraryMetadata(
        model=_model_of(package),
        name=manifest.name,
        fingerprint=manifest.fingerprint,
        dimensions=manifest.dimensions,
        distance=manifest.distance,
    )


def _model_of(package: ModelPackage) -> str:
    """Return what finds a package again: the name of a bundled model, else an absolute path."""
    path = package.path.absolute()
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise ModelPackageError("a library cannot record a path that is not valid text.", subject=path) from error
    return path.name if path.parent == BUNDLED.absolute() else str(path)
