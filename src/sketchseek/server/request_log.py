"""The outermost middleware: a request id, a line in the log, and an answer to errors that nothing else handled."""

from __future__ import annotations

import logging
import re
import secrets
import time
from typing import TYPE_CHECKING, Any

from starlette._utils import get_route_path
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sketchseek.server import API_PREFIX
from sketchseek.server.errors import internal_error
from sketchseek.server.logs import REQUEST_ID

if TYPE_CHECKING:
    from sketchseek.server.metrics import Metrics

_log = logging.getLogger(__name__)
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
ID_HEADER = "X-Request-ID"


class RequestLog:
    """Middleware that identifies, logs and counts requests, and turns unexpected errors into a plain answer.

    Neither the answer nor the line in the log has the path or the query of the request: they can contain private names.

    Args:
        app: The application.
        metrics: Counts requests.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = Headers(scope=scope).get(ID_HEADER, "")
        identity = sent if _ID.fullmatch(sent) else secrets.token_hex(8)
        reset = REQUEST_ID.set(identity)
        start = time.perf_counter()
        status = 0

        async def with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[ID_HEADER] = identity
            await send(message)

        try:
            await self.app(scope, receive, with_id)
        except Exception:
            _log.exception("A request failed unexpectedly.", extra={"fields": {"route": _route(scope)}})
            self.metrics.errors.labels("InternalError").inc()
            if status == 0:
                await internal_error(identity)(scope, receive, with_id)
        finally:
            seconds = time.perf_counter() - start
            self._record(scope, status, seconds)
            REQUEST_ID.reset(reset)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method, route = _method(scope), _route(scope)
        self.metrics.requests.labels(method, route, str(status)).inc()
        self.metrics.request_seconds.labels(route).observe(seconds)
        if _log.isEnabledFor(logging.INFO):
            fields: dict[str, Any] = {"method": method, "route": route, "status": status, "seconds": round(seconds, 4)}
            if user := getattr(scope.get("sketchseek.access"), "user", None):
                fields["user"] = user
            _log.info("request", extra={"fields": fields})


def _method(scope: Scope) -> str:
    known = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH")
    return scope["method"] if scope["method"] in known else "other"


def _route(scope: Scope) -> str:
    """Return the template of the route that answered, such as ``/api/v1/photos/{photo_id}``; never the path itself."""
    path = str(getattr(scope.get("route"), "path", ""))
    if not path:
        return "page" if scope.get("endpoint") else "none"
    # FastAPI's routes have the prefix of their router only in some versions.
    inside = get_route_path(scope).startswith(f"{API_PREFIX}/")
    return API_PREFIX + path if inside and not path.startswith(API_PREFIX) else path
