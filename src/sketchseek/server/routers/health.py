"""Health and metrics, for programs that watch the server."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from sketchseek.errors import SketchseekError
from sketchseek.server.dependencies import State
from sketchseek.server.errors import ApiError
from sketchseek.server.metrics import CONTENT_TYPE
from sketchseek.server.schemas.errors import error_responses
from sketchseek.server.schemas.health import Health

router = APIRouter(tags=["library"], responses=error_responses(404, 422))


@router.get("/health/live")
async def get_liveness() -> Health:
    """Return that the server answers. It does not look at libraries: restarting would not repair them."""
    return Health(status="live")


@router.get("/health/ready", responses=error_responses(503))
async def get_readiness(state: State) -> Health:
    """Return that the server can search every library; 503 while it cannot, or is shutting down."""

    def work() -> None:
        for library in state.libraries.values():
            library.encoder  # noqa: B018  raises if the model is gone
            len(library)

    if state.indexer.closed:
        raise ApiError(503, "ShuttingDown", "The server is shutting down.")
    try:
        await state.in_search_thread(work)
    except SketchseekError as error:
        raise ApiError(503, "NotReady", "A library or its model cannot be used.", "See the server's log.") from error
    return Health(status="ready")


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "Metrics as text.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def get_metrics(state: State) -> Response:
    """Return metrics in Prometheus's format: requests, times of search stages, queues, revisions, indexing, errors."""
    return Response(await state.in_thumbnail_thread(state.metrics.render), media_type=CONTENT_TYPE)
