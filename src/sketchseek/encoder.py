"""From pictures and drawings to embeddings, on onnxruntime.

Sessions open on first use: a search needs the sketch encoder only, indexing the photo encoder only.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from sketchseek.artefact import DEFAULT_MODEL, Artefact, load_artefact
from sketchseek.drawings import RASTER_VERSION, DrawingSource, raster_drawing
from sketchseek.errors import ArtefactError
from sketchseek.images import PictureSource, read_photo

if TYPE_CHECKING:
    import onnxruntime

Embeddings = npt.NDArray[np.float32]


class Encoder:
    """The two encoders of an artefact.

    Args:
        artefact: Where the graphs and the manifest are.
        threads: Threads that one call may use; 0 lets onnxruntime take every core.

    Raises:
        ArtefactError: The artefact was trained on another drawing raster than this version of sketchseek makes.
    """

    def __init__(self, artefact: Artefact, *, threads: int = 0) -> None:
        if artefact.manifest.raster != RASTER_VERSION:
            raise ArtefactError(
                f"{artefact.path}: trained on drawing raster {artefact.manifest.raster}; "
                f"this version of sketchseek makes raster {RASTER_VERSION}.",
                remedy="Use a model that was exported with this version, or another version of sketchseek.",
            )
        self.artefact = artefact
        self.manifest = artefact.manifest
        self._threads = threads

    @cached_property
    def _photo(self) -> onnxruntime.InferenceSession:
        return self._session("photo")

    @cached_property
    def _sketch(self) -> onnxruntime.InferenceSession:
        return self._session("sketch")

    def embed_photos(self, pixels: npt.NDArray[np.uint8]) -> Embeddings:
        """Embed photos.

        Args:
            pixels: (batch, size, size, 3), RGB, as ``read_photo`` gives them.

        Returns:
            (batch, d) float32; of unit length where the metric is ``cosine``.
        """
        return self._run("photo", self._photo, pixels)

    def embed_sketches(self, pixels: npt.NDArray[np.uint8]) -> Embeddings:
        """Embed drawings.

        Args:
            pixels: (batch, size, size), 255 paper and 0 ink, as ``raster_drawing`` gives them.

        Returns:
            (batch, d) float32; of unit length where the metric is ``cosine``.
        """
        return self._run("sketch", self._sketch, pixels)

    def read_photo(self, source: PictureSource) -> npt.NDArray[np.uint8]:
        """Decode a photo to the pixels that the photo encoder takes, (size, size, 3)."""
        return read_photo(source, self.manifest.photo.size)

    def read_drawing(self, source: DrawingSource) -> npt.NDArray[np.uint8]:
        """Bring a drawing to the raster that the sketch encoder takes, (size, size)."""
        return raster_drawing(source, self.manifest.sketch.size)

    def embed_photo(self, source: PictureSource) -> Embeddings:
        """Embed one photo from a path, bytes or a PIL image; returns (d,)."""
        return self.embed_photos(self.read_photo(source)[None]).reshape(-1)

    def embed_drawing(self, source: DrawingSource) -> Embeddings:
        """Embed one drawing from strokes, SVG, a path, bytes or a PIL image; returns (d,)."""
        return self.embed_sketches(self.read_drawing(source)[None]).reshape(-1)

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
                str(self.artefact.file(side)), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors have no common base but Exception
            self.artefact.verify()
            raise ArtefactError(f"{self.artefact.file(side)}: onnxruntime cannot open it ({error}).") from error

    def _run(self, side: Literal["photo", "sketch"], session: Any, pixels: npt.NDArray[np.uint8]) -> Embeddings:
        try:
            (embedding, *_) = session.run(None, {"pixels": np.ascontiguousarray(pixels)})
        except Exception as error:  # onnxruntime's errors have no common base but Exception
            raise ArtefactError(f"{self.artefact.file(side)}: onnxruntime cannot run it ({error}).") from error
        if embedding.shape != (len(pixels), self.manifest.embedding):
            raise ArtefactError(
                f"{self.artefact.file(side)}: gives embeddings of shape {embedding.shape[1:]}, "
                f"not ({self.manifest.embedding},) as its manifest says.",
                remedy="Export the model again.",
            )
        return np.asarray(embedding, dtype=np.float32)


def load_encoder(model: str | os.PathLike[str] = DEFAULT_MODEL, *, threads: int = 0) -> Encoder:
    """Open the encoders of a bundled model, by name, or of an artefact, by the path of its folder.

    Raises:
        ArtefactError: There is no such artefact, or it cannot be used.
    """
    return Encoder(load_artefact(model), threads=threads)
