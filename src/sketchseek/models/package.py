"""The model package: the file format that training writes and search reads.

A model package is a folder with ``manifest.json``, ``photo.onnx`` and ``sketch.onnx``. Both graphs take raw ``uint8``
pixels and contain their own normalization, so that Python, REST and the browser agree:

- ``photo.onnx``: input ``pixels`` of shape (batch, size, size, 3), RGB; output ``embedding`` (batch, d) float32;
- ``sketch.onnx``: input ``pixels`` of shape (batch, size, size), 255 paper and 0 ink; output as above.

Both may have a second output, ``cells`` (batch, rows, columns, d) float32, which splits the embedding by place: summed
over rows and columns, it is the embedding, or that part of it that depends on a place. ``Library.explain`` needs it.

A package may also have a text encoder, for searching photos by words that no file name has:

- ``text.onnx``: input ``tokens`` (batch, length) int64, and optionally ``mask`` of the same shape, 1 for a token and 0
  for padding; output ``embedding`` (batch, d) float32, in the space of the photos;
- ``tokenizer.json``: a tokenizer of Hugging Face's ``tokenizers``, with its padding token.

With distance ``cosine`` the graphs end in L2 normalization, so that the inner product is the cosine.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le, MaxLen

from sketchseek.atomic_write import atomic_write
from sketchseek.errors import ModelPackageError
from sketchseek.file_digest import read_at_most
from sketchseek.models import DEFAULT_MODEL
from sketchseek.models.graph_check import RefusedGraphError, check_graph
from sketchseek.user_dirs import user_data_dir

FORMAT = 1
MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.json"
BUNDLED = Path(__file__).parent / "bundled"

# Caps, far above any encoder that is useful here, so that a damaged or hostile package cannot take all memory.
MAX_SIZE = 1024
MAX_DIMENSIONS = 8192
MAX_MANIFEST_BYTES = 4_000_000
MAX_GRAPH_BYTES = 2_000_000_000
MAX_TOKENIZER_BYTES = 32_000_000
MAX_TOKENS = 4096

BranchName = Literal["photo", "sketch", "text"]
Distance = Literal["cosine", "euclidean"]
_STRICT = {"extra": "forbid", "strict": True}
"""pydantic's configuration of the classes below, which are plain so that importing this module stays fast."""

_AGAIN = "Export or install it again."


@dataclass(frozen=True)
class Branch:
    """One of the two encoders of a model package.

    Attributes:
        file: Name of the ONNX file in the package's folder.
        sha256: Checksum of that file, as hexadecimal digits.
        size: Side of the square input in pixels.
        backbone: Name of the network, for people.
        parameters: Number of parameters.
    """

    __pydantic_config__: ClassVar = _STRICT

    file: Annotated[str, MaxLen(100)]
    sha256: str
    size: Annotated[int, Ge(1), Le(MAX_SIZE)]
    backbone: str
    parameters: Annotated[int, Ge(0), Le(10**12)]


@dataclass(frozen=True)
class TextBranch:
    """The optional text encoder of a model package.

    Attributes:
        file, sha256: The ONNX file in the package's folder and its checksum.
        tokenizer, tokenizer_sha256: The tokenizer's file and its checksum.
        length: Number of tokens of the input; longer texts are cut, shorter ones padded.
        parameters: Number of parameters.
    """

    __pydantic_config__: ClassVar = _STRICT

    file: Annotated[str, MaxLen(100)]
    sha256: str
    tokenizer: Annotated[str, MaxLen(100)]
    tokenizer_sha256: str
    length: Annotated[int, Ge(1), Le(MAX_TOKENS)]
    parameters: Annotated[int, Ge(0), Le(10**12)] = 0


@dataclass(frozen=True)
class Manifest:
    """What is needed to use a pair of encoders.

    Attributes:
        name: Short name, such as ``small``.
        dimensions: Length of an embedding.
        distance: ``cosine`` or ``euclidean``.
        raster: Version of the sketch raster that the sketch encoder was trained on
            (``sketchseek.sketches.RASTER_VERSION``).
        photo, sketch: The two encoders.
        data: Training data, one sentence a source, each with its terms.
        license: Terms of the weights.
        scores: Measured results, by protocol.
        training: Settings of the run that made it.
        text: The text encoder; None for most models.
    """

    __pydantic_config__: ClassVar = _STRICT

    name: Annotated[str, MaxLen(200)]
    dimensions: Annotated[int, Ge(1), Le(MAX_DIMENSIONS)]
    distance: Distance
    raster: int
    photo: Branch
    sketch: Branch
    data: list[str] = field(default_factory=list)
    license: str = ""
    scores: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT
    text: TextBranch | None = None

    @property
    def fingerprint(self) -> str:
        """Identity of the embedding space: two packages with equal fingerprints embed photos and sketches equally.

        The text encoder has no part in it: a library need not be embedded again when its model gets one.
        """
        text = f"{self.photo.sha256} {self.sketch.sha256} {self.distance} {self.dimensions} {self.raster}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ModelPackage:
    """A folder that holds a manifest and its two ONNX graphs."""

    path: Path
    manifest: Manifest

    def file(self, branch: BranchName) -> Path:
        """Path of one branch's ONNX graph."""
        return self.path / self._branch(branch).file

    def _branch(self, branch: BranchName) -> Branch | TextBranch:
        found = {"photo": self.manifest.photo, "sketch": self.manifest.sketch, "text": self.manifest.text}[branch]
        if found is None:
            raise ModelPackageError("has no text encoder.", subject=self.path)
        return found

    def read(self, branch: BranchName) -> bytes:
        """Return one branch's ONNX graph, after comparing it with its checksum and checking its operators.

        The bytes that were checked are returned, so the file is read once and cannot change in between.

        Raises:
            ModelPackageError: The file is missing, is not the one that the manifest describes, or uses something that
                ``sketchseek.models.graph_check`` refuses.
        """
        path = self.file(branch)
        graph = _read_checked(path, self._branch(branch).sha256, MAX_GRAPH_BYTES)
        try:
            check_graph(graph)
        except RefusedGraphError as error:
            raise ModelPackageError(
                f"cannot be used: {error}.", subject=path, remedy="Use a model from a source that you trust."
            ) from error
        return graph

    def read_tokenizer(self) -> str:
        """Return the text encoder's tokenizer as JSON, after comparing it with its checksum.

        Raises:
            ModelPackageError: There is none, or it is not the one that the manifest describes.
        """
        text = self._branch("text")
        assert isinstance(text, TextBranch)
        path = self.path / text.tokenizer
        try:
            return _read_checked(path, text.tokenizer_sha256, MAX_TOKENIZER_BYTES).decode("utf-8")
        except UnicodeDecodeError as error:
            raise ModelPackageError("not UTF-8 text.", subject=path, remedy=_AGAIN) from error

    def verify(self) -> None:
        """Check every graph, and the tokenizer if there is one; see ``read``.

        Raises:
            ModelPackageError: A file is missing, differs from the manifest, or cannot be used.
        """
        self.read("photo")
        self.read("sketch")
        if self.manifest.text is not None:
            self.read("text")
            self.read_tokenizer()


