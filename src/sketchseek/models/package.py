"""The model package: what the training half writes and the search half reads.

A package is a folder with three files: ``manifest.json``, ``photo.onnx`` and ``sketch.onnx``. Both graphs take raw
``uint8`` pixels and hold their own normalization, so that Python, REST and the browser cannot disagree about it:

- ``photo.onnx``: input ``pixels`` of shape (batch, size, size, 3), RGB; output ``embedding`` (batch, d) float32;
- ``sketch.onnx``: input ``pixels`` of shape (batch, size, size), 255 paper and 0 ink; output as above.

With distance ``cosine`` the graphs end in L2 normalization, so that the inner product is the cosine.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from sketchseek.errors import ModelPackageError
from sketchseek.user_dirs import user_data_dir

FORMAT = 1
MANIFEST = "manifest.json"
BUNDLED = Path(__file__).parent / "bundled"
DEFAULT_MODEL = "small"

Distance = Literal["cosine", "euclidean"]


@dataclass(frozen=True)
class Side:
    """One of the two encoders in a package.

    Attributes:
        file: Name of the ONNX file in the package's folder.
        sha256: Checksum of that file, as hexadecimal digits.
        size: Side of the square input in pixels.
        backbone: Name of the network, for people.
        parameters: Number of parameters.
    """

    file: str
    sha256: str
    size: int
    backbone: str
    parameters: int


@dataclass(frozen=True)
class Manifest:
    """Everything that is needed to use a pair of encoders alike everywhere.

    Attributes:
        name: Short name, such as ``small``.
        embedding: Length of an embedding.
        distance: ``cosine`` or ``euclidean``.
        raster: Version of the sketch raster that the sketch encoder was trained on
            (``sketchseek.sketches.RASTER_VERSION``).
        photo, sketch: The two encoders.
        data: What it was trained on, a sentence a source, each with its terms.
        license: Terms of the weights.
        scores: Measured results, by protocol.
        training: Settings of the run that made it.
    """

    name: str
    embedding: int
    distance: Distance
    raster: int
    photo: Side
    sketch: Side
    data: list[str] = field(default_factory=list)
    license: str = ""
    scores: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def fingerprint(self) -> str:
        """Identity of the embedding space: two packages with equal fingerprints give equal embeddings."""
        text = f"{self.photo.sha256} {self.sketch.sha256} {self.distance} {self.embedding} {self.raster}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ModelPackage:
    """A folder that holds a manifest and its two ONNX graphs."""

    path: Path
    manifest: Manifest

    def file(self, side: Literal["photo", "sketch"]) -> Path:
        """Path of one side's ONNX graph."""
        return self.path / (self.manifest.photo if side == "photo" else self.manifest.sketch).file

    def verify(self) -> None:
        """Compare both graphs with their checksums.

        Raises:
            ModelPackageError: A file is missing or differs.
        """
        for side in (self.manifest.photo, self.manifest.sketch):
            path = self.path / side.file
            if not path.is_file():
                raise ModelPackageError(f"{path}: missing from the package.", remedy="Export or install it again.")
            if sha256_of(path) != side.sha256:
                raise ModelPackageError(
                    f"{path}: its SHA-256 differs from the manifest's.", remedy="Export or install it again."
                )


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def installed_models_dir() -> Path:
    """Where ``sketchseek.models.install`` puts models; ``$SKETCHSEEK_MODELS`` names another place."""
    named = os.environ.get("SKETCHSEEK_MODELS")
    return Path(named) if named else user_data_dir() / "models"


def load_model_package(model: str | os.PathLike[str] = DEFAULT_MODEL) -> ModelPackage:
    """Find a package by the name of a bundled or installed one, or by the path of its folder.

    Raises:
        ModelPackageError: There is none, or its manifest cannot be used.
    """
    path = Path(model)
    if str(model) in bundled_models():
        path = BUNDLED / model
    elif str(model) in installed_models():
        path = installed_models_dir() / model
    file = path / MANIFEST
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelPackageError(
            f"{model}: no model package of this name or at this path.",
            remedy=f"Bundled models: {', '.join(bundled_models()) or 'none'}; installed: "
            f"{', '.join(installed_models()) or 'none'}. A path must hold a {MANIFEST}.",
        ) from error
    except UnicodeDecodeError as error:
        raise ModelPackageError(f"{file}: not a valid manifest ({error}).", remedy="Export the model again.") from error
    except (OSError, ValueError) as error:  # ValueError where there is a NUL in the name
        raise ModelPackageError(f"{file}: cannot be read ({getattr(error, 'strerror', error)}).") from error
    try:
        manifest = _parse(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelPackageError(f"{file}: not a valid manifest ({error}).", remedy="Export the model again.") from error
    return ModelPackage(path, manifest)


def bundled_models() -> list[str]:
    """Names of the packages that ship with the package."""
    return sorted(entry.parent.name for entry in BUNDLED.glob(f"*/{MANIFEST}"))


def installed_models() -> list[str]:
    """Names of the packages that this user installed."""
    try:
        return sorted(entry.parent.name for entry in installed_models_dir().glob(f"[!.]*/{MANIFEST}"))
    except OSError:  # a home that this user may not look into, as that of who runs sudo
        return []


def write_manifest(path: Path, manifest: Manifest) -> ModelPackage:
    """Write the manifest into a package's folder."""
    (path / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return ModelPackage(path, manifest)


def _parse(data: dict[str, Any]) -> Manifest:
    if data.get("format") != FORMAT:
        raise ValueError(f"format {data.get('format')!r}, this version of sketchseek reads {FORMAT}")
    fields = dict(data)
    for side in ("photo", "sketch"):
        fields[side] = Side(**fields[side])
        if Path(fields[side].file).name != fields[side].file:
            raise ValueError(f"{side} file {fields[side].file!r} is not a plain name")
    if fields["distance"] not in ("cosine", "euclidean"):
        raise ValueError(f"distance {fields['distance']!r}")
    fields["distance"] = cast(Distance, fields["distance"])
    manifest = Manifest(**fields)
    for one in (manifest.photo, manifest.sketch):
        _check_types(one, file=str, sha256=str, size=int, backbone=str, parameters=int)
    _check_types(manifest, name=str, embedding=int, raster=int, data=list, license=str, scores=dict, training=dict)
    if min(manifest.embedding, manifest.photo.size, manifest.sketch.size) < 1:
        raise ValueError("an embedding or a picture without a size")
    return manifest


def _check_types(holder: object, **types: type) -> None:
    for name, kind in types.items():
        if type(getattr(holder, name)) is not kind:
            raise TypeError(f"{name} is {getattr(holder, name)!r}")
