"""From pictures and sketches to embeddings, on onnxruntime.

Sessions open on first use: a search needs the sketch encoder only, indexing the photo encoder only.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from sketchseek.errors import ModelPackageError
from sketchseek.images import ImageSource, read_photo
from sketchseek.models.package import DEFAULT_MODEL, ModelPackage, load_model_package
from sketchseek.sketches import RASTER_VERSION, SketchSource, rasterize_sketch

if TYPE_CHECKING:
    import onnxruntime

Embeddings = npt.NDArray[np.float32]


class Encoder:
    """The two encoders of a package.

    Args:
        package: Where the graphs and the manifest are.
        threads: Threads that one call may use; 0 lets onnxruntime take every core.

    Raises:
        ModelPackageError: The package was trained on another sketch raster than this version of sketchseek makes.
    """

    def __init__(self, package: ModelPackage, *, threads: int = 0) -> None:
        if package.manifest.raster != RASTER_VERSION:
            raise ModelPackageError(
                f"{package.path}: trained on sketch raster {package.manifest.raster}; "
                f"this version of sketchseek makes raster {RASTER_VERSION}.",
                remedy="Use a model that was exported with this version, or another version of sketchseek.",
            )
        self.package = package
        self.manifest = package.manifest
        self._threads = threads

    @cached_property
    def _photo(self) -> onnxruntime.InferenceSession:
        return self._session("photo")

    @cached_property
    def _sketch(self) -> onnxruntime.InferenceSession:
        return self._session("sketch")

    def encode_photo_pixels(self, pixels: npt.NDArray[np.uint8]) -> Embeddings:
        """Embed photos.

        Args:
            pixels: (batch, size, size, 3), RGB, as ``read_photo`` gives them.

        Returns:
            (batch, d) float32; of unit length where the distance is ``cosine``.
        """
        return self._run("photo", self._photo, pixels)

    def encode_sketch_pixels(self, pixels: npt.NDArray[np.uint8]) -> Embeddings:
        """Embed sketches.

        Args:
            pixels: (batch, size, size), 255 paper and 0 ink, as ``rasterize_sketch`` gives them.

        Returns:
            (batch, d) float32; of unit length where the distance is ``cosine``.
        """
        return self._run("sketch", self._sketch, pixels)

    def read_photo(self, source: ImageSource) -> npt.NDArray[np.uint8]:
        """Decode a photo to the pixels that the photo encoder takes, (size, size, 3)."""
        return read_photo(source, self.manifest.photo.size)

    def read_sketch(self, source: SketchSource) -> npt.NDArray[np.uint8]:
        """Bring a sketch to the raster that the sketch encoder takes, (size, size)."""
        return rasterize_sketch(source, self.manifest.sketch.size)

    def encode_photo(self, source: ImageSource) -> Embeddings:
        """Embed one photo from a path, bytes or a PIL image; returns (d,)."""
        return self.encode_photo_pixels(self.read_photo(source)[None]).reshape(-1)

    def encode_sketch(self, source: SketchSource) -> Embeddings:
        """Embed one sketch from strokes, SVG, a path, bytes or a PIL image; returns (d,)."""
        return self.encode_sketch_pixels(self.read_sketch(source)[None]).reshape(-1)

    def _session(self, side: Literal["photo", "sketch"]) -> onnxruntime.InferenceSession:
        # onnxruntime from 1.29 on reports what it runs, and on which machine, to its maker unless this is set before it
        # is first imported. Who wants that may set it to 0.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime  # takes 0.1 s: only who encodes pays for it

        onnxruntime.disable_telemetry_events()  # Windows heeds this instead
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 3
        try:
            return onnxruntime.InferenceSession(
                str(self.package.file(side)), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors have no common base but Exception
            self.package.verify()
            raise ModelPackageError(f"{self.package.file(side)}: onnxruntime cannot open it ({error}).") from error

    def _run(self, side: Literal["photo", "sketch"], session: Any, pixels: npt.NDArray[np.uint8]) -> Embeddings:
        try:
            (embedding, *_) = session.run(None, {"pixels": np.ascontiguousarray(pixels)})
        except Exception as error:  # onnxruntime's errors have no common base but Exception
            raise ModelPackageError(f"{self.package.file(side)}: onnxruntime cannot run it ({error}).") from error
        if embedding.shape != (len(pixels), self.manifest.embedding):
            raise ModelPackageError(
                f"{self.package.file(side)}: gives embeddings of shape {embedding.shape[1:]}, "
                f"not ({self.manifest.embedding},) as its manifest says.",
                remedy="Export the model again.",
            )
        return np.asarray(embedding, dtype=np.float32)


def load_encoder(model: str | os.PathLike[str] = DEFAULT_MODEL, *, threads: int = 0) -> Encoder:
    """Open the encoders of a bundled model, by name, or of a package, by the path of its folder.

    Raises:
        ModelPackageError: There is no such package, or it cannot be used.
    """
    return Encoder(load_model_package(model), threads=threads)
