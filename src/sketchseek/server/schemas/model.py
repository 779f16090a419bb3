"""Request and response bodies about the model of a library."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from sketchseek.server.schemas.base import (
    EXAMPLE_EMBEDDING,
    EXAMPLE_STROKES,
    RequestModel,
    ResponseModel,
    Strokes,
    with_example,
)

MAX_SKETCHES = 256
"""Maximum number of sketches in one request."""

_PHOTO_ENCODER = {
    "file": "photo.onnx",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "size": 224,
    "backbone": "efficientnet_lite0",
    "parameters": 3_700_000,
}


class EncoderInfo(ResponseModel):
    """One branch of the dual encoder."""

    file: str = Field(description="Name of the ONNX file in the model package.")
    sha256: str = Field(description="Checksum of that file, in hexadecimal.")
    size: int = Field(description="Side of the square input, in pixels.")
    backbone: str = Field(description="Name of the network.")
    parameters: int = Field(description="Number of parameters.")


class TextEncoderInfo(ResponseModel):
    """The optional text encoder, for searching photos by words that no file name has."""

    file: str = Field(description="Name of the ONNX file in the model package.")
    sha256: str = Field(description="Checksum of that file, in hexadecimal.")
    tokenizer: str = Field(description="Name of the tokenizer's file.")
    tokenizer_sha256: str = Field(description="Checksum of the tokenizer's file, in hexadecimal.")
    length: int = Field(description="Number of tokens of the input.")
    parameters: int = Field(description="Number of parameters.")


class Rasterization(ResponseModel):
    """How strokes become the input of the sketch encoder."""

    version: int = Field(description="Version of the sketch raster.")
    fill: float = Field(description="Fraction of the side that the longer side of the sketch spans.")
    line_width: float = Field(description="Line width as a fraction of the side.")


class ModelManifest(ResponseModel):
    """Manifest of the model that the library was built with."""

    model_config = with_example(
        {
            "name": "small",
            "dimensions": 256,
            "distance": "cosine",
            "raster": 1,
            "photo": _PHOTO_ENCODER,
            "sketch": {**_PHOTO_ENCODER, "file": "sketch.onnx", "size": 128},
            "text": None,
            "data": ["Sketchy, CC BY 4.0"],
            "license": "Apache-2.0",
            "scores": {"sketchy": {"recall@1": 0.5}},
            "training": {"epochs": 20},
            "format": 1,
            "fingerprint": "6e1f0c6b9d0a4c55",
            "rasterization": {"version": 1, "fill": 0.88, "line_width": 0.015625},
        }
    )

    name: str
    dimensions: int = Field(description="Length of an embedding.")
    distance: str = Field(description="``cosine`` or ``euclidean``.")
    raster: int = Field(description="Version of the sketch raster that the sketch encoder was trained on.")
    photo: EncoderInfo
    sketch: EncoderInfo
    text: TextEncoderInfo | None = Field(description="The text encoder; null for most models.")
    data: list[str] = Field(description="Training data, one sentence per source, with its terms.")
    license: str = Field(description="Terms of the weights.")
    scores: dict[str, Any] = Field(description="Metrics by protocol.")
    training: dict[str, Any] = Field(description="Settings of the training run.")
    format: int = Field(description="Version of the manifest's format.")
    fingerprint: str = Field(description="Identity of the embedding space.")
    rasterization: Rasterization


class EncodeSketchRequest(RequestModel):
    """A sketch to encode."""

    model_config = with_example({"strokes": EXAMPLE_STROKES})

    strokes: Strokes = Field(description="The sketch, as in a search by sketch.")


class EncodeSketchesRequest(RequestModel):
    """Sketches to encode."""

    model_config = with_example({"sketches": [EXAMPLE_STROKES, EXAMPLE_STROKES[:1]]})

    sketches: list[Strokes] = Field(min_length=1, max_length=MAX_SKETCHES, description="Each as in a search by sketch.")


class SketchEmbedding(ResponseModel):
    """The embedding of a sketch."""

    model_config = with_example({"embedding": EXAMPLE_EMBEDDING})

    embedding: list[float]


class SketchEmbeddings(ResponseModel):
    """The embeddings of sketches, in the order of the request."""

    model_config = with_example({"embeddings": [EXAMPLE_EMBEDDING, EXAMPLE_EMBEDDING]})

    embeddings: list[list[float]]
