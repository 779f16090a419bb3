"""Routes about the model: its manifest, and the sketch encoder itself, for browsers that encode sketches themselves."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from sketchseek.server.dependencies import ServerState, State
from sketchseek.server.errors import ApiError
from sketchseek.server.schemas import ErrorAnswer, Json, Strokes
from sketchseek.server.security import check_points
from sketchseek.sketches import FILL, LINE

if TYPE_CHECKING:
    from sketchseek.models.package import Manifest

_ERRORS: dict[int | str, dict[str, Any]] = {404: {"model": ErrorAnswer}}

model_routes = APIRouter(prefix="/model", tags=["model"], responses=_ERRORS)

# What an address with a checksum in it gives never changes.
_FOREVER = "private, max-age=31536000, immutable"
_ASK_AGAIN = "private, no-cache"


@model_routes.get("")
async def model(state: State) -> Json:
    """The manifest of the model that the library was built with.

    ``fit`` is the score from which on a sketch's best result is likely what was meant, or null where the model does
    not know it. ``rasterization`` says how strokes become the raster (``sketchseek.sketches``).
    """

    def work() -> Json:
        manifest = state.library.encoder.manifest
        return {
            **dataclasses.asdict(manifest),
            "fingerprint": manifest.fingerprint,
            "fit": _fit(manifest),
            "rasterization": {"version": manifest.raster, "fill": FILL, "line_width": LINE},
        }

    return await state.in_search_thread(work)


@model_routes.get("/sketch.onnx", response_class=FileResponse)
async def sketch_encoder(state: State, request: Request) -> Response:
    """The sketch encoder's ONNX graph; its checksum is its ETag.

    With ``?sha256=`` and that checksum the answer may be kept for good.
    """
    package = await state.in_search_thread(lambda: state.library.encoder.package)
    checksum = package.manifest.sketch.sha256
    asked = request.query_params.get("sha256")
    headers = {"ETag": f'"{checksum}"', "Cache-Control": _FOREVER if asked == checksum else _ASK_AGAIN}
    if asked is not None and asked != checksum:
        raise ApiError(
            404, "ModelChanged", "The library's model has another sketch encoder now.", "Ask /api/v1/model which."
        )
    if f'"{checksum}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    path = package.file("sketch")
    if not path.is_file():
        raise ApiError(404, "ModelMissing", "The sketch encoder's file is gone.", "Install the model again.")
    return FileResponse(path, media_type="application/octet-stream", headers=headers)


@model_routes.post("/embedding")
async def embedding(query: Strokes, state: State) -> Json:
    """A sketch's embedding, with which browsers check theirs."""
    check_points(query.strokes, state.limits)
    vector = await state.in_search_thread(lambda: state.library.encoder.encode_sketch(query.strokes))
    return {"vector": [float(value) for value in vector]}


def fit_of(state: ServerState) -> float | None:
    """The score from which on a sketch's best result is likely what was meant; None where it is not known."""
    return _fit(state.library.encoder.manifest)


def _fit(manifest: Manifest) -> float | None:
    value = manifest.scores.get("fit")
    if isinstance(value, dict):
        value = value.get("threshold")
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
