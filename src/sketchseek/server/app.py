"""The application: the REST API below ``/api/v1``, the web page everywhere else."""

from __future__ import annotations

import gzip
import secrets
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

import sketchseek
from sketchseek.server import API_PREFIX
from sketchseek.server.access import TOKEN_HEADER, ChangeCheck
from sketchseek.server.background_indexing import Indexer
from sketchseek.server.decoding import Decoders
from sketchseek.server.dependencies import ServerState, name_libraries, thumbnail_threads
from sketchseek.server.errors import add_error_handlers
from sketchseek.server.login import LOGIN, LOGOUT, AccessCheck, LoginPage
from sketchseek.server.metrics import Metrics
from sketchseek.server.request_body import BodyCheck, upload_paths
from sketchseek.server.request_log import RequestLog
from sketchseek.server.routers import docs, health, indexing, model, photos, search, session
from sketchseek.server.routers import library as library_router
from sketchseek.server.security import LOOPBACK, HostCheck, Limits, SecurityHeaders
from sketchseek.server.sessions import AttemptLimit, Sessions
from sketchseek.server.sharing import Sharing
from sketchseek.server.thumbnails import ThumbnailCache

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable

    from fastapi.routing import APIRoute
    from starlette.types import Scope

    from sketchseek.search.library import Library

PAGE = Path(__file__).parents[1] / "web"
WASM = "vendor/ort-wasm-simd-threaded.wasm"
"""The only file of the page that is stored compressed, too: it shrinks to a quarter."""

JSON_WITH_IMAGES = ("search/query", "search/explain/{photo_id}")
"""Templates of the paths that take images in JSON."""

_TAGS = [
    {"name": "search", "description": "Find photos with a sketch, a picture, an embedding or another photo."},
    {"name": "photos", "description": "Details, thumbnails and files of photos."},
    {"name": "library", "description": "The libraries, their state, and files that could not be indexed."},
    {"name": "indexing", "description": "Add folders and sync, in the background."},
    {"name": "model", "description": "The model's manifest, sketch encoder and embeddings."},
]


def operation_id(route: APIRoute) -> str:
    """Return the operation id of a route: its function's name in camel case, so that a moved path keeps it."""
    first, *others = route.name.split("_")
    return first + "".join(word.capitalize() for word in others)


def create_app(
    library: Library,
    *others: Library,
    thumbnails: ThumbnailCache,
    roots: Iterable[Path] = (),
    limits: Limits | None = None,
    hosts: Collection[str] = LOOPBACK,
    any_address: bool = False,
    sharing: Sharing | None = None,
) -> FastAPI:
    """Return an ASGI application that searches libraries.

    Args:
        library: An open library; the caller closes it.
        others: More libraries, which requests select by name.
        thumbnails: The cache of thumbnails.
        roots: Folders whose subfolders can be added. The libraries must then be open for writing. Without roots the
            server is read-only.
        limits: Limits on requests.
        hosts: Host names and addresses that the server answers to, without ports; IPv6 in brackets.
        any_address: Whether to answer to any literal IP address too.
        sharing: Users, origins, proxies and the audit log.
    """
    sharing = sharing or Sharing()
    metrics = Metrics()
    sessions = Sessions()
    limits = limits or Limits()
    app = FastAPI(
        title="sketchseek",
        version=sketchseek.__version__,
        description="Find photos with a sketch.",
        # The usual documentation pages load scripts from the internet; routers/docs.py serves one that does not.
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{API_PREFIX}/openapi.json",
        openapi_tags=_TAGS,
        generate_unique_id_function=operation_id,
        lifespan=_lifespan,
    )
    libraries = name_libraries([library, *others])
    token = secrets.token_urlsafe(32)
    app.state.server = ServerState(
        libraries=libraries,
        name=next(iter(libraries)),
        library=library,
        roots=tuple(roots),
        indexer=Indexer(metrics),
        thumbnails=thumbnails,
        limits=limits,
        token=token,
        metrics=metrics,
        has_users=sharing.users is not None,
        search_slots=CapacityLimiter(limits.searches),
        decoders=Decoders(limits),
        decode_slots=CapacityLimiter(limits.decoders),
        thumbnail_threads=thumbnail_threads(limits.thumbnails),
    )
    metrics.watch(app.state.server)
    add_error_handlers(app)
    modules = (search, photos, library_router, indexing, model, session, health, docs)
    for module in modules:
        app.include_router(module.router, prefix=API_PREFIX)
    if sharing.users is not None:
        form = LoginPage(sharing.users, sessions, AttemptLimit(), sharing.audit, metrics)
        app.add_route(LOGIN, form.show, methods=["GET"], include_in_schema=False)
        app.add_route(LOGIN, form.log_in, methods=["POST"], include_in_schema=False)
        app.add_route(LOGOUT, form.log_out, methods=["POST"], include_in_schema=False)
    app.mount("/", GZipMiddleware(_Page(directory=PAGE, html=True), minimum_size=1000), name="page")
    # The middleware added last sees a request first.
    uploads = upload_paths(route for module in modules for route in module.router.routes)
    app.add_middleware(BodyCheck, limits=limits, uploads=uploads, images=JSON_WITH_IMAGES)
    app.add_middleware(ChangeCheck, token=token, audit=sharing.audit)
    _add_access_checks(app, sharing, sessions)
    app.add_middleware(HostCheck, hosts=hosts, origins=sharing.origins, any_address=any_address)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestLog, metrics=metrics)
    if sharing.proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(sharing.proxies))
    return app


def _add_access_checks(app: FastAPI, sharing: Sharing, sessions: Sessions) -> None:
    """Check users, and answer the pages of other origins that may ask."""
    app.add_middleware(AccessCheck, users=sharing.users, sessions=sessions)
    if sharing.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(sharing.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", TOKEN_HEADER],
            max_age=600,
        )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    state: ServerState = app.state.server
    await to_thread.run_sync(state.indexer.close)
    await to_thread.run_sync(state.decoders.close)
    await to_thread.run_sync(state.thumbnails.close)


class _Page(StaticFiles):
    """The page's files. Browsers revalidate them on each load, so that a new page never runs old scripts."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if get_route_path({**scope, "root_path": scope.get("app_root_path", "")}).startswith(f"{API_PREFIX}/"):
            raise HTTPException(404, f"There is no such route; {API_PREFIX}/docs lists all.")
        compressed = PAGE / f"{path}.gz" if path == WASM else None
        if compressed is not None and "gzip" in Headers(scope=scope).get("accept-encoding", ""):
            response = await super().get_response(f"{path}.gz", scope)
            response.headers["Content-Encoding"] = "gzip"
        elif compressed is not None:
            response = Response(await to_thread.run_sync(lambda: gzip.decompress(compressed.read_bytes())))
        else:
            response = await super().get_response(path, scope)
        if compressed is not None:
            response.headers["Content-Type"] = "application/wasm"
            response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = "no-cache"
        return response
