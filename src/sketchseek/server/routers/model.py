"""The model of a library: its manifest, its sketch encoder for clients that encode themselves, and embeddings."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from sketchseek.server import API_PREFIX
from sketchseek.server.dependencies import State
from sketchseek.server.errors import ApiError
from sketchseek.server.schemas.errors import error_responses
from sketchseek.server.schemas.model import (
    EncodeSketchesRequest,
    EncodeSketchRequest,
    ModelManifest,
    SketchEmbedding,
    SketchEmbeddings,
)
from sketchseek.server.security import check_points
from sketchseek.sketches import FILL, LINE

router = APIRouter(prefix="/model", tags=["model"], responses=error_responses(404, 422))

# The content behind a URL that contains its checksum never changes.
_IMMUTABLE = "private, max-age=31536000, immutable"
_REVALIDATE = "private, no-cache"

_ONNX = "application/octet-stream"


@router.get("")
async def get_model(state: State) -> ModelManifest:
    """Return the manifest of the model that the library was built with."""

    def work() -> ModelManifest:
        manifest = state.library.encoder.manifest
        return ModelManifest.model_validate(
            {
                **dataclasses.asdict(manifest),
                "fingerprint": manifest.fingerprint,
                "rasterization": {"version": manifest.raster, "fill": FILL, "line_width": LINE},
            }
        )

    return await state.in_search_thread(work)


@router.get(
    "/sketch.onnx",
    response_class=Response,
    responses={
        200: {
            "description": "The ONNX graph.",
            "content": {_ONNX: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def get_sketch_encoder(
    state: State,
    request: Request,
    sha256: Annotated[
        str | None, Query(description="Expected checksum. The response to a request with it can be cached forever.")
    ] = None,
) -> Response:
    """Return the ONNX graph of the sketch encoder. Its checksum is the ETag."""
    package = await state.in_search_thread(lambda: state.library.encoder.package)
    checksum = package.manifest.sketch.sha256
    headers = {"ETag": f'"{checksum}"', "Cache-Control": _IMMUTABLE if sha256 == checksum else _REVALIDATE}
    if sha256 is not None and sha256 != checksum:
        raise ApiError(
            404,
            "ModelChanged",
            "The library's model has another sketch encoder now.",
            f"Read the checksum from {API_PREFIX}/model.",
        )
    if f'"{checksum}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if not package.file("sketch").is_file():
        raise ApiError(404, "ModelMissing", "The sketch encoder's file is gone.", "Install the model again.")
    # A browser that encodes with a damaged graph would search with wrong embeddings.
    graph = await state.in_search_thread(lambda: package.read("sketch"))
    return Response(graph, media_type=_ONNX, headers=headers)


@router.post("/embedding")
async def encode_sketch(query: EncodeSketchRequest, state: State) -> SketchEmbedding:
    """Return the embedding of a sketch. Clients that encode themselves compare theirs with it."""
    check_points(query.strokes, state.limits)
    embedding = await state.in_search_thread(lambda: state.library.encoder.encode_sketch(query.strokes))
    return SketchEmbedding(embedding=embedding.tolist())


@router.post("/embeddings")
async def encode_sketches(query: EncodeSketchesRequest, state: State) -> SketchEmbeddings:
    """Return the embeddings of several sketches, in their order. The limit on points counts all of them together."""
    check_points([stroke for strokes in query.sketches for stroke in strokes], state.limits)
    embeddings = await state.in_search_thread(lambda: state.library.encoder.encode_sketches(query.sketches))
    return SketchEmbeddings(embeddings=embeddings.tolist())
