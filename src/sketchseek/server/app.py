"""The application: REST under ``/api``, the sketch page everywhere else."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

import sketchseek
from sketchseek.server.background_indexing import Indexer
from sketchseek.server.dependencies import ServerState, named, picture_threads
from sketchseek.server.errors import add_error_handlers
from sketchseek.server.routers.libraries import library_routes
from sketchseek.server.routers.model import model_routes
from sketchseek.server.routers.photos import photo_routes
from sketchseek.server.routers.search import search_routes
from sketchseek.server.security import LOOPBACK, BodyLimit, HostCheck, Limits, SecurityHeaders
from sketchseek.server.thumbnails import ThumbnailCache

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from starlette.types import Scope

    from sketchseek.search.library import Library

PAGE = Path(__file__).parents[1] / "web"
WASM = "vendor/ort-wasm-simd-threaded.wasm"
"""The one file of the page that is kept, and sent, compressed: a quarter of its size."""


def create_app(
    library: Library,
    *others: Library,
    thumbnails: ThumbnailCache,
    roots: Iterable[Path] = (),
    limits: Limits | None = None,
    hosts: Collection[str] = LOOPBACK,
    any_address: bool = False,
) -> FastAPI:
    """An ASGI application that searches libraries.

    Args:
        library: An open library; the caller closes it.
        others: Further ones, which requests name.
        thumbnails: Where thumbnails are kept.
        roots: Folders below which folders may be added to the libraries, which must then be open for writing.
        limits: Caps on requests.
        hosts: Names and addresses that the server answers to, IPv6 in brackets, without ports.
        any_address: Answer to any literal IP address too.

    Returns:
        The application, for uvicorn or a test client.
    """
    limits = limits or Limits()
    app = FastAPI(
        title="sketchseek",
        version=sketchseek.__version__,
        description="Find photos with a sketch.",
        # The usual pages of documentation load their scripts from the internet; this server's page never does.
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    libraries = named([library, *others])
    app.state.server = ServerState(
        libraries=libraries,
        name=next(iter(libraries)),
        library=library,
        roots=tuple(roots),
        indexer=Indexer(),
        thumbnails=thumbnails,
        limits=limits,
        search_slots=CapacityLimiter(limits.searches),
        picture_threads=picture_threads(limits.thumbnails),
    )
    add_error_handlers(app)
    app.include_router(search_routes, prefix="/api/v1")
    app.include_router(photo_routes, prefix="/api/v1")
    app.include_router(model_routes, prefix="/api/v1")
    app.include_router(library_routes, prefix="/api/v1")
    app.mount("/", _Page(directory=PAGE, html=True), name="page")
    # The last one added sees a request first.
    app.add_middleware(BodyLimit, limit=limits.body)
    app.add_middleware(HostCheck, hosts=hosts, any_address=any_address)
    app.add_middleware(SecurityHeaders)
    return app


class _Page(StaticFiles):
    """The page's files, asked about anew on each load: a new version must not meet old scripts."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["path"].startswith("/api/v1/"):
            raise HTTPException(404, "There is no such address; /api/v1/openapi.json lists them.")
        packed = PAGE / f"{path}.gz" if path == WASM else None
        if packed is not None and "gzip" in Headers(scope=scope).get("accept-encoding", ""):
            response = await super().get_response(f"{path}.gz", scope)
            response.headers["Content-Encoding"] = "gzip"
        elif packed is not None:
            response = Response(await to_thread.run_sync(lambda: gzip.decompress(packed.read_bytes())))
        else:
            response = await super().get_response(path, scope)
        if packed is not None:
            response.headers["Content-Type"] = "application/wasm"
            response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = "no-cache"
        return response