def _read_checked(path: Path, sha256: str, most: int) -> bytes:
    """Return a file's bytes, which have the checksum.

    Raises:
        ModelPackageError: It is missing, cannot be read, is too large, or has another checksum.
    """
    try:
        data = read_at_most(path, most)
    except FileNotFoundError as error:
        raise ModelPackageError("missing from the package.", subject=path, remedy=_AGAIN) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelPackageError(f"cannot be read ({reason}).", subject=path, remedy=_AGAIN) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelPackageError("its SHA-256 differs from the manifest's.", subject=path, remedy=_AGAIN)
    return data


def installed_models_dir() -> Path:
    """Where ``sketchseek.models.install`` puts models; ``$SKETCHSEEK_MODELS`` names another place."""
    named = os.environ.get("SKETCHSEEK_MODELS")
    return Path(named) if named else user_data_dir() / "models"


def load_model_package(model: str | os.PathLike[str] = DEFAULT_MODEL) -> ModelPackage:
    """Load a model package by the name of a bundled or installed model, or by the path of its folder.

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
        text = read_at_most(file, MAX_MANIFEST_BYTES).decode()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelPackageError(
            "no model package of this name or at this path.",
            subject=model,
            remedy=f"Bundled models: {', '.join(bundled_models()) or 'none'}; installed: "
            f"{', '.join(installed_models()) or 'none'}. A path must hold a {MANIFEST}.",
        ) from error
    except UnicodeDecodeError as error:
        raise ModelPackageError(
            f"not a valid manifest ({error}).", subject=file, remedy="Export the model again."
        ) from error
    except (OSError, ValueError) as error:  # ValueError where there is a NUL in the name
        raise ModelPackageError(f"cannot be read ({getattr(error, 'strerror', error)}).", subject=file) from error
    try:
        manifest = _bundled(text) if path.parent == BUNDLED else _parse(text)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelPackageError(
            f"not a valid manifest ({error}).", subject=file, remedy="Export the model again."
        ) from error
    return ModelPackage(path, manifest)


def bundled_models() -> list[str]:
    """Names of the models that ship with sketchseek."""
    return sorted(entry.parent.name for entry in BUNDLED.glob(f"*/{MANIFEST}"))


def installed_models() -> list[str]:
    """Names of the models that this user installed."""
    try:
        return sorted(entry.parent.name for entry in installed_models_dir().glob(f"[!.]*/{MANIFEST}"))
    except OSError:  # a home that this user may not look into, as that of who runs sudo
        return []


def write_manifest(path: Path, manifest: Manifest) -> ModelPackage:
    """Write the manifest into a model package's folder."""
    atomic_write(path / MANIFEST, json.dumps(asdict(manifest), indent=2, ensure_ascii=False) + "\n")
    return ModelPackage(path, manifest)


def _bundled(text: str) -> Manifest:
    """The manifest of a bundled model, which a test has checked: pydantic would take half of a search's start."""
    data: dict[str, Any] = json.loads(text)
    branches = {"photo": Branch(**data["photo"]), "sketch": Branch(**data["sketch"])}
    return Manifest(**(data | branches | {"text": data["text"] and TextBranch(**data["text"])}))


def _parse(text: str) -> Manifest:
    data = json.loads(text)
    if data.get("format") != FORMAT:
        raise ValueError(f"format {data.get('format')!r}, this version of sketchseek reads {FORMAT}")
    from pydantic import TypeAdapter

    manifest = TypeAdapter(Manifest).validate_json(text)
    names = [manifest.photo.file, manifest.sketch.file]
    if manifest.text is not None:
        names += [manifest.text.file, manifest.text.tokenizer]
    for name in names:
        if not name or Path(name).name != name:
            raise ValueError(f"{name!r} is not a plain file name")
    return manifest
