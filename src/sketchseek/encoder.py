"""The encoder: photos and sketches to embeddings, with onnxruntime.

Each branch is loaded on first use: searching needs only the sketch branch, indexing only the photo branch.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from sketchseek.errors import ConfigError, InputError, MissingExtraError, ModelPackageError
from sketchseek.execution import open_session
from sketchseek.images import ImageSource, read_photo
from sketchseek.models import DEFAULT_MODEL
from sketchseek.models.graph_check import without_output
from sketchseek.models.package import BranchName, ModelPackage, load_model_package
from sketchseek.search_times import stage
from sketchseek.sketches import RASTER_VERSION, SketchSource, rasterize_sketch

if TYPE_CHECKING:
    import onnxruntime

Embeddings = npt.NDArray[np.float32]
Cells = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
T = TypeVar("T")

BATCH = 32
"""Default number of sources in one call of the network."""

CELLS = "cells"
"""Name of the graphs' optional output that ``explain_*`` methods read."""

FIRST_RUN_SECONDS = 120.0
"""Deadline for the first call of each network. The bundled ones take about a second for a batch on one slow core."""


class Encoder:
    """The dual encoder of a model package.

    ``encode_*`` methods take sources; ``encode_*_pixels`` methods take what ``read_*`` methods return.

    Args:
        package: The model package.
        threads: Number of threads that one call may use; 0 for every core.

    Raises:
        ModelPackageError: The package was trained on another sketch raster than this version of sketchseek makes.
        ConfigError: The execution provider that the environment names cannot be used; raised by the first call.
    """

    def __init__(self, package: ModelPackage, *, threads: int = 0) -> None:
        if package.manifest.raster != RASTER_VERSION:
            raise ModelPackageError(
                f"trained on sketch raster {package.manifest.raster}; "
                f"this version of sketchseek makes raster {RASTER_VERSION}.",
                subject=package.path,
                remedy="Use a model that was exported with this version, or another version of sketchseek.",
            )
        self.package = package
        self.manifest = package.manifest
        self._threads = threads
        self._ran: set[tuple[str, ...]] = set()
        """Branches and outputs that have ended a run in time."""
        self._explaining: dict[BranchName, onnxruntime.InferenceSession] = {}
        """Sessions that compute cells too, opened when an explanation is asked for."""

    @cached_property
    def _photo(self) -> onnxruntime.InferenceSession:
        return self._session("photo")

    @cached_property
    def _sketch(self) -> onnxruntime.InferenceSession:
        return self._session("sketch")

    def encode_photo(self, source: ImageSource) -> Embeddings:
        """Encode one photo: a path, an image's bytes or a PIL image. Returns (d,); see ``encode_photos``."""
        return self.encode_photos([source]).reshape(-1)

    def encode_sketch(self, source: SketchSource) -> Embeddings:
        """Encode one sketch: strokes, SVG, a path, an image's bytes or a PIL image. Returns (d,)."""
        return self.encode_sketches([source]).reshape(-1)

    def encode_photos(self, sources: Iterable[ImageSource], *, batch: int = BATCH) -> Embeddings:
        """Encode photos.

        Args:
            sources: Paths, images' bytes or PIL images.
            batch: Number of photos that are in memory and in one call of the network.

        Returns:
            (n, d) float32, in the order of the sources; of unit length if the distance is ``cosine``.

        Raises:
            ImageError: A source cannot be read.
        """
        return self._encode(sources, self.read_photo, self.encode_photo_pixels, batch)

    def encode_sketches(self, sources: Iterable[SketchSource], *, batch: int = BATCH) -> Embeddings:
        """Encode sketches.

        Args:
            sources: Strokes, SVG, paths, images' bytes or PIL images.
            batch: Number of sketches that are in memory and in one call of the network.

        Returns:
            (n, d) float32, in the order of the sources; of unit length if the distance is ``cosine``.

        Raises:
            SketchError: A source cannot be read; EmptySketchError if it has no ink.
        """
        return self._encode(sources, self.read_sketch, self.encode_sketch_pixels, batch)

    def encode_photo_pixels(self, pixels: Pixels) -> Embeddings:
        """Encode decoded photos.

        Args:
            pixels: (batch, size, size, 3) uint8, RGB, from ``read_photo``.

        Returns:
            (batch, d) float32; of unit length if the distance is ``cosine``.
        """
        return self._run("photo", self._photo, pixels)

    def encode_sketch_pixels(self, pixels: Pixels) -> Embeddings:
        """Encode rasterized sketches.

        Args:
            pixels: (batch, size, size) uint8, 255 for paper and 0 for ink, from ``read_sketch``.

        Returns:
            (batch, d) float32; of unit length if the distance is ``cosine``.
        """
        return self._run("sketch", self._sketch, pixels)

    @property
    def reads_text(self) -> bool:
        """Whether the model package has a text encoder."""
        return self.manifest.text is not None

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Encode texts, to compare them with photos.

        Args:
            texts: Words or sentences; what exceeds the encoder's length is cut.

        Returns:
            (n, d) float32; of unit length if the distance is ``cosine``.

        Raises:
            ModelPackageError: The model package has no text encoder, or it cannot be used.
            MissingExtraError: The package ``tokenizers`` is not installed.
        """
        session, tokenizer = self._text, self._tokenizer
        if not texts:
            return np.zeros((0, self.manifest.dimensions), np.float32)
        encoded = tokenizer.encode_batch(list(texts))
        inputs = {"tokens": np.array([one.ids for one in encoded], np.int64)}
        if any(value.name == "mask" for value in session.get_inputs()):
            inputs["mask"] = np.array([one.attention_mask for one in encoded], np.int64)
        (embedding,) = self._outputs("text", session, inputs, ["embedding"])
        return self._checked("text", len(texts), embedding)

    @cached_property
    def _text(self) -> onnxruntime.InferenceSession:
        return self._session("text")

    @cached_property
    def _tokenizer(self) -> Any:
        text = self.manifest.text
        assert text is not None
        description = self.package.read_tokenizer()
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingExtraError(
                "the model's text encoder needs the package tokenizers.", remedy="pip install 'sketchseek[text]'"
            ) from error
        try:
            tokenizer = Tokenizer.from_str(description)
            padding = tokenizer.padding or {}
            tokenizer.enable_truncation(text.length)
            tokenizer.enable_padding(
                length=text.length,
                **{name: padding[name] for name in ("pad_id", "pad_token", "pad_type_id") if name in padding},
            )
        except Exception as error:  # its errors have no common base but Exception
            raise ModelPackageError(
                f"not a tokenizer ({error}).", subject=self.package.path / text.tokenizer, remedy="Install it again."
            ) from error
        return tokenizer

    def explain_photo_pixels(self, pixels: Pixels) -> tuple[Embeddings, Cells]:
        """Encode decoded photos, with each cell's contribution.

        Args:
            pixels: See ``encode_photo_pixels``.

        Returns:
            Embeddings (batch, d), and cells (batch, rows, columns, d), both float32. Summed over rows and columns, the
            cells are the embedding, or that part of it that depends on a place in the picture.

        Raises:
            ModelPackageError: The model package does not have this output.
        """
        return self._run_cells("photo", pixels)

    def explain_sketch_pixels(self, pixels: Pixels) -> tuple[Embeddings, Cells]:
        """Encode rasterized sketches, with each cell's contribution; see ``explain_photo_pixels``."""
        return self._run_cells("sketch", pixels)

    def read_photo(self, source: ImageSource) -> Pixels:
        """Decode a photo to the pixels that the photo branch takes, (size, size, 3)."""
        return read_photo(source, self.manifest.photo.size)

    def read_sketch(self, source: SketchSource) -> Pixels:
        """Rasterize a sketch to the pixels that the sketch branch takes, (size, size)."""
        with stage("rasterize"):
            return rasterize_sketch(source, self.manifest.sketch.size)

    def _encode(
        self,
        sources: Iterable[T],
        read: Callable[[T], Pixels],
        encode: Callable[[Pixels], Embeddings],
        batch: int,
    ) -> Embeddings:
        if batch < 1:
            raise InputError(f"batch is {batch}; it must be at least 1.")
        parts = [np.zeros((0, self.manifest.dimensions), np.float32)]
        remaining = iter(sources)
        while some := list(islice(remaining, batch)):
            parts.append(encode(np.stack([read(source) for source in some])))
        return np.concatenate(parts)

    def _session(self, branch: BranchName, *, cells: bool = False) -> onnxruntime.InferenceSession:
        # From version 1.29 on, onnxruntime sends telemetry unless this is set before its first import. Users may set it
        # to 0.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime  # takes 0.1 s

        onnxruntime.disable_telemetry_events()  # Windows uses this instead
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 3
        graph = self.package.read(branch)
        if not cells:  # to compute them takes a tenth of the time
            graph = without_output(graph, CELLS)
        try:
            return open_session(graph, options)
        except ConfigError:
            raise
        except Exception as error:  # onnxruntime's errors have no common base but Exception
            raise ModelPackageError(
                f"onnxruntime cannot open it ({error}).", subject=self.package.file(branch)
            ) from error

    def _run(self, branch: BranchName, session: Any, pixels: Pixels) -> Embeddings:
        (embedding,) = self._outputs(branch, session, {"pixels": pixels}, ["embedding"])
        return self._checked(branch, len(pixels), embedding)

    def _run_cells(self, branch: BranchName, pixels: Pixels) -> tuple[Embeddings, Cells]:
        if branch not in self._explaining:
            self._explaining[branch] = self._session(branch, cells=True)
        session = self._explaining[branch]
        if CELLS not in (output.name for output in session.get_outputs()):
            raise ModelPackageError(
                f"its {branch} encoder does not tell what each part of a picture contributes.",
                subject=self.package.path,
                remedy='Use a bundled model, or export it again with "sketchseek export". INT8 models have no cells.',
            )
        embedding, cells = self._outputs(branch, session, {"pixels": pixels}, ["embedding", CELLS])
        embedding = self._checked(branch, len(pixels), embedding)
        if cells.ndim != 4 or (cells.shape[0], cells.shape[3]) != embedding.shape or 0 in cells.shape:
            raise ModelPackageError(
                f"gives cells of shape {cells.shape}.",
                subject=self.package.file(branch),
                remedy="Export the model again.",
            )
        return embedding, np.asarray(cells, dtype=np.float32)

    def _checked(self, branch: BranchName, count: int, embedding: npt.NDArray[Any]) -> Embeddings:
        if embedding.shape != (count, self.manifest.dimensions):
            raise ModelPackageError(
                f"gives embeddings of shape {embedding.shape[1:]}, "
                f"not ({self.manifest.dimensions},) as its manifest says.",
                subject=self.package.file(branch),
                remedy="Export the model again.",
            )
        return np.asarray(embedding, dtype=np.float32)

    def _outputs(
        self, branch: BranchName, session: Any, inputs: dict[str, npt.NDArray[Any]], names: list[str]
    ) -> list[npt.NDArray[Any]]:
        """Run a graph for some of its outputs."""
        import onnxruntime

        inputs = {name: np.ascontiguousarray(values) for name, values in inputs.items()}
        options = onnxruntime.RunOptions()
        try:
            with stage("encode"):
                if (branch, *names) in self._ran:
                    results: list[npt.NDArray[Any]] = session.run(names, inputs, options)
                else:
                    results = self._first_run(branch, session, names, inputs, options)
                self._ran.add((branch, *names))
        except ModelPackageError:
            raise
        except Exception as error:  # onnxruntime's errors have no common base but Exception
            raise ModelPackageError(
                f"onnxruntime cannot run it ({error}).", subject=self.package.file(branch)
            ) from error
        return results

    def _first_run(
        self, branch: BranchName, session: Any, names: list[str], inputs: dict[str, npt.NDArray[Any]], options: Any
    ) -> list[npt.NDArray[Any]]:
        """Run a graph that has not run yet; end it at the deadline, since it may be one that never ends."""
        timer = threading.Timer(FIRST_RUN_SECONDS, lambda: setattr(options, "terminate", True))
        timer.daemon = True
        timer.start()
        try:
            results: list[npt.NDArray[Any]] = session.run(names, inputs, options)
            return results
        except Exception as error:
            if options.terminate:
                raise ModelPackageError(
                    f"did not encode {len(next(iter(inputs.values())))} inputs within {FIRST_RUN_SECONDS:.0f} seconds.",
                    subject=self.package.file(branch),
                    remedy="Use a smaller model.",
                ) from error
            raise
        finally:
            timer.cancel()


def load_encoder(model: str | os.PathLike[str] = DEFAULT_MODEL, *, threads: int = 0) -> Encoder:
    """Load the encoder of a bundled model, by its name, or of a model package, by the path of its folder.

    Raises:
        ModelPackageError: There is no such model package, or it cannot be used.
    """
    return Encoder(load_model_package(model), threads=threads)
