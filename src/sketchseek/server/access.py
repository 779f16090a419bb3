"""Who may do what: the scope that each route needs, and the token that protects changes from other sites.

A program or page that changes something sends a token in the header ``X-Sketchseek-Token``. It is new at each start of
the server, and only a page of the server's own origin, or a program, can read it (``getSession``).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Literal

from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sketchseek.server import API_PREFIX
from sketchseek.server.audit_log import AuditLog
from sketchseek.server.errors import ApiError, error_response

TOKEN_HEADER = "X-Sketchseek-Token"

ScopeName = Literal["read", "search", "manage"]
SCOPES: tuple[ScopeName, ...] = ("read", "search", "manage")
"""Each scope includes those before it."""

_SAFE = ("GET", "HEAD", "OPTIONS")
_OPEN = frozenset({"session", "health/live", "health/ready"})
_MANAGE = frozenset({"folders"})
_SEARCH = ("search/", "model/")


def required_scope(method: str, path: str) -> ScopeName | None:
    """Return the scope that a request needs; None if everybody may send it.

    A route that is not known here needs ``manage`` if it is not a GET.

    Args:
        method: HTTP method.
        path: Path below ``API_PREFIX``, without a leading slash.
    """
    if path in _OPEN or method == "OPTIONS":
        return None
    if path in _MANAGE:
        return "manage"
    if method in _SAFE:
        return "search" if path.startswith("search/") else "read"
    return "search" if path.startswith(_SEARCH) else "manage"


@dataclass(frozen=True)
class Access:
    """What the sender of a request may do.

    Attributes:
        user: Name of the user or token; None if the server has none.
        scopes: Names of the scopes.
        by_token: Whether the request has a bearer token, which no browser sends by itself.
    """

    user: str | None
    scopes: frozenset[str]
    by_token: bool = False


EVERYBODY = Access(None, frozenset(SCOPES))
"""Access to a server without users."""

NOBODY = Access(None, frozenset())
"""Access of somebody who is not logged in."""


def access_of(request: Request) -> Access:
    """Return what the sender of a request may do."""
    access: Access = request.scope.get("sketchseek.access", EVERYBODY)
    return access


class ChangeCheck:
    """Middleware that rejects changes without the token of this start of the server, and records all others.

    Args:
        app: The application to protect.
        token: The token.
        audit: Records changes.
    """

    def __init__(self, app: ASGIApp, token: str, audit: AuditLog) -> None:
        self.app = app
        self.audit = audit
        self.token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._is_change(scope):
            sent = Headers(scope=scope).get(TOKEN_HEADER, "")
            if not hmac.compare_digest(sent.encode("utf-8", "replace"), self.token):
                error = ApiError(
                    403,
                    "TokenWrong",
                    f"The request changes something, but its {TOKEN_HEADER} is missing or of an earlier start.",
                    f"Read the token from {API_PREFIX}/session and send it in this header.",
                )
                await error_response(error)(scope, receive, send)
                return
            await self._recorded(scope, receive, send)
            return
        await self.app(scope, receive, send)

    async def _recorded(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 500

        async def with_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, with_status)
        finally:
            first, *others = str(getattr(scope.get("route"), "name", "unknown")).split("_")  # as operation ids are made
            event = first + "".join(word.capitalize() for word in others)
            self.audit.record(event, scope, outcome=status, **scope.get("sketchseek.details", {}))

    def _is_change(self, scope: Scope) -> bool:
        path = get_route_path(scope)
        if not path.startswith(f"{API_PREFIX}/") or scope["method"] in _SAFE:
            return False
        access: Access = scope.get("sketchseek.access", EVERYBODY)
        return required_scope(scope["method"], path.removeprefix(f"{API_PREFIX}/")) == "manage" and not access.by_token
